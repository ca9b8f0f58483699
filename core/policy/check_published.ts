/** Refuses published ports that another network has. */
import { HostError } from "../host.ts";
import { findSharedPort, formatListener, type OwnedPort } from "../network/published_port.ts";
import { quoted } from "../quoted.ts";
import type { PlacedNetwork } from "./derive_policy.ts";

/**
 * Refuses networks that publish what an active one publishes.
 *
 * @param entering The networks that are to be brought up, or to publish more.
 * @param active The networks that stay.
 * @throws {HostError} For the first port that two would have. Both are named.
 */
export function checkPublishedCollisions(
  entering: readonly PlacedNetwork[],
  active: readonly PlacedNetwork[],
): void {
  if (entering.every(({ network }) => network.published.length === 0)) return;
  const owned = [...entering, ...active].flatMap(({ network }) =>
    network.published.map((published) => ({ published, owner: network.name }))
  );
  const shared = findSharedPort(owned);
  if (shared === undefined) return;
  const standing = new Set(active.map(({ network }) => network.name));
  // Of two that enter, one may have had its port before: `publish` gave it while the network was up.
  const rank = ({ owner, published }: OwnedPort<string>): number =>
    standing.has(owner) ? 2 : published.runtime ? 1 : 0;
  const [one, other] = shared;
  const [taken, wanted] = rank(one) < rank(other) ? [other, one] : [one, other];
  throw new HostError(
    `Cannot publish port ${formatListener(wanted.published)} of network ${quoted(wanted.owner)}: ` +
      `network ${quoted(taken.owner)} publishes ${formatListener(taken.published)}`,
    `Choose another port, or run \`bridgewall unpublish\` for network ${quoted(taken.owner)} first`,
  );
}

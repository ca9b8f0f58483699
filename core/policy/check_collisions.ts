/** Refuses networks whose addresses are in use by something else on this host. */
import {
  formatSubnet,
  isLinkLocal,
  overlapFinder,
  overlaps,
  parseSubnet,
  type Subnet,
} from "../address.ts";
import { HostError, type HostRoute } from "../host.ts";
import { makesBridge } from "../network/network.ts";
import { exclusiveSubnets, subnetsOf } from "../network/subnets.ts";
import { quoted } from "../quoted.ts";
import type { PlacedNetwork } from "./derive_policy.ts";

/**
 * Routes that stand for "everything else" and so collide with nothing: the default routes, and
 * the halves (and the third of IPv6 that is global) that VPN clients set to win over them.
 */
const EVERYTHING: ReadonlySet<string> = new Set(
  ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0", "::/1", "8000::/1", "2000::/3"]
    .flatMap((text) => parseSubnet(text) ?? []).map(keyOf),
);

/**
 * Refuses networks that want what an active one has: a bridge, a UUID, addresses.
 *
 * @param entering The networks that are to be brought up.
 * @param active The networks that stay.
 * @throws {HostError} When two networks share a bridge or addresses. Both are named.
 */
export function checkNetworkCollisions(
  entering: readonly PlacedNetwork[],
  active: readonly PlacedNetwork[],
): void {
  const own = entering.filter(({ network }) => makesBridge(network.forward.mode))
    .map((one) => ({ ...one, subnets: exclusiveSubnets(one.network) }));
  const others = active.map((one) => {
    const subnets = exclusiveSubnets(one.network);
    return { ...one, subnets, isTouchedBy: overlapFinder(subnets) };
  });
  for (const one of own) {
    for (const other of others) checkPair(one, other);
  }
}

interface Owner extends PlacedNetwork {
  readonly subnets: readonly Subnet[];
}

function checkPair(
  one: Owner,
  other: Owner & { readonly isTouchedBy: (subnet: Subnet) => boolean },
): void {
  const name = quoted(one.network.name);
  const otherName = quoted(other.network.name);
  if (one.bridge === other.bridge) {
    throw new HostError(
      `Cannot bring up network ${name}: bridge ${quoted(one.bridge)} belongs to the active ` +
        `network ${otherName}`,
      "Give one of the two another bridge, or take the other down first",
    );
  }
  if (one.network.uuid !== undefined && one.network.uuid === other.network.uuid) {
    throw new HostError(
      `Cannot bring up network ${name}: the active network ${otherName} has the same UUID ` +
        one.network.uuid,
      "Remove the <uuid> of one of the two, or take the other down first",
    );
  }
  for (const subnet of one.subnets) {
    if (!other.isTouchedBy(subnet)) continue;
    const hit = other.subnets.find((used) => overlaps(subnet, used)) ?? subnet;
    throw new HostError(
      `Cannot bring up network ${name}: its subnet ${formatSubnet(subnet)} overlaps ` +
        `${formatSubnet(hit)} of the active network ${otherName}`,
      "Give one of the two other addresses, or take the other down first",
    );
  }
}

/**
 * Refuses a network whose addresses the host reaches some other way.
 *
 * @param known Subnets that the network had when it was brought up: they are not asked about again.
 * @throws {HostError} When a subnet overlaps a route of the host that is not on the network's own
 * bridge. Prefix lengths may differ, unlike in libvirt, which sees equal ones only.
 */
export function checkRouteCollisions(
  { network, bridge }: PlacedNetwork,
  routes: readonly HostRoute[],
  known: readonly Subnet[],
): void {
  if (!makesBridge(network.forward.mode)) return;
  const before = new Set(known.map(keyOf));
  const subnets = subnetsOf(network).filter((subnet) => !before.has(keyOf(subnet)));
  const isTaken = collisionFinder(subnets);
  const taken = routes.filter(({ destination, device }) =>
    device !== bridge && isTaken(destination)
  );
  if (taken.length === 0) return;
  for (const subnet of subnets) {
    const hit = taken.find(({ destination }) => collisionFinder([subnet])(destination));
    if (hit === undefined) continue;
    const where = hit.device === undefined ? "" : ` on interface ${quoted(hit.device)}`;
    throw new HostError(
      `Cannot bring up network ${quoted(network.name)}: its subnet ${formatSubnet(subnet)} ` +
        `overlaps the host's route to ${formatSubnet(hit.destination)}${where}`,
      "Choose other addresses for the network, or remove the route",
    );
  }
}

/** Tells of the destination of a route whether one of these subnets collides with it. */
function collisionFinder(subnets: readonly Subnet[]): (destination: Subnet) => boolean {
  // A network that is "everything" itself collides with the same kind of route only.
  const wide = new Set(subnets.map(keyOf).filter((key) => EVERYTHING.has(key)));
  const isTouchedBy = overlapFinder(subnets.filter(({ prefix }) => prefix > 0));
  return (destination) => {
    const key = keyOf(destination);
    if (EVERYTHING.has(key)) return wide.has(key);
    return !isLinkLocal(destination) && isTouchedBy(destination);
  };
}

/** The same for equal subnets alone, and made faster than their text. */
function keyOf({ family, value, prefix }: Subnet): string {
  return `${family} ${value}/${prefix}`;
}

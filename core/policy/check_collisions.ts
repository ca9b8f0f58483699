/** Refuses networks whose addresses are in use by something else on this host. */
import { formatSubnet, isLinkLocal, overlaps, type Subnet } from "../address.ts";
import { HostError, type HostRoute } from "../host.ts";
import { makesBridge } from "../network/network.ts";
import { exclusiveSubnets, subnetsOf } from "../network/subnets.ts";
import { quoted } from "../quoted.ts";
import type { PlacedNetwork } from "./derive_policy.ts";

/**
 * Routes that stand for "everything else" and so collide with nothing: the default routes, and
 * the halves (and the third of IPv6 that is global) that VPN clients set to win over them.
 */
const EVERYTHING = [
  "0.0.0.0/0",
  "0.0.0.0/1",
  "128.0.0.0/1",
  "::/0",
  "::/1",
  "8000::/1",
  "2000::/3",
];

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
  for (const one of entering.filter(({ network }) => makesBridge(network.forward.mode))) {
    for (const other of active) checkPair(one, other);
  }
}

function checkPair(one: PlacedNetwork, other: PlacedNetwork): void {
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
  for (const subnet of exclusiveSubnets(one.network)) {
    const hit = exclusiveSubnets(other.network).find((used) => overlaps(subnet, used));
    if (hit === undefined) continue;
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
  for (const subnet of subnetsOf(network)) {
    if (known.some((one) => formatSubnet(one) === formatSubnet(subnet))) continue;
    const hit = routes.find(({ destination, device }) =>
      device !== bridge && collides(subnet, destination)
    );
    if (hit === undefined) continue;
    const where = hit.device === undefined ? "" : ` on interface ${quoted(hit.device)}`;
    throw new HostError(
      `Cannot bring up network ${quoted(network.name)}: its subnet ${formatSubnet(subnet)} ` +
        `overlaps the host's route to ${formatSubnet(hit.destination)}${where}`,
      "Choose other addresses for the network, or remove the route",
    );
  }
}

function collides(subnet: Subnet, destination: Subnet): boolean {
  const text = formatSubnet(destination);
  // A network that is "everything" itself collides with the same kind of route only.
  if (EVERYTHING.includes(text)) return formatSubnet(subnet) === text;
  if (subnet.prefix === 0) return false;
  if (isLinkLocal(destination)) return false;
  return overlaps(subnet, destination);
}

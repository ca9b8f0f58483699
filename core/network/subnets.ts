/** The subnets of a network. */
import { isLinkLocal, type Subnet } from "../address.ts";
import type { Network } from "./network.ts";

/** The subnets of the host's addresses, and the networks behind guests. */
export function subnetsOf({ addresses, routes }: Network): readonly Subnet[] {
  return [
    ...addresses.map(({ subnet }) => subnet),
    ...routes.map(({ destination }) => destination),
  ];
}

/**
 * Those that no other network may have: not a default route through a guest, which gives way to every
 * other one, and not link-local addresses, which every link has anew.
 */
export function exclusiveSubnets(network: Network): readonly Subnet[] {
  return subnetsOf(network).filter((subnet) => !isEverything(subnet) && !isLinkLocal(subnet));
}

/**
 * A default route through a guest. With all addresses among those of its guests, a network would have
 * no foreign source to reject and no destination to translate for.
 */
export function isEverything({ prefix }: Subnet): boolean {
  return prefix === 0;
}

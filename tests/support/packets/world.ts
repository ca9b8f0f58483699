/** What a host looks like to the model: who is where, by the policies of its networks. */
import {
  contains,
  type Family,
  type IpAddress,
  parseSubnet,
  rangeOf,
  type Subnet,
} from "../../../core/address.ts";
import { isLoopback } from "../../../core/network/published_port.ts";
import type { Packet } from "./packet.ts";
import type { FamilyPolicy, FilteredPolicy } from "../../../core/policy/policy.ts";

/** An interface that leads to the outside. */
export interface Uplink {
  readonly name: string;
  /** The host's. */
  readonly addresses: readonly IpAddress[];
  /** Where those are that it leads to without another router. */
  readonly links: readonly Subnet[];
  /** Where those are that a router on its link leads to. */
  readonly behind: readonly Subnet[];
}

/** All that a verdict depends on. Networks do not overlap one another, nor what uplinks lead to. */
export interface World {
  readonly policies: readonly FilteredPolicy[];
  /** The first has the default routes. */
  readonly uplinks: readonly [Uplink, ...Uplink[]];
}

/** How a packet gets to the host: by a guest of the network, which wants it routed; from outside; or from itself. */
export type Entry =
  | { readonly kind: "guest"; readonly policy: FilteredPolicy }
  | { readonly kind: "uplink"; readonly name: string }
  | { readonly kind: "host" };

/** A packet that comes to the host. */
export interface Sending<How = Entry> {
  readonly entry: How;
  readonly sent: Packet;
}

/** Where a router finds the address: `host`, or the interface that leads to it. */
export function wayTo(world: World, address: IpAddress): string {
  const isHere = isLoopback(address) || isHosts(world, address) || isForAll(world, address);
  if (isHere) return HOST;
  const { policies, uplinks } = world;
  return policies.find((policy) => isIn(policy, address))?.bridge ??
    uplinks.find(({ links, behind }) => [...links, ...behind].some((one) => contains(one, address)))
      ?.name ??
    uplinks[0].name;
}

/** What the host itself is called where interfaces have their names. */
export const HOST = "host";

/** Whether the host has it: on a bridge or on the way out. */
export function isHosts({ policies, uplinks }: World, address: IpAddress): boolean {
  return policies.some((policy) => isHostsOn(policy, address)) ||
    uplinks.some(({ addresses }) => addresses.some((one) => isSame(one, address)));
}

/** Whether the host has it on the bridge of the network. */
export function isHostsOn(policy: FilteredPolicy, address: IpAddress): boolean {
  const own = familyOf(policy, address.family);
  return own?.hostAddresses.some((one) => isSame(one, address)) ?? false;
}

/**
 * Whether the host takes it as well, for itself among others: broadcast (RFC 919, and that of each
 * link), groups, and the address that all routers of an IPv6 link have (RFC 4291 section 2.6.1).
 */
export function isForAll({ policies, uplinks }: World, address: IpAddress): boolean {
  const links = [...policies.flatMap(linksOf), ...uplinks.flatMap((one) => one.links)];
  return isForEverybody(address) || links.some((link) => {
    if (link.family !== address.family) return false;
    const { start, end } = rangeOf(link);
    return link.family === "ipv4"
      ? link.prefix <= 30 && isSame(end, address)
      : link.prefix <= 126 && isSame(start, address);
  });
}

/** Whether it is for everybody or a group, and not for those of one link alone. */
export function isForEverybody(address: IpAddress): boolean {
  return EVERYBODY.some((one) => contains(one, address));
}

const EVERYBODY = ["255.255.255.255/32", "224.0.0.0/4", "ff00::/8"].flatMap((text) =>
  parseSubnet(text) ?? []
);

/** The subnets of a network in which the host has an address. */
export function linksOf({ families }: FilteredPolicy): readonly Subnet[] {
  return families.flatMap(({ subnets, hostAddresses }) =>
    subnets.filter((one) => hostAddresses.some((host) => contains(one, host)))
  );
}

/** What the network says of the family. */
export function familyOf(
  { families }: FilteredPolicy,
  family: Family,
): FamilyPolicy | undefined {
  return families.find((one) => one.family === family);
}

/** Whether the address is one of the network. */
export function isIn({ families }: FilteredPolicy, address: IpAddress): boolean {
  return families.some(({ subnets }) => subnets.some((one) => contains(one, address)));
}

/** Whether both are the same. */
export function isSame(one: IpAddress, other: IpAddress): boolean {
  return one.family === other.family && one.value === other.value;
}

/** What a FreeBSD host looks like to the oracle: who is where, by the policies of its networks. */
import {
  contains,
  type IpAddress,
  parseSubnet,
  rangeOf,
  type Subnet,
} from "../../../core/address.ts";
import type { FamilyPolicy, FilteredPolicy } from "../../../core/policy/policy.ts";
import { type Packet, PROTOCOLS } from "../../support/packets/packet.ts";

/** An interface that leads to the outside, with its own subnet and what is behind it. */
export interface Uplink {
  readonly name: string;
  readonly address: IpAddress;
  readonly leadsTo: readonly [Subnet, ...Subnet[]];
}

/** All that a verdict depends on. */
export interface World {
  readonly policies: readonly FilteredPolicy[];
  /** The first has the default route. */
  readonly uplinks: readonly [Uplink, ...Uplink[]];
  /** Where pf sees what guests of one bridge send to one another. */
  readonly sees: { readonly bridges: boolean; readonly members: boolean };
  /** Whether pf sees what the host takes for itself. */
  readonly seesLocal: boolean;
  /** Whether the main ruleset, which sees it then, lets the host talk to itself. */
  readonly hostTalks: boolean;
  /** Whether pf keeps guests without addresses from leaving with those of others. */
  readonly keepsStrangers: boolean;
}

/** How a packet gets to the host. */
export type Entry =
  | { readonly kind: GuestEntry; readonly policy: FilteredPolicy }
  | { readonly kind: "uplink"; readonly name: string }
  | { readonly kind: "host" };

/**
 * In a guest's frame to the bridge itself, which the host takes or routes; to another guest; or to all,
 * with the one whose copy is meant.
 */
export type GuestEntry = "guest" | "neighbour" | "copy for neighbour" | "copy for host";

/** Where guests of the network are known not to be. */
export function externalOf({ uplinks: [first] }: World, policy: FilteredPolicy): string {
  const forwarding = ipv4Of(policy)?.forwarding;
  return (forwarding?.direction === "none" ? undefined : forwarding?.device) ?? first.name;
}

/** Where a router finds the address: `host`, or the interface that leads to it. */
export function wayTo({ policies, uplinks }: World, address: IpAddress): string {
  const links = [...policies.flatMap(linksOf), ...uplinks.map(({ leadsTo: [link] }) => link)];
  const isHost = MULTICAST.some((one) => contains(one, address)) ||
    policies.some((policy) => isOfHost(ipv4Of(policy), address)) ||
    uplinks.some((uplink) => isSame(uplink.address, address)) ||
    links.some((link) => link.prefix <= 30 && isSame(rangeOf(link).end, address));
  if (isHost) return "host";
  return policies.find((policy) => isIn(ipv4Of(policy), address))?.bridge ??
    uplinks.find(({ leadsTo }) => leadsTo.some((one) => contains(one, address)))?.name ??
    uplinks[0].name;
}

/** The subnets of a network in which the host has an address. */
export function linksOf(policy: FilteredPolicy): readonly Subnet[] {
  const own = ipv4Of(policy);
  return own?.subnets.filter((one) => own.hostAddresses.some((host) => contains(one, host))) ?? [];
}

const MULTICAST = ["224.0.0.0/4", "255.255.255.255/32"].flatMap((text) => parseSubnet(text) ?? []);

/** Whether it is for all on a link, or for a group. */
export function isForAll({ destination }: Packet): boolean {
  return MULTICAST.some((one) => contains(one, destination));
}

/** What a DHCP client sends that has no address yet, RFC 2131. */
export function isDhcp(
  { protocol, source, sourcePort, destination, destinationPort }: Packet,
): boolean {
  return protocol === PROTOCOLS.udp && source.value === 0n && sourcePort === 68 &&
    destination.value === 0xffffffffn && destinationPort === 67;
}

/** Whether it is one of IPv6. */
export function isIpv6({ source }: Packet): boolean {
  return source.family === "ipv6";
}

/** What the network says of IPv4. */
export function ipv4Of({ families }: FilteredPolicy): FamilyPolicy | undefined {
  return families.find(({ family }) => family === "ipv4");
}

/** Whether the address is one of the network. */
export function isIn(own: FamilyPolicy | undefined, address: IpAddress): boolean {
  return own?.subnets.some((one) => contains(one, address)) ?? false;
}

/** Whether the host has it on the bridge of the network. */
export function isOfHost(own: FamilyPolicy | undefined, address: IpAddress): boolean {
  return own?.hostAddresses.some((one) => isSame(one, address)) ?? false;
}

/** Whether both are the same. */
export function isSame(one: IpAddress, other: IpAddress): boolean {
  return one.family === other.family && one.value === other.value;
}

/** What a FreeBSD host looks like to the oracle: that of the model, and what pf sees of it. */
import type { FamilyPolicy, FilteredPolicy } from "../../../core/policy/policy.ts";
import { type Packet, PROTOCOLS } from "../../support/packets/packet.ts";
import {
  type Entry as RoutedEntry,
  familyOf,
  isIn,
  type World as PlainWorld,
} from "../../support/packets/world.ts";

/** All that a verdict depends on. */
export interface World extends PlainWorld {
  /** Where pf sees what guests of one bridge send to one another. */
  readonly sees: { readonly bridges: boolean; readonly members: boolean };
  /** Whether pf sees what the host takes for itself. */
  readonly seesLocal: boolean;
  /** Whether the main ruleset, which sees it then, lets the host talk to itself. */
  readonly hostTalks: boolean;
  /** Whether pf keeps guests without addresses from leaving with those of others. */
  readonly keepsStrangers: boolean;
}

/** How a packet gets to the host: to be routed, or in a frame that the bridge itself takes on. */
export type Entry = RoutedEntry | { readonly kind: BridgedEntry; readonly policy: FilteredPolicy };

/** To another guest; or to all, with the one whose copy is meant. */
export type BridgedEntry = "neighbour" | "copy for neighbour" | "copy for host";

/** Where guests of the network are known not to be. */
export function externalOf({ uplinks: [first] }: World, policy: FilteredPolicy): string {
  const forwarding = ipv4Of(policy)?.forwarding;
  return (forwarding?.direction === "none" ? undefined : forwarding?.device) ?? first.name;
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
export function ipv4Of(policy: FilteredPolicy): FamilyPolicy | undefined {
  return familyOf(policy, "ipv4");
}

/** Whose guest has the address. */
export function ownerOf(
  { policies }: World,
  address: Packet["source"],
): FilteredPolicy | undefined {
  return policies.find((policy) => isIn(policy, address));
}

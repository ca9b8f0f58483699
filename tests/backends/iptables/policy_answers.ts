/** What policies say of a packet, in the words of iptables, but not by way of its rules. */
import {
  contains,
  type Family,
  formatAddress,
  formatRange,
  isLinkLocal,
  parseSubnet,
  type Subnet,
} from "../../../core/address.ts";
import {
  isLoopback,
  listeners,
  needsLocalhost,
  type PublishedPort,
} from "../../../core/network/published_port.ts";
import {
  type FamilyPolicy,
  type FilteredPolicy,
  type MasqueradePolicy,
  NEVER_TRANSLATED,
} from "../../../core/policy/policy.ts";
import { NUMBERS } from "./arbitrary_packets.ts";
import type { Packet } from "./packets.ts";

/** Whether it is forwarded; undefined: they say nothing. */
export function forwarded(
  all: readonly FilteredPolicy[],
  family: Family,
  packet: Packet,
): string | undefined {
  const reject = `-j REJECT --reject-with icmp${family === "ipv4" ? "" : "6"}-port-unreachable`;
  const source = all.find(({ bridge }) => bridge === packet.in);
  const destination = all.find(({ bridge }) => bridge === packet.out);
  const isPosing = all.some((policy) => policy !== source && poses(policy, family, packet));
  if (isPosing) return reject;
  if (source !== undefined && source === destination) return "-j ACCEPT";
  if (source !== undefined && !mayLeave(source, family, packet)) return reject;
  if (destination !== undefined && !mayEnter(destination, family, packet)) return reject;
  return source === undefined && destination === undefined ? undefined : "-j ACCEPT";
}

/** Whether it begins a connection with an address that is translated for guests of the network. */
function poses({ families }: FilteredPolicy, family: Family, packet: Packet): boolean {
  const own = families.find((one) => one.family === family);
  if (own === undefined || !packet.states.includes("NEW")) return false;
  return own.forwarding.direction !== "none" && own.forwarding.translation !== undefined &&
    isAmong(own.subnets.filter((one) => !isLinkLocal(one)), packet.source);
}

function mayLeave({ families }: FilteredPolicy, family: Family, packet: Packet): boolean {
  const own = families.find((one) => one.family === family);
  if (own === undefined || !isAmong(own.subnets, packet.source)) return false;
  if (isPublished(own, packet, "REPLY")) return true;
  if (own.forwarding.direction === "none") return false;
  const { device = packet.out, translation } = own.forwarding;
  const isTranslated = packet.states.includes("SNAT") || packet.statuses.includes("EXPECTED");
  const willBe = ["NEW", "RELATED"].some((state) => packet.states.includes(state)) &&
    !packet.statuses.includes("CONFIRMED");
  return device === packet.out && (translation === undefined || isTranslated || willBe);
}

function mayEnter({ families }: FilteredPolicy, family: Family, packet: Packet): boolean {
  const own = families.find((one) => one.family === family);
  if (own === undefined) return false;
  if (isPublished(own, packet, "ORIGINAL")) return true;
  if (own.forwarding.direction === "none") return false;
  const { device = packet.in, direction } = own.forwarding;
  const isReply = ["RELATED", "ESTABLISHED"].some((state) => packet.states.includes(state)) &&
    (packet.states.includes("SNAT") || packet.statuses.includes("EXPECTED"));
  return device === packet.in && isAmong(own.subnets, packet.destination) &&
    (direction === "both" || isReply);
}

/** Whether its connection was led to a guest by a published port; those of `lo` are the host's own. */
function isPublished(
  { published }: FamilyPolicy,
  { states, connection }: Packet,
  direction: "ORIGINAL" | "REPLY",
): boolean {
  return states.includes("DNAT") && connection?.direction === direction &&
    published.some(({ protocol, hostAddress, ports, guest, guestPorts }) =>
      connection.protocol === NUMBERS[protocol] &&
      (hostAddress === undefined ||
        (!isLoopback(hostAddress) && hostAddress.value === connection.asked.value)) &&
      ports.start <= connection.askedPort && connection.askedPort <= ports.end &&
      connection.answers.value === guest.value &&
      guestPorts.start <= connection.answersPort && connection.answersPort <= guestPorts.end
    );
}

/** Where the first packet of a connection is led. */
export function led(
  { families }: FilteredPolicy,
  family: Family,
  packet: Packet,
): string | undefined {
  const { protocol, port, destination, isLocal } = packet;
  const own = families.find((one) => one.family === family);
  const found = own?.published.find((one) =>
    one.protocol === protocol && one.ports.start <= port && port <= one.ports.end &&
    listeners(one).some((listener) =>
      listener === "any" ? !isOfLoopback(packet) : listener.value === destination.value
    )
  );
  return found === undefined || !isLocal
    ? undefined
    : `-j DNAT --to-destination ${targetOf(found, port)}`;
}

function isOfLoopback({ destination }: Packet): boolean {
  return isLoopback(destination) || (destination.family === "ipv6" && destination.value === 1n);
}

function targetOf({ guest, ports, guestPorts }: PublishedPort, port: number): string {
  const address = formatAddress(guest);
  if (ports.start === guestPorts.start) return address;
  const host = guest.family === "ipv6" ? `[${address}]` : address;
  return `${host}:${port - ports.start + guestPorts.start}`;
}

/** What the first packet of a connection gets as its source. */
export function translated(
  policy: FilteredPolicy,
  family: Family,
  packet: Packet,
): string | undefined {
  const own = policy.families.find((one) => one.family === family);
  if (own === undefined) return undefined;
  const comesBack = own.published.length > 0 && packet.out === policy.bridge &&
    packet.states.includes("DNAT");
  const isUnanswerable = isLoopback(packet.source) && own.published.some(needsLocalhost);
  if (comesBack && (isUnanswerable || isAmong(own.subnets, packet.source))) return "-j MASQUERADE";
  if (own.forwarding.direction === "none") return undefined;
  const { device = packet.out, translation } = own.forwarding;
  const leaves = device === packet.out &&
    isAmong(own.subnets.filter((one) => !isLinkLocal(one)), packet.source) &&
    !isAmong([...own.subnets, ...neverTranslated(family)], packet.destination);
  if (translation === undefined || !leaves) return undefined;
  const { addresses, ports: { start, end } } = translation;
  const ports = ["tcp", "udp"].includes(packet.protocol) ? `${start}-${end}` : "";
  if (addresses === undefined) return `-j MASQUERADE${ports === "" ? "" : ` --to-ports ${ports}`}`;
  return `-j SNAT --to-source ${formatRange(addresses)}${ports === "" ? "" : `:${ports}`}`;
}

/** The same for prefixes of no network. */
export function masqueraded(
  { families }: MasqueradePolicy,
  family: Family,
  { source, destination }: Packet,
): string | undefined {
  const prefixes = families.find((one) => one.family === family)?.prefixes ?? [];
  const leaves = prefixes.some((one) => contains(one, source) && !contains(one, destination));
  return leaves && !isAmong(neverTranslated(family), destination) ? "-j MASQUERADE" : undefined;
}

function neverTranslated(family: Family): readonly Subnet[] {
  return NEVER_TRANSLATED[family].flatMap((one) => parseSubnet(one) ?? []);
}

function isAmong(subnets: readonly Subnet[], address: Packet["source"]): boolean {
  return subnets.some((one) => contains(one, address));
}

/**
 * What must become of one packet on a FreeBSD host, by the policies of its networks. Rules of pf are
 * not looked at, and nothing that makes them is imported.
 */
import { type AddressRange, contains, type IpAddress } from "../../../core/address.ts";
import { parseSubnet, rangeOf, type Subnet } from "../../../core/address.ts";
import type { PortRange } from "../../../core/network/network.ts";
import type { FamilyPolicy, FilteredPolicy, Forwarding } from "../../../core/policy/policy.ts";
import type { Packet } from "../../support/pf/pf_packet.ts";
import { PROTOCOLS } from "../../support/pf/pf_rules.ts";

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

/** The source that the receiver sees is one of these; the ports are for TCP and UDP. */
export interface Translated {
  readonly addresses: AddressRange;
  readonly ports: PortRange;
}

/** What must happen, and why. */
export type Verdict =
  | {
    readonly kind: "arrives";
    /** `host`, `neighbour`, or the interface that it leaves by. */
    readonly at: string;
    /** Absent: the source is what it was. */
    readonly as?: Translated;
    readonly because: string;
  }
  | { readonly kind: "stops"; readonly because: string }
  /** Either is right: the networks do not decide it. */
  | { readonly kind: "open"; readonly because: string };

/** What the modes mean. */
export const POLICY = {
  neighbours: "Guests of one bridge reach one another",
  host: "Guests reach the host",
  reached: "The host reaches its guests",
  dhcp: "A guest without an address may ask for one",
  strangers: "Guests without addresses in the definition have one another and the host, no more",
  isolated: "Isolated guests reach nothing beyond their bridge but the host",
  foreign: "A guest that sends with a source outside of its network is rejected",
  disguised: "A guest that says to be the host is rejected beyond its bridge",
  device: "Where a network has a forward device, its guests use that one only",
  routed: "Guests of a routed network leave with their own address",
  translated: "Guests of a nat network leave with an address and a port of its translation",
  crosses: "From one network to another passes what the one lets out and the other lets in",
  parted: "A network that lets nobody in, or by one device only, lets no other network in",
  entered: "The outside opens connections to guests of a routed network",
  unasked: "Nobody else opens connections to guests, nor by another than their forward device",
  spoofed: "Who comes from outside with the address of a guest is no guest",
} as const;

/** Where pf does not do what the modes mean, or leaves it to the main ruleset. */
export const DIFFERENCES = {
  unseen: "Guests of one bridge have no firewall between them where pf does not see the bridge",
  oneWay: "A nat network without forward device leaves by the interface of the default route only",
  untranslated: "Other networks of ours see the guests of a nat network as they are",
  isolatedHost: "Isolated guests reach the host at its addresses in their own subnets only",
  hostElsewhere: "Only from there does the host reach guests of a nat or isolated network",
  secondUplink: "By an uplink that its network does not use, the address of a guest is known for " +
    "false where it is sent to its neighbours only",
  foreignNeighbour: "Where pf sees a bridge, its guests use addresses of their network only",
  members: "On members of a bridge the main ruleset decides about addresses that are no guest's, " +
    "and what it passes with state passes on the bridge too",
  taken: "Where pf sees a bridge, its guests cannot use the addresses of another network",
  directed: "The broadcast address of another network is nobody's",
  others: "What is neither from a guest nor for one is the affair of the main ruleset",
  hostAddress: "What has the host's own address on a bridge as its source is the affair of the " +
    "main ruleset on other interfaces",
} as const;

const arrives = (at: string, because: string): Verdict => ({ kind: "arrives", at, because });
const stops = (because: string): Verdict => ({ kind: "stops", because });
const open = (because: string): Verdict => ({ kind: "open", because });

/** The verdict on a packet that is the first of its connection. */
export function verdictOf(world: World, entry: Entry, sent: Packet): Verdict {
  switch (entry.kind) {
    case "guest":
      return fromGuest(world, entry.policy, sent);
    case "neighbour":
    case "copy for neighbour":
      return amongGuests(world, entry.policy, sent);
    case "copy for host":
      return toHost(entry.policy, sent, world.sees.members);
    case "uplink":
      return fromOutside(world, entry.name, sent);
    case "host":
      return fromHost(world, sent);
  }
}

function fromGuest(world: World, policy: FilteredPolicy, sent: Packet): Verdict {
  const to = wayTo(world, sent.destination);
  const isAllOfOthers = world.policies.some((other) =>
    other !== policy && linksOf(other).some((link) => isSame(rangeOf(link).end, sent.destination))
  );
  if (isAllOfOthers) return open(DIFFERENCES.directed);
  if (to === "host") return toHost(policy, sent, false);
  const own = ipv4Of(policy);
  if (own === undefined || isIpv6(sent)) {
    return stops(POLICY.strangers);
  }
  if (!isIn(own, sent.source)) return stops(POLICY.foreign);
  if (to === policy.bridge) return arrives(to, POLICY.neighbours);
  if (isOfHost(own, sent.source)) return stops(POLICY.disguised);
  const { forwarding } = own;
  if (forwarding.direction === "none") return stops(POLICY.isolated);
  const other = world.policies.find(({ bridge }) => bridge === to);
  if (other === undefined) return toOutside(world, forwarding, to);
  if (forwarding.device !== undefined) return stops(POLICY.device);
  if (!letsIn(other, policy.bridge)) return stops(POLICY.parted);
  const isTranslated = forwarding.translation !== undefined;
  return arrives(to, isTranslated ? DIFFERENCES.untranslated : POLICY.crosses);
}

function toOutside(
  { uplinks }: World,
  { device, translation }: Exclude<Forwarding, { readonly direction: "none" }>,
  to: string,
): Verdict {
  const [first] = uplinks;
  const isWay = to === (device ?? (translation === undefined ? to : first.name));
  if (!isWay) return stops(device === undefined ? DIFFERENCES.oneWay : POLICY.device);
  if (translation === undefined) return arrives(to, POLICY.routed);
  const { address } = uplinks.find(({ name }) => name === to) ?? first;
  const { addresses = { start: address, end: address }, ports } = translation;
  return { kind: "arrives", at: to, as: { addresses, ports }, because: POLICY.translated };
}

/** @param isOpen Whether a state that was made on a member may decide. */
function toHost(policy: FilteredPolicy, sent: Packet, isOpen: boolean): Verdict {
  const own = ipv4Of(policy);
  const isGuest = isIn(own, sent.source) && !isOfHost(own, sent.source);
  if (own !== undefined && isDhcp(sent)) return arrives("host", POLICY.dhcp);
  if (isOpen && !isGuest) return open(DIFFERENCES.members);
  if (!maySpeak(policy, sent)) return stops(POLICY.foreign);
  const isNear = own === undefined || isIn(own, sent.destination) || isForAll(sent);
  if (!isNear && isOfHost(own, sent.source)) return stops(POLICY.disguised);
  const isFar = own?.forwarding.direction === "none" && !isNear;
  return isFar ? stops(DIFFERENCES.isolatedHost) : arrives("host", POLICY.host);
}

function amongGuests(
  { sees, policies }: World,
  policy: FilteredPolicy,
  sent: Packet,
): Verdict {
  const at = "neighbour";
  if (!sees.bridges && !sees.members) return arrives(at, DIFFERENCES.unseen);
  const isOthers = policies.some((other) =>
    other !== policy &&
    [sent.source, sent.destination].some((end) => isIn(ipv4Of(other), end))
  );
  if (isOthers) return open(DIFFERENCES.taken);
  const own = ipv4Of(policy);
  const isKnown = own !== undefined && isIn(own, sent.source) &&
    (isIn(own, sent.destination) || isForAll(sent));
  const isGuests = isKnown && ![sent.source, sent.destination].some((end) => isOfHost(own, end));
  if (sees.members && !isGuests) return open(DIFFERENCES.members);
  if (isKnown) return arrives(at, POLICY.neighbours);
  if (own !== undefined && isDhcp(sent)) return arrives(at, POLICY.dhcp);
  const isStranger = (own === undefined || isIpv6(sent)) && maySpeak(policy, sent);
  return isStranger ? arrives(at, POLICY.strangers) : stops(DIFFERENCES.foreignNeighbour);
}

function fromOutside(world: World, by: string, { source, destination }: Packet): Verdict {
  const to = wayTo(world, destination);
  const policy = world.policies.find(({ bridge }) => bridge === to);
  if (policy === undefined) return open(DIFFERENCES.others);
  const owner = world.policies.find((one) => isIn(ipv4Of(one), source));
  if (owner !== undefined && by === externalOf(world, owner)) return stops(POLICY.spoofed);
  if (owner !== undefined && owner !== policy) return open(DIFFERENCES.secondUplink);
  if (owner === policy) {
    const isLeft = isOfHost(ipv4Of(policy), source);
    return isLeft ? open(DIFFERENCES.hostAddress) : stops(POLICY.spoofed);
  }
  return letsIn(policy, by) ? arrives(to, POLICY.entered) : stops(POLICY.unasked);
}

function fromHost(world: World, { source, destination }: Packet): Verdict {
  const to = wayTo(world, destination);
  const policy = world.policies.find(({ bridge }) => bridge === to);
  const own = policy === undefined ? undefined : ipv4Of(policy);
  if (own === undefined) return open(DIFFERENCES.others);
  if (isIn(own, source)) return arrives(to, POLICY.reached);
  const isRouted = own.forwarding.direction === "both";
  return isRouted ? arrives(to, POLICY.entered) : stops(DIFFERENCES.hostElsewhere);
}

/** Whether others open connections to the guests, coming by that interface. */
function letsIn(policy: FilteredPolicy, by: string): boolean {
  const forwarding = ipv4Of(policy)?.forwarding;
  return forwarding?.direction === "both" && (forwarding.device ?? by) === by;
}

/** Whether the source is one that guests of the bridge have. */
function maySpeak(policy: FilteredPolicy, sent: Packet): boolean {
  if (isIpv6(sent)) return policy.guestsOverIpv6;
  const own = ipv4Of(policy);
  return own === undefined || isIn(own, sent.source);
}

/** Where guests of the network are known not to be. */
function externalOf({ uplinks: [first] }: World, policy: FilteredPolicy): string {
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

function isForAll({ destination }: Packet): boolean {
  return MULTICAST.some((one) => contains(one, destination));
}

/** What a DHCP client sends that has no address yet, RFC 2131. */
function isDhcp({ protocol, source, sourcePort, destination, destinationPort }: Packet): boolean {
  return protocol === PROTOCOLS.udp && source.value === 0n && sourcePort === 68 &&
    destination.value === 0xffffffffn && destinationPort === 67;
}

function isIpv6({ source }: Packet): boolean {
  return source.family === "ipv6";
}

function ipv4Of({ families }: FilteredPolicy): FamilyPolicy | undefined {
  return families.find(({ family }) => family === "ipv4");
}

function isIn(own: FamilyPolicy | undefined, address: IpAddress): boolean {
  return own?.subnets.some((one) => contains(one, address)) ?? false;
}

function isOfHost(own: FamilyPolicy | undefined, address: IpAddress): boolean {
  return own?.hostAddresses.some((one) => isSame(one, address)) ?? false;
}

function isSame(one: IpAddress, other: IpAddress): boolean {
  return one.family === other.family && one.value === other.value;
}

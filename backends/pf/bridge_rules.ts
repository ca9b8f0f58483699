/** What happens on the bridge of one network, as rules of pf. */
import { parseSubnet, type Subnet } from "../../core/address.ts";
import type { FamilyPolicy } from "../../core/policy/policy.ts";
import type { Endpoint, FilterRule, Tag } from "./rules.ts";
import { onePort } from "./script.ts";

/** The label of rules by which others open connections to guests, behind the network's name. */
export const GUESTS_IN = "guests-in";

/** The label of the rule by which guests open connections to others. */
export const GUESTS_OUT = "guests-out";

/** What labels of rules that reject begin with. */
export const REJECTED = "rejected";

/** The subnets of the network, the host's own addresses on the bridge among them. */
export const SUBNETS = { table: "subnets" } as const;

/** The same without the host's own addresses, whose packets are its own affair. */
export const GUESTS = { table: "guests" } as const;

/** One that is written down in this program. */
export function subnetNamed(text: string): Subnet {
  const subnet = parseSubnet(text);
  if (subnet === undefined) throw new Error(`not a subnet: ${text}`);
  return subnet;
}

/** RFC 919. */
export const BROADCAST: Subnet = subnetNamed("255.255.255.255/32");

/** RFC 1112. On the bridge all of it is between guests; whether the host routes it is its own affair. */
export const MULTICAST: Subnet = subnetNamed("224.0.0.0/4");

/** What a DHCP client sends that has no address yet (RFC 2131). */
export const DISCOVERY: Pick<FilterRule, "transport" | "from" | "to"> = {
  transport: { protocol: "udp", sourcePort: 68, destinationPorts: onePort(67) },
  from: subnetNamed("0.0.0.0/32"),
  to: BROADCAST,
};

/**
 * The rules for the addresses that the network has.
 *
 * @param name What labels begin with.
 * @param translates False where packets would have to be translated and cannot be.
 */
export function rulesOnBridge(
  name: string,
  device: string,
  own: FamilyPolicy,
  translates: boolean,
): readonly FilterRule[] {
  return [
    ...amongGuests(name, device),
    ...outward(name, device, own, translates),
    ...inward(name, device, own),
  ];
}

/**
 * Guests and the host's own addresses on the bridge. Without states: pf may see only a half of what
 * members of a bridge exchange, and connections that stand go on when rules are first loaded.
 *
 * A DHCP client is let through whether or not the host is the server.
 */
function amongGuests(name: string, device: string): readonly FilterRule[] {
  const on = { action: "pass", device, family: "inet" } as const;
  return [
    {
      ...on,
      action: "block drop",
      direction: "out",
      from: "any",
      to: "any",
      label: `${name} spoofed`,
      tagged: memberTag(name),
    },
    { ...on, ...DISCOVERY, label: `${name} dhcp` },
    ...among(SUBNETS, name, on, "bridgewall-bridge"),
  ];
}

/**
 * The same where pf sees members of the bridge, whose names are not known (pfil_member in if_bridge(4)).
 *
 * What comes in by another interface with the address of a guest looks like that, but then it is routed: it
 * goes out on the bridge without having come in there, and the tag tells.
 */
export function amongMembers(name: string): readonly FilterRule[] {
  return among(GUESTS, name, { action: "pass", family: "inet" }, memberTag(name));
}

/** On packets between guests that came in by another interface than the bridge. */
function memberTag(name: string): Tag {
  return `bridgewall-member-${name}`;
}

/** Between all of these, and from them to all. */
function among(
  all: Endpoint,
  name: string,
  on: Pick<FilterRule, "action" | "device" | "family">,
  tag: Tag,
): readonly FilterRule[] {
  const each = { ...on, from: all, to: all, label: `${name} guests` };
  return [
    { ...each, direction: "in", tag },
    { ...each, direction: "out" },
    { ...on, from: all, to: MULTICAST, allowsOptions: true, label: `${name} multicast` },
    { ...on, from: all, to: BROADCAST, label: `${name} broadcast` },
  ];
}

/** By which interface it leaves is not known yet: that is decided there. */
function outward(
  name: string,
  device: string,
  { forwarding }: FamilyPolicy,
  translates: boolean,
): readonly FilterRule[] {
  if (forwarding.direction === "none") return [];
  const translation = forwarding.translation !== undefined;
  if (translation && !translates) return [];
  return [{
    action: "pass",
    direction: "in",
    device,
    family: "inet",
    from: GUESTS,
    to: translation ? { table: "natdst" } : "any",
    state: translation ? "first" : "any",
    label: `${name} ${GUESTS_OUT}`,
  }];
}

/** Replies need no rule: the state of the connection lets them through. */
function inward(
  name: string,
  device: string,
  { forwarding }: FamilyPolicy,
): readonly FilterRule[] {
  if (forwarding.direction !== "both") return [];
  return [{
    action: "pass",
    direction: "out",
    device,
    family: "inet",
    from: "any",
    to: SUBNETS,
    state: "any",
    label: `${name} ${GUESTS_IN}`,
  }];
}

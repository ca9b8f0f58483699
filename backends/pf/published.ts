/**
 * Ports of the host that lead to guests, as rules of pf. A redirection writes a tag on the packet, and what
 * lets packets through to guests asks for it: so nobody gets to a guest who did not ask the host.
 *
 * What a guest of another network may do is decided on its bridge, by its own network: what is redirected
 * is told there from nothing else. So packets that come in have their turn behind all bridges.
 */
import { bitsOf, contains, type IpAddress, type Subnet, subnetOf } from "../../core/address.ts";
import {
  formatTarget,
  isLoopback,
  listeners,
  type PublishedPort,
} from "../../core/network/published_port.ts";
import type { FamilyPolicy } from "../../core/policy/policy.ts";
import { REDIRECTIONS } from "./anchor_path.ts";
import { GUESTS, REJECTED, subnetNamed } from "./bridge_rules.ts";
import type {
  Endpoint,
  FilterRule,
  Redirection,
  RedirectionAnchor,
  SourceRule,
  Tag,
} from "./rules.ts";

/** Where packets of the host to itself go by. */
export const LOOPBACK_INTERFACE = "lo0";

const LOOPBACK: Subnet = subnetNamed("127.0.0.0/8");

/** One that pf can redirect. */
type Redirectable = PublishedPort & { readonly protocol: Redirection["protocol"] };

/** What of the published ports there are rules for: what pf cannot say has been refused. */
function redirectable({ published }: FamilyPolicy): readonly Redirectable[] {
  return published.filter((one): one is Redirectable => one.protocol !== "sctp");
}

/** On packets that a published port of that network has sent to a guest. */
export function publishedTag(name: string): Tag {
  return `bridgewall-published-${name}`;
}

/** What labels of published ports begin with: the host has one port only once. */
export const PUBLISHED = "published";

/** One for each guest's end: several ports of the host may lead there. */
export function publishedLabel(published: PublishedPort): string {
  return `${PUBLISHED} ${published.protocol} ${formatTarget(published)}`;
}

function singleAddress(address: IpAddress): Subnet {
  return subnetOf(address, bitsOf(address.family));
}

/**
 * The redirections: they are met only by packets to an address of the host.
 *
 * @param seesLocal Whether the host's own packets to itself can be redirected.
 */
export function redirections(
  name: string,
  own: FamilyPolicy,
  seesLocal: boolean,
): readonly Redirection[] {
  return own.published.flatMap((published) => redirectionsOf(name, published, seesLocal));
}

/** Those of one published port: one for each address that it is at. */
export function redirectionsOf(
  name: string,
  published: PublishedPort,
  seesLocal: boolean,
): readonly Redirection[] {
  const { protocol, ports, guest, guestPorts } = published;
  if (protocol === "sctp") return [];
  return listeners(published)
    .filter((address) => seesLocal || address === "any" || !isLoopback(address))
    .map((address) => ({
      kind: "rdr",
      ...(address !== "any" && isLoopback(address) ? { device: LOOPBACK_INTERFACE } : {}),
      protocol,
      to: address === "any" ? { allBut: LOOPBACK } : singleAddress(address),
      ports,
      tag: publishedTag(name),
      target: singleAddress(guest),
      targetPorts: guestPorts,
    }));
}

/**
 * Calls them for what is sent to the host itself: traffic that it only routes goes on where it wants to.
 *
 * Without the hook that sees what is delivered locally, answers to the host's own packets would not be
 * translated back: then those stay with the host.
 */
export function redirectionCall(
  own: FamilyPolicy,
  seesLocal: boolean,
): readonly RedirectionAnchor[] {
  if (redirectable(own).length === 0) return [];
  const elsewhere = seesLocal ? {} : { device: LOOPBACK_INTERFACE, isElsewhere: true };
  return [{ kind: "rdr-anchor", name: REDIRECTIONS, ...elsewhere, to: "self" }];
}

/**
 * What comes from the bridge and goes back to it gets an address of the host's as its source: else the guest
 * would answer directly, and nobody would know the answer. So does what comes from 127.0.0.1, which no
 * other machine can answer.
 */
export function returningRules(
  name: string,
  device: string,
  own: FamilyPolicy,
  seesLocal: boolean,
): readonly SourceRule[] {
  const published = redirectable(own);
  const isLocal = seesLocal &&
    published.some((one) =>
      listeners(one).some((address) => address !== "any" && isLoopback(address))
    );
  const sources: readonly Endpoint[] = [GUESTS, ...(isLocal ? [LOOPBACK] : [])];
  return own.subnets.filter((subnet) => published.some(({ guest }) => contains(subnet, guest)))
    .flatMap((subnet) => {
      const host = hostFor(own, subnet);
      return host === undefined ? [] : sources.map((from): SourceRule => ({
        kind: "nat",
        device,
        from,
        to: subnet,
        tagged: publishedTag(name),
        address: singleAddress(host),
      }));
    });
}

/** The host's address that is nearest: networks behind guests have none of their own. */
function hostFor({ hostAddresses }: FamilyPolicy, subnet: Subnet): IpAddress | undefined {
  return hostAddresses.find((address) => contains(subnet, address)) ?? hostAddresses[0];
}

/** On the bridge: to the guests, whoever asks, and from guests that ask. */
export function publishedOnBridge(
  name: string,
  device: string,
  own: FamilyPolicy,
): readonly FilterRule[] {
  return [
    ...passed(name, own).flatMap((rule): readonly FilterRule[] => [
      { ...rule, direction: "in", device, from: GUESTS },
      { ...rule, direction: "out", device, from: "any" },
    ]),
    ...rest(name, own, { device }),
  ];
}

/** On any other interface but the bridges of ours: guests are not there, whoever says so. */
export function publishedBeyond(name: string, own: FamilyPolicy): readonly FilterRule[] {
  return [
    ...passed(name, own).map((rule): FilterRule => ({
      ...rule,
      direction: "in",
      from: { ...GUESTS, isExcluded: true },
    })),
    ...rest(name, own, { direction: "in" }),
  ];
}

/** One rule for each guest's end. */
function passed(name: string, own: FamilyPolicy): readonly Omit<FilterRule, "from">[] {
  const targets = new Map(redirectable(own).map((one) => [publishedLabel(one), one]));
  return [...targets].map(([label, { protocol, guest, guestPorts }]) => ({
    action: "pass",
    family: "inet",
    transport: { protocol, destinationPorts: guestPorts },
    to: singleAddress(guest),
    state: "first",
    label,
    tagged: publishedTag(name),
  }));
}

/** What is redirected and does not begin a connection: the main ruleset shall not decide about it. */
function rest(
  name: string,
  own: FamilyPolicy,
  on: Pick<FilterRule, "device" | "direction">,
): readonly FilterRule[] {
  if (redirectable(own).length === 0) return [];
  return [{
    action: "block return",
    ...on,
    family: "inet",
    from: "any",
    to: "any",
    label: `${name} ${REJECTED}`,
    tagged: publishedTag(name),
  }];
}

/** Published ports, as rules: where they lead, what passes because of them, and what has to come back. */
import { bitsOf, formatAddress, formatSubnet, type Subnet, subnetOf } from "../../core/address.ts";
import type { PortRange } from "../../core/network/network.ts";
import {
  formatSpec,
  isLoopback,
  listeners,
  needsLocalhost,
  type PublishedPort,
  type TransportProtocol,
} from "../../core/network/published_port.ts";
import type { FamilyPolicy, FilteredPolicy } from "../../core/policy/policy.ts";
import {
  type Chain,
  FORWARDING,
  GUARD,
  type Part,
  PUBLISHING,
  type Rule,
  TRANSLATION,
} from "./parts.ts";
import { chainName, commentText, interfaceWord } from "./script.ts";

/** What passes because of them, and has to be there before the chains of forwarded packets lead to it. */
export function passingParts(policy: FilteredPolicy, own: FamilyPolicy): readonly Part[] {
  const { chains } = publishedRules(policy, own);
  if (chains.length === 0) return [];
  const users = (["FROM", "TO"] as const).map((kind) => chainName(kind, policy.bridge));
  return [{ shared: FORWARDING, chains, entries: [], users }];
}

/** Where they lead, and what has to come back. */
export function leadingParts(policy: FilteredPolicy, own: FamilyPolicy): readonly Part[] {
  if (own.published.length === 0) return [];
  return [
    ...(own.published.some(needsLocalhost) ? [{ shared: GUARD, chains: [], entries: [] }] : []),
    destinationPart(policy, own),
    hairpinPart(policy, own),
  ];
}

function destinationPart({ network, bridge }: FilteredPolicy, { published }: FamilyPolicy): Part {
  const chain = chainName("PRE", bridge);
  return {
    shared: PUBLISHING,
    chains: [{ name: chain, rules: published.flatMap((one) => destinationRules(network, one)) }],
    entries: [{
      chain: "BRIDGEWALL_PRE",
      rule: {
        match: [],
        comment: commentText(network, "published ports"),
        verdict: ["-j", chain],
      },
    }],
  };
}

/** Addresses of `lo`, of which a port is published on none that was not named. */
const LOOPBACK = { ipv4: ["!", "-d", "127.0.0.0/8"], ipv6: ["!", "-d", "::1/128"] } as const;

function destinationRules(network: string, published: PublishedPort): readonly Rule[] {
  const { protocol, guest: { family } } = published;
  return listeners(published).flatMap((listener) => {
    const address = listener === "any"
      ? LOOPBACK[family]
      : ["-d", formatSubnet(subnetOf(listener, bitsOf(family)))];
    return destinations(published).map(([ports, to]): Rule => ({
      match: [...address, "-p", protocol, "-m", protocol, "--dport", portWord(ports)],
      comment: commentText(network, formatSpec(published)),
      verdict: ["-j", "DNAT", "--to-destination", to],
    }));
  });
}

/**
 * Ports, and where they lead. Those that stay the same are one rule, each of the others has its own:
 * iptables could move a range by a difference (`9000-9010/8000`), but where a client uses one port of its
 * own for two connections to one port of the guest, the kernel leads the second of them to another port
 * of the range.
 */
function destinations(
  { ports, guest, guestPorts }: PublishedPort,
): readonly (readonly [ports: PortRange, to: string])[] {
  const address = formatAddress(guest);
  if (ports.start === guestPorts.start) return [[ports, address]];
  const host = guest.family === "ipv6" ? `[${address}]` : address;
  return Array.from({ length: ports.end - ports.start + 1 }, (_, index) => {
    const port = ports.start + index;
    return [{ start: port, end: port }, `${host}:${guestPorts.start + index}`] as const;
  });
}

/**
 * What was sent to a published port, and now goes back to the bridge that it came from, or comes from an
 * address that no guest could answer: it gets the host's address there.
 */
function hairpinPart({ network, bridge }: FilteredPolicy, own: FamilyPolicy): Part {
  const chain = chainName("BACK", bridge);
  const from = (subnet: string, text: string): Rule => ({
    match: ["-s", subnet],
    comment: commentText(network, text),
    verdict: ["-j", "MASQUERADE"],
  });
  return {
    shared: TRANSLATION,
    chains: [{
      name: chain,
      rules: [
        ...own.subnets.map((subnet) => from(formatSubnet(subnet), "published ports, its guests")),
        ...(own.published.some(needsLocalhost)
          ? [from("127.0.0.0/8", "published ports, the host by 127.0.0.1")]
          : []),
      ],
    }],
    entries: [{
      chain: "BRIDGEWALL_POST",
      rule: {
        match: ["-o", interfaceWord(bridge), "-m", "conntrack", "--ctstate", "DNAT"],
        comment: commentText(network, "published ports"),
        verdict: ["-j", chain],
      },
    }],
  };
}

/** What passes because of published ports. */
export interface PublishedRules {
  /** In the chain of what guests send. */
  readonly from: readonly Rule[];
  /** In the chain of what is sent to guests. */
  readonly to: readonly Rule[];
  /** Where the two lead. */
  readonly chains: readonly Chain[];
}

/**
 * Lets through the connections that lead to published ports, and errors about them (ICMP: a path may not
 * take packets as large as they are), whose connection is the same to conntrack. It is told apart by
 * both its ends: what the client asked for, and who answers. Ports of 127.0.0.0/8 are asked for by the
 * host alone, whose packets are not forwarded.
 */
export function publishedRules(policy: FilteredPolicy, own: FamilyPolicy): PublishedRules {
  const { network, bridge } = policy;
  const forwarded = own.published.filter(({ hostAddress }) =>
    hostAddress === undefined || !isLoopback(hostAddress)
  );
  if (forwarded.length === 0) return { from: [], to: [], chains: [] };
  const [requests, answers] = [chainName("REQ", bridge), chainName("ANS", bridge)];
  const guard = (match: readonly string[], direction: string, chain: string): Rule => ({
    match: [...match, "-m", "conntrack", "--ctstate", "DNAT", "--ctdir", direction],
    comment: commentText(network, "published ports"),
    verdict: ["-j", chain],
  });
  const rules = (counts: "out" | "in", verdict: readonly string[]): readonly Rule[] =>
    forwarded.map((published) => ({
      match: ["-m", "conntrack", ...connectionOf(published)],
      comment: commentText(network, formatSpec(published)),
      verdict,
      counts,
      carries: formatSpec(published),
    }));
  return {
    from: own.subnets.map((subnet: Subnet) =>
      guard(["-s", formatSubnet(subnet)], "REPLY", answers)
    ),
    to: [guard([], "ORIGINAL", requests)],
    chains: [
      { name: answers, rules: rules("out", ["-g", "BRIDGEWALL_LET"]) },
      { name: requests, rules: rules("in", ["-j", "ACCEPT"]) },
    ],
  };
}

/** As iptables-save prints it: by number. */
const PROTOCOL_NUMBERS: Readonly<Record<TransportProtocol, string>> = {
  tcp: "6",
  udp: "17",
  sctp: "132",
};

/** Words of the match `conntrack`, in the order in which iptables-save prints them. */
function connectionOf(
  { protocol, hostAddress, ports, guest, guestPorts }: PublishedPort,
): readonly string[] {
  return [
    ...["--ctproto", PROTOCOL_NUMBERS[protocol]],
    ...(hostAddress === undefined ? [] : ["--ctorigdst", formatAddress(hostAddress)]),
    ...["--ctreplsrc", formatAddress(guest)],
    ...["--ctorigdstport", portWord(ports)],
    ...["--ctreplsrcport", portWord(guestPorts)],
  ];
}

function portWord({ start, end }: PortRange): string {
  return start === end ? String(start) : `${start}:${end}`;
}

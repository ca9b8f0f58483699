/**
 * Policy → the parts of iptables that make it true. What is installed, what is removed and what is
 * looked for later are all read off these values.
 *
 * ```text
 * FORWARD ─▶ BRIDGEWALL_POSE ── new, with the address of a guest who is elsewhere            REJECT
 *    ├─────▶ BRIDGEWALL_FROM ── -i BR ─▶ BWALL_FROM_BR   may this leave?   no: REJECT
 *    │                                       └─ yes ─▶ BRIDGEWALL_LET ─▶ BRIDGEWALL_TO, else ACCEPT
 *    └─────▶ BRIDGEWALL_TO ──── -o BR ─▶ BWALL_TO_BR     may this come in? no: REJECT   yes: ACCEPT
 * INPUT, OUTPUT ─▶ BRIDGEWALL_INP, _OUT ── BR ─▶ BWALL_INP_BR, BWALL_OUT_BR          services: ACCEPT
 * nat POSTROUTING ─▶ BRIDGEWALL_POST ── -s NET ─▶ BWALL_NAT_BR                       translate
 *         └────────▶ BRIDGEWALL_MASQ ── -s PREFIX ─▶ BWALL_MASQ       prefixes of no network, last
 * ```
 *
 * A network that publishes ports has more:
 *
 * ```text
 * nat PREROUTING, OUTPUT ── to the host ─▶ BRIDGEWALL_PRE ─▶ BWALL_PRE_BR            lead to the guest
 * nat BRIDGEWALL_POST ── to guests so ─▶ BWALL_BACK_BR      what came from its own bridge: masquerade
 * BWALL_FROM_BR, BWALL_TO_BR ── what was led so ─▶ BWALL_ANS_BR, BWALL_REQ_BR        let it through
 * raw PREROUTING ─▶ BRIDGEWALL_LO         127.0.0.1 is published: nobody else may have it: DROP
 * ```
 *
 * One jump for each bridge, tried one after the other: a packet pays for every network of the host.
 * iptables has no map from a name to a chain. An ipset tells whether a packet is a member, not of what,
 * and knows no chains; a tree over the beginnings of names (`-i virbr1+`) would help only names that
 * begin alike, and change the rules of all of them with each network. So the jump is the whole price:
 * one comparison of a name that misses, before any other match is looked at. Inside the chain of a
 * network nothing depends on the others.
 */
import { type Family, formatSubnet } from "../../core/address.ts";
import type { CompiledPolicy, FamilyPolicy, FilteredPolicy } from "../../core/policy/policy.ts";
import { CHECKSUMS, FORWARDING, type Part, type Rule, SERVICES } from "./parts.ts";
import { leadingParts, passingParts, publishedRules } from "./published.ts";
import { chainName, commentText, interfaceWord } from "./script.ts";
import { serviceRules } from "./services.ts";
import { masqueradeParts, translatedSubnets, translationParts } from "./translation.ts";

/** The port that DHCP clients listen on (RFC 2131). */
const DHCP_CLIENT = "68";

/**
 * What a policy has in the tables of one family, the required parts first.
 *
 * @throws {UnsupportedNetworkError} For interface names that iptables cannot write.
 */
export function partsOf(policy: CompiledPolicy, family: Family): readonly Part[] {
  return policy.kind === "masquerade"
    ? masqueradeParts(policy, family)
    : networkParts(policy, family);
}

function networkParts(policy: FilteredPolicy, family: Family): readonly Part[] {
  const own = policy.families.find((one) => one.family === family);
  return [
    ...(own === undefined ? [] : passingParts(policy, own)),
    forwardingPart(policy, family, own),
    ...(own === undefined ? [] : posingParts(policy, own)),
    ...servicesPart(policy, family),
    ...(own === undefined ? [] : [...leadingParts(policy, own), ...translationParts(policy, own)]),
    ...(family === "ipv4" && policy.services.dhcp ? [checksumPart(policy)] : []),
  ];
}

/** Whether the family is used at all: where not, it is only stopped. */
export function usesFamily(policy: CompiledPolicy, family: Family): boolean {
  return policy.families.some((one) => one.family === family) ||
    (policy.kind === "filtered" && (family === "ipv4" || policy.guestsOverIpv6));
}

const NOTHING_PUBLISHED = { from: [], to: [] } as const;

function forwardingPart(
  policy: FilteredPolicy,
  family: Family,
  own: FamilyPolicy | undefined,
): Part {
  const bridge = interfaceWord(policy.bridge);
  const [from, to] = [chainName("FROM", bridge), chainName("TO", bridge)];
  const say = (text: string): string => commentText(policy.network, text);
  const published = own === undefined ? NOTHING_PUBLISHED : publishedRules(policy, own);
  const reject: Rule = {
    match: [],
    comment: say("everything else"),
    verdict: rejection(family),
    counts: "rejected",
  };
  return {
    shared: FORWARDING,
    chains: [
      {
        name: from,
        rules: [
          { match: ["-o", bridge], comment: say("guest to guest"), verdict: ["-j", "ACCEPT"] },
          ...published.from,
          ...(own === undefined ? [] : guestsToOutside(policy, own)),
          reject,
        ],
      },
      {
        name: to,
        rules: [
          ...published.to,
          ...(own === undefined ? [] : outsideToGuests(policy, own)),
          reject,
        ],
      },
    ],
    entries: [
      {
        chain: "BRIDGEWALL_FROM",
        rule: { match: ["-i", bridge], comment: say("from its guests"), verdict: ["-j", from] },
      },
      {
        chain: "BRIDGEWALL_TO",
        rule: { match: ["-o", bridge], comment: say("to its guests"), verdict: ["-j", to] },
      },
    ],
  };
}

/** Who has an address that is translated for the guests, and is none. */
function posingParts({ network, bridge }: FilteredPolicy, own: FamilyPolicy): readonly Part[] {
  const entries = translatedSubnets(own).map((subnet) => ({
    chain: "BRIDGEWALL_POSE",
    rule: {
      match: ["-s", formatSubnet(subnet), "!", "-i", interfaceWord(bridge)],
      comment: commentText(network, "not from its guests"),
      verdict: rejection(own.family),
    },
  }));
  return entries.length === 0 ? [] : [{ shared: FORWARDING, chains: [], entries }];
}

function rejection(family: Family): readonly string[] {
  const type = family === "ipv4" ? "icmp-port-unreachable" : "icmp6-port-unreachable";
  return ["-j", "REJECT", "--reject-with", type];
}

/** Connections with a translated source, then those that a helper (FTP) expected because of one. */
const TRANSLATED = [["--ctstate", "SNAT"], ["--ctstatus", "EXPECTED"]];

/** Translation is decided in POSTROUTING, behind us, for packets whose connection is new. */
const TO_BE_TRANSLATED = ["--ctstate", "NEW,RELATED", "!", "--ctstatus", "CONFIRMED"];

/**
 * Where packets are translated, only those leave that will be, or that belong to a connection that is:
 * what conntrack cannot place (INVALID), and what was on its way before there was a translation, would
 * show the outside an address of the guests.
 */
function guestsToOutside(policy: FilteredPolicy, own: FamilyPolicy): readonly Rule[] {
  const { subnets, forwarding } = own;
  if (forwarding.direction === "none") return [];
  const device = forwarding.device === undefined ? [] : ["-o", interfaceWord(forwarding.device)];
  const states = forwarding.translation === undefined
    ? [[]]
    : [...TRANSLATED, TO_BE_TRANSLATED].map((state) => ["-m", "conntrack", ...state]);
  return states.flatMap((state) =>
    subnets.map((subnet): Rule => ({
      match: ["-s", formatSubnet(subnet), ...device, ...state],
      comment: commentText(policy.network, "guests to outside"),
      verdict: ["-g", "BRIDGEWALL_LET"],
      counts: "out",
    }))
  );
}

function outsideToGuests(policy: FilteredPolicy, own: FamilyPolicy): readonly Rule[] {
  const { subnets, forwarding } = own;
  if (forwarding.direction === "none") return [];
  const device = forwarding.device === undefined ? [] : ["-i", interfaceWord(forwarding.device)];
  const replies = forwarding.direction === "replies";
  // A connection that others opened is not translated, so it has no replies for guests.
  const states = replies ? REPLIES : [[]];
  return states.flatMap((state) =>
    subnets.map((subnet): Rule => ({
      match: ["-d", formatSubnet(subnet), ...device, ...state],
      comment: commentText(policy.network, replies ? "replies to guests" : "outside to guests"),
      verdict: ["-j", "ACCEPT"],
      counts: "in",
    }))
  );
}

/** The two are asked in two matches: in one, `SNAT` would be one more state that is enough. */
const REPLIES = [
  ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-m", "conntrack", "--ctstate", "SNAT"],
  ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "--ctstatus", "EXPECTED"],
];

function servicesPart(policy: FilteredPolicy, family: Family): readonly Part[] {
  const rules = serviceRules(policy, family);
  if (rules.length === 0) return [];
  const bridge = interfaceWord(policy.bridge);
  const [asked, answered] = [chainName("INP", bridge), chainName("OUT", bridge)];
  const comment = commentText(policy.network, "services of the host");
  return [{
    shared: SERVICES,
    chains: [
      { name: asked, rules: rules.map(({ request }) => request) },
      { name: answered, rules: rules.map(({ reply }) => reply) },
    ],
    entries: [
      {
        chain: "BRIDGEWALL_INP",
        rule: { match: ["-i", bridge], comment, verdict: ["-j", asked] },
      },
      {
        chain: "BRIDGEWALL_OUT",
        rule: { match: ["-o", bridge], comment, verdict: ["-j", answered] },
      },
    ],
  }];
}

function checksumPart({ network, bridge }: FilteredPolicy): Part {
  const out = ["-o", interfaceWord(bridge)];
  return {
    shared: CHECKSUMS,
    chains: [],
    entries: [{
      chain: "BRIDGEWALL_SUM",
      rule: {
        match: [...out, "-p", "udp", "-m", "udp", "--dport", DHCP_CLIENT],
        comment: commentText(network, "DHCP replies get their checksum"),
        verdict: ["-j", "CHECKSUM", "--checksum-fill"],
      },
    }],
  };
}

/**
 * Policy → the objects of nftables that make it true. What is installed, what is removed and what
 * is looked for later are all read off these values.
 *
 * A packet meets two verdict maps on its way through the host, one by the interface it came in by
 * and one by the interface it leaves by. Both are hash tables, so a packet costs the same with one
 * network and with a thousand, and a packet of no network costs two misses:
 *
 * ```text
 * forward ── iifname ─▶ from-BRIDGE   may this leave?   no: reject   yes: return
 *         └─ oifname ─▶ to-BRIDGE     may this come in? no: reject   yes: accept
 * postrouting ── iifname, or the host's own address ─▶ nat-BRIDGE    translate
 * ```
 *
 * Interfaces are matched by name: rules survive a bridge that is deleted and made again. In
 * postrouting the name of the incoming interface is known since kernel 5.7. A map by source
 * network would need intervals there, which cost nft the reading of the whole map for each change
 * (and nft 1.0.6 sends their elements before the chains they jump to).
 */
import {
  type Family,
  formatAddress,
  formatRange,
  parseSubnet,
  type Subnet,
  withoutContained,
} from "../../core/address.ts";
import { formatPorts } from "../../core/network/network.ts";
import { needsLocalhost } from "../../core/network/published_port.ts";
import {
  type CompiledPolicy,
  type FamilyPolicy,
  type FilteredPolicy,
  type MasqueradePolicy,
  NEVER_TRANSLATED,
  type Translation,
} from "../../core/policy/policy.ts";
import type { Element, ObjectGroup, Rule, Ruleset } from "./objects.ts";
import { publishedElements } from "./published_elements.ts";
import {
  commentString,
  interfaceString,
  objectName,
  PROTOCOLS,
  subnetSet,
  subnetWord,
} from "./script.ts";
import {
  FORWARD,
  GUARD,
  HAIRPIN,
  masqueradingOf,
  POSTROUTING,
  publishingOf,
} from "./shared_objects.ts";

/** The names of the counters that `status` reads. */
export function counterNames(
  bridge: string,
): Readonly<Record<"out" | "in" | "rejected", string>> {
  return {
    out: objectName("out", bridge),
    in: objectName("in", bridge),
    rejected: objectName("rejected", bridge),
  };
}

/** The objects that make a policy true. @throws What {@linkcode networkRuleset} throws. */
export function rulesetOf(policy: CompiledPolicy): Ruleset {
  return policy.kind === "masquerade" ? masqueradeRuleset(policy) : networkRuleset(policy);
}

/**
 * The objects of one network. The base chains that lead to them belong to all networks.
 *
 * @throws {UnsupportedNetworkError} For interface names that nft cannot write.
 */
function networkRuleset(policy: FilteredPolicy): Ruleset {
  const translated = policy.families.filter(({ forwarding }) =>
    forwarding.direction !== "none" && forwarding.translation !== undefined
  );
  const publishing = policy.families.filter(({ published }) => published.length > 0);
  const shared = [
    FORWARD,
    ...(translated.length === 0 ? [] : [POSTROUTING]),
    ...publishing.map(({ family }) => publishingOf(family)),
    ...(publishing.length === 0 ? [] : [HAIRPIN]),
    ...(publishing.some(({ published }) => published.some(needsLocalhost)) ? [GUARD] : []),
  ];
  return {
    shared,
    groups: [
      filterGroup(policy),
      ...(translated.length === 0 ? [] : [translationGroup(policy, translated)]),
      ...(publishing.length === 0 ? [] : [hairpinGroup(policy, publishing)]),
    ],
    published: publishing.flatMap(publishedElements),
    holding: publishing.map(({ family }) => ({
      chains: filterChains(policy),
      collections: PUBLISHED.map((name) => `${name}_${family}` as const),
    })),
  };
}

/** The prefixes of no network: members of sets, and nothing else. */
function masqueradeRuleset({ families }: MasqueradePolicy): Ruleset {
  return {
    shared: families.map(({ family }) => masqueradingOf(family)),
    groups: families.map(({ family, prefixes }) => ({
      shared: masqueradingOf(family),
      isAlone: true,
      chains: [],
      elements: prefixes.map(subnetWord).flatMap((word): readonly Element[] => [
        { collection: `masquerade_${family}`, key: word },
        { collection: `masquerade_within_${family}`, key: `${word} . ${word}` },
      ]),
      counters: [],
    })),
    published: [],
    holding: [],
  };
}

function filterChains({ bridge }: FilteredPolicy): readonly [from: string, to: string] {
  return [objectName("from", bridge), objectName("to", bridge)];
}

function filterGroup(policy: FilteredPolicy): ObjectGroup {
  const { network, bridge } = policy;
  const say = (text: string): string => commentString(network, text);
  const names = counterNames(bridge);
  const [from, to] = filterChains(policy);
  const key = interfaceString(bridge);
  const reject: Rule = {
    statements: `counter name ${objectString(names.rejected)} reject`,
    comment: say("everything else"),
  };
  return {
    shared: FORWARD,
    chains: [
      {
        name: from,
        comment: say("packets from its guests"),
        rules: [
          { statements: `oifname ${key} accept`, comment: say("guest to guest") },
          ...policy.families.flatMap((family) => publishedRules(policy, family, "reply")),
          ...policy.families.flatMap((family) => guestsToOutside(policy, family)),
          reject,
        ],
      },
      {
        name: to,
        comment: say("packets to its guests"),
        rules: [
          ...policy.families.flatMap((family) => publishedRules(policy, family, "original")),
          ...policy.families.flatMap((family) => outsideToGuests(policy, family)),
          reject,
        ],
      },
    ],
    elements: [
      { collection: "from_bridge", key, value: `jump ${from}` },
      { collection: "to_bridge", key, value: `jump ${to}` },
    ],
    counters: [
      { name: names.out, comment: say("guests to outside") },
      { name: names.in, comment: say("outside to guests") },
      { name: names.rejected, comment: say("rejected") },
    ],
  };
}

/**
 * Where packets are translated, only those leave that will be, or that belong to a connection that is:
 * what conntrack cannot place (`invalid`), and what was on its way before there was a translation, would
 * show the outside an address of the guests.
 */
function guestsToOutside(policy: FilteredPolicy, family: FamilyPolicy): readonly Rule[] {
  const { forwarding } = family;
  if (forwarding.direction === "none") return [];
  const states = forwarding.translation === undefined
    ? [{ match: "", text: "guests to outside" }]
    : [
      { match: TRANSLATED, text: "guests to outside" },
      { match: TO_BE_TRANSLATED, text: "guests to outside, the first packet" },
    ];
  return states.map(({ match, text }) => ({
    statements: words(
      among(family, "saddr"),
      forwarding.device === undefined ? "" : `oifname ${interfaceString(forwarding.device)}`,
      match,
      `counter name ${objectString(counterNames(policy.bridge).out)}`,
      "return",
    ),
    comment: commentString(policy.network, text),
  }));
}

function outsideToGuests(policy: FilteredPolicy, family: FamilyPolicy): readonly Rule[] {
  const { forwarding } = family;
  if (forwarding.direction === "none") return [];
  const replies = forwarding.direction === "replies";
  return [{
    statements: words(
      among(family, "daddr"),
      forwarding.device === undefined ? "" : `iifname ${interfaceString(forwarding.device)}`,
      // A connection that others opened is not translated, so it has no replies for guests.
      replies ? `ct state established,related ${TRANSLATED}` : "",
      `counter name ${objectString(counterNames(policy.bridge).in)}`,
      "accept",
    ),
    comment: commentString(policy.network, replies ? "replies to guests" : "outside to guests"),
  }];
}

/**
 * Connections that were sent to a published port, in one direction, and what complains about them (ICMP:
 * a path may not take packets as large as they are). Who has not been sent there by us is not in the set.
 */
function publishedRules(
  policy: FilteredPolicy,
  { family, subnets, published }: FamilyPolicy,
  direction: "original" | "reply",
): readonly Rule[] {
  if (published.length === 0) return [];
  const [side, port] = direction === "reply" ? ["saddr", "sport"] : ["daddr", "dport"];
  const protocol = PROTOCOLS[family];
  const names = counterNames(policy.bridge);
  const end = direction === "reply"
    ? `counter name ${objectString(names.out)} return`
    : `counter name ${objectString(names.in)} accept`;
  const translated = `ct direction ${direction} ct status dnat`;
  const say = (text: string): string => commentString(policy.network, text);
  return [
    ...PUBLISHED.map((set): Rule => ({
      statements:
        `${translated} meta l4proto . ${protocol} ${side} . th ${port} @${set}_${family} ${end}`,
      comment: say(direction === "reply" ? "from published ports" : "to published ports"),
    })),
    {
      statements: `${translated} ct state related meta l4proto ${ICMP[family]} ` +
        `${protocol} ${side} ${subnetSet(subnets)} ${end}`,
      comment: say("errors about published ports"),
    },
  ];
}

/** What may come to a guest because of a published port: one by one, and many at once. */
const PUBLISHED = ["published", "published_ranges"] as const;

const ICMP: Readonly<Record<Family, string>> = { ipv4: "icmp", ipv6: "ipv6-icmp" };

/** What comes back to the bridge, and what the host sends from an address that no guest could answer. */
function hairpinGroup(policy: FilteredPolicy, families: readonly FamilyPolicy[]): ObjectGroup {
  const { network, bridge } = policy;
  const chain = objectName("hairpin", bridge);
  const key = interfaceString(bridge);
  const isLocal = families.some(({ published }) => published.some(needsLocalhost));
  return {
    shared: HAIRPIN,
    chains: [{
      name: chain,
      comment: commentString(network, "its guests ask for its published ports"),
      rules: [
        { statements: `iifname ${key} masquerade`, comment: commentString(network, "guests") },
        ...(isLocal
          ? [{
            statements: "ip saddr 127.0.0.0/8 masquerade",
            comment: commentString(network, "the host itself, by 127.0.0.1"),
          }]
          : []),
      ],
    }],
    elements: [{ collection: "hairpin", key, value: `jump ${chain}` }],
    counters: [],
  };
}

/** Connections with a translated source, and those that a helper (FTP) expected because of one. */
const TRANSLATED = "ct status expected,snat";

/** Translation is decided in postrouting, behind us, for packets whose connection is new. */
const TO_BE_TRANSLATED = "ct state new,related ct status ! confirmed";

function translationGroup(
  policy: FilteredPolicy,
  families: readonly FamilyPolicy[],
): ObjectGroup {
  const { network, bridge } = policy;
  const chain = objectName("nat", bridge);
  const value = `jump ${chain}`;
  return {
    shared: POSTROUTING,
    chains: [{
      name: chain,
      comment: commentString(network, "source addresses of its guests"),
      rules: families.flatMap((family) => translationRules(network, family)),
    }],
    elements: [
      { collection: "translate_from_bridge", key: interfaceString(bridge), value },
      ...families.flatMap(({ family, hostAddresses }) =>
        unique(hostAddresses.map(formatAddress)).map((key): Element => ({
          collection: `translate_host_${family}`,
          key,
          value,
        }))
      ),
    ],
    counters: [],
  };
}

function translationRules(network: string, policy: FamilyPolicy): readonly Rule[] {
  const { family, subnets, forwarding } = policy;
  if (forwarding.direction === "none" || forwarding.translation === undefined) return [];
  const excluded = withoutContained([...subnets, ...neverTranslated(family)]);
  const match = words(
    among(policy, "saddr"),
    `${PROTOCOLS[family]} daddr != ${subnetSet(excluded)}`,
    forwarding.device === undefined ? "" : `oifname ${interfaceString(forwarding.device)}`,
  );
  const { translation } = forwarding;
  return [
    {
      statements: words(
        match,
        "meta l4proto { tcp, udp }",
        translate(family, translation, `:${formatPorts(translation.ports)}`),
      ),
      comment: commentString(network, "translate TCP and UDP"),
    },
    {
      statements: words(match, translate(family, translation, "")),
      comment: commentString(network, "translate the rest"),
    },
  ];
}

function translate(family: Family, { addresses }: Translation, ports: string): string {
  if (addresses !== undefined) {
    return `snat ${PROTOCOLS[family]} to ${formatRange(addresses)}${ports}`;
  }
  return ports === "" ? "masquerade" : `masquerade to ${ports}`;
}

function neverTranslated(family: Family): readonly Subnet[] {
  return NEVER_TRANSLATED[family].flatMap((text) => parseSubnet(text) ?? []);
}

function among({ family, subnets }: FamilyPolicy, side: "saddr" | "daddr"): string {
  return `${PROTOCOLS[family]} ${side} ${subnetSet(subnets)}`;
}

function objectString(name: string): string {
  return `"${name}"`;
}

function words(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}

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
import { needsLocalhost } from "../../core/network/published_port.ts";
import type {
  CompiledPolicy,
  FamilyPolicy,
  FilteredPolicy,
  MasqueradePolicy,
} from "../../core/policy/policy.ts";
import type { Element, ObjectGroup, Rule, Ruleset } from "./objects.ts";
import { publishedElements } from "./published_elements.ts";
import {
  among,
  commentString,
  interfaceString,
  objectName,
  objectString,
  subnetWord,
  words,
} from "./script.ts";
import { translationGroup } from "./translation_rules.ts";
import { counterNames } from "./counter_names.ts";
import { hairpinGroup, PUBLISHED, publishedRules } from "./published_rules.ts";
import {
  FORWARD,
  GUARD,
  HAIRPIN,
  masqueradingOf,
  POSTROUTING,
  publishingOf,
} from "./shared_objects.ts";

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
  // There may be thousands, and not everybody wants them.
  let elements: readonly Element[] | undefined;
  return {
    shared,
    groups: [
      filterGroup(policy),
      ...(translated.length === 0 ? [] : [translationGroup(policy, translated)]),
      ...(publishing.length === 0 ? [] : [hairpinGroup(policy, publishing)]),
    ],
    get published() {
      elements ??= publishing.flatMap(publishedElements);
      return elements;
    },
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

/** Connections with a translated source, and those that a helper (FTP) expected because of one. */
const TRANSLATED = "ct status expected,snat";

/** Translation is decided in postrouting, behind us, for packets whose connection is new. */
const TO_BE_TRANSLATED = "ct state new,related ct status ! confirmed";

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
import {
  type FamilyPolicy,
  type FilteredPolicy,
  NEVER_TRANSLATED,
  type Translation,
} from "../../core/policy/policy.ts";
import type { MapElement, NetworkRuleset, ObjectGroup, Rule } from "./objects.ts";
import { commentString, interfaceString, objectName, subnetSet } from "./script.ts";

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

/**
 * The objects of one network. The base chains that lead to them belong to all networks.
 *
 * @throws {UnsupportedNetworkError} For interface names that nft cannot write.
 */
export function networkRuleset(policy: FilteredPolicy): NetworkRuleset {
  const filter = filterGroup(policy);
  const translated = policy.families.filter(({ forwarding }) =>
    forwarding.direction !== "none" && forwarding.translation !== undefined
  );
  return translated.length === 0
    ? { filter }
    : { filter, translation: translationGroup(policy, translated) };
}

function filterGroup(policy: FilteredPolicy): ObjectGroup {
  const { network, bridge } = policy;
  const say = (text: string): string => commentString(network, text);
  const names = counterNames(bridge);
  const from = objectName("from", bridge);
  const to = objectName("to", bridge);
  const key = interfaceString(bridge);
  const reject: Rule = {
    statements: `counter name ${objectString(names.rejected)} reject`,
    comment: say("everything else"),
  };
  return {
    chains: [
      {
        name: from,
        comment: say("packets from its guests"),
        rules: [
          { statements: `oifname ${key} accept`, comment: say("guest to guest") },
          ...policy.families.flatMap((family) => guestsToOutside(policy, family)),
          reject,
        ],
      },
      {
        name: to,
        comment: say("packets to its guests"),
        rules: [...policy.families.flatMap((family) => outsideToGuests(policy, family)), reject],
      },
    ],
    elements: [
      { map: "from_bridge", key, chain: from },
      { map: "to_bridge", key, chain: to },
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

function translationGroup(
  policy: FilteredPolicy,
  families: readonly FamilyPolicy[],
): ObjectGroup {
  const { network, bridge } = policy;
  const chain = objectName("nat", bridge);
  return {
    chains: [{
      name: chain,
      comment: commentString(network, "source addresses of its guests"),
      rules: families.flatMap((family) => translationRules(network, family)),
    }],
    elements: [
      { map: "translate_from_bridge", key: interfaceString(bridge), chain },
      ...families.flatMap(({ family, hostAddresses }) =>
        unique(hostAddresses.map(formatAddress)).map((key): MapElement => ({
          map: family === "ipv4" ? "translate_host_ipv4" : "translate_host_ipv6",
          key,
          chain,
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

const PROTOCOLS: Readonly<Record<Family, string>> = { ipv4: "ip", ipv6: "ip6" };

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

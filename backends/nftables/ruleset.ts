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
  parseSubnet,
  type Subnet,
  withoutContained,
} from "../../core/address.ts";
import {
  type FamilyPolicy,
  type FilteredPolicy,
  NEVER_TRANSLATED,
  type Translation,
} from "../../core/policy/policy.ts";
import {
  addressRange,
  commentString,
  interfaceString,
  objectName,
  portRange,
  subnetSet,
} from "./script.ts";

/** One rule: its statements as nft lists them, and its comment with quotes. */
export interface Rule {
  /** Such as `iifname vmap @from_bridge`: what `check` compares with the live rule. */
  readonly statements: string;
  /** For people who list the ruleset; `check` passes over it. */
  readonly comment: string;
}

/** A chain that a verdict map jumps to. */
export interface Chain {
  /** Its task and the bridge, such as `from-virbr0`. */
  readonly name: string;
  /** In quotes, with the network's name, which no identifier can hold. */
  readonly comment: string;
  /** In the order in which packets meet them. */
  readonly rules: readonly Rule[];
}

/** `key : jump chain` in one of the maps. */
export interface MapElement {
  /** One of the maps that the group's base chain looks up. */
  readonly map: MapName;
  /** As nft writes it: an interface name in quotes, or an address of the host's. */
  readonly key: string;
  /** The chain that packets with this key go to; it belongs to the same group. */
  readonly chain: string;
}

/** A named counter. */
export interface Counter {
  /** What it counts and the bridge, such as `rejected-virbr0`. */
  readonly name: string;
  /** In quotes, with the network's name: `"default: rejected"`. */
  readonly comment: string;
}

/** The verdict maps, and the type of their keys. */
export const MAPS = {
  from_bridge: "ifname",
  to_bridge: "ifname",
  translate_from_bridge: "ifname",
  translate_host_ipv4: "ipv4_addr",
  translate_host_ipv6: "ipv6_addr",
} as const;

/** The name of a verdict map. */
export type MapName = keyof typeof MAPS;

/** Objects that come and go together. */
export interface ObjectGroup {
  /** Made before the elements that jump to them, deleted after. */
  readonly chains: readonly Chain[];
  /** The only way into the chains: without them the rules are never met. */
  readonly elements: readonly MapElement[];
  /** Those that the rules count in; translation has none. */
  readonly counters: readonly Counter[];
}

/** Everything that belongs to one network. */
export interface NetworkRuleset {
  /** Whom the guests may reach, and who may reach them. */
  readonly filter: ObjectGroup;
  /** Absent when nothing is translated: then conntrack need not be loaded for it. */
  readonly translation?: ObjectGroup;
}

/** A base chain and its rules, shared by all networks. */
export interface BaseChain {
  /** `forward` or `postrouting`. */
  readonly name: string;
  /** Type, hook, priority and policy, as they stand in `add chain`. */
  readonly hook: string;
  /** In quotes; no network's name, since the chain belongs to all of them. */
  readonly comment: string;
  /** Lookups in the maps alone, the same however many networks there are. */
  readonly rules: readonly Rule[];
  /** The maps that its rules look up; they come and go with the chain. */
  readonly maps: readonly MapName[];
}

/** Where forwarded packets are judged. */
export const FORWARD_CHAIN: BaseChain = {
  name: "forward",
  hook: "type filter hook forward priority filter; policy accept;",
  comment: '"bridgewall: packets from and to the bridges"',
  rules: [
    { statements: "iifname vmap @from_bridge", comment: '"may it leave its network?"' },
    { statements: "oifname vmap @to_bridge", comment: '"may it enter its network?"' },
  ],
  maps: ["from_bridge", "to_bridge"],
};

/** Where the first packet of a connection gets its source address. */
export const POSTROUTING_CHAIN: BaseChain = {
  name: "postrouting",
  hook: "type nat hook postrouting priority srcnat; policy accept;",
  comment: '"bridgewall: source addresses of packets that leave their network"',
  rules: [
    { statements: "iifname vmap @translate_from_bridge", comment: '"from guests"' },
    {
      statements: "ip saddr vmap @translate_host_ipv4",
      comment: '"from the host, by its address on a bridge"',
    },
    {
      statements: "ip6 saddr vmap @translate_host_ipv6",
      comment: '"from the host, by its address on a bridge"',
    },
  ],
  maps: ["translate_from_bridge", "translate_host_ipv4", "translate_host_ipv6"],
};

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

function guestsToOutside(policy: FilteredPolicy, family: FamilyPolicy): readonly Rule[] {
  const { forwarding } = family;
  if (forwarding.direction === "none") return [];
  const counter = `counter name ${objectString(counterNames(policy.bridge).out)}`;
  return [{
    statements: words(
      among(family, "saddr"),
      forwarding.device === undefined ? "" : `oifname ${interfaceString(forwarding.device)}`,
      counter,
      "return",
    ),
    comment: commentString(policy.network, "guests to outside"),
  }];
}

function outsideToGuests(policy: FilteredPolicy, family: FamilyPolicy): readonly Rule[] {
  const { forwarding } = family;
  if (forwarding.direction === "none") return [];
  const replies = forwarding.direction === "replies";
  return [{
    statements: words(
      among(family, "daddr"),
      forwarding.device === undefined ? "" : `iifname ${interfaceString(forwarding.device)}`,
      replies ? "ct state established,related" : "",
      `counter name ${objectString(counterNames(policy.bridge).in)}`,
      "accept",
    ),
    comment: commentString(policy.network, replies ? "replies to guests" : "outside to guests"),
  }];
}

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
        translate(family, translation, `:${portRange(translation.ports)}`),
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
    return `snat ${PROTOCOLS[family]} to ${addressRange(addresses)}${ports}`;
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

/** What the table holds, as values: chains, rules, maps and counters, and the base chains that all share. */

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

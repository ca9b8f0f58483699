/**
 * What a network has in the tables of iptables, as values: chains of its own, and the entries in the
 * shared chains that lead there.
 */

/** The tables that we have rules in. */
export type TableName = "filter" | "nat" | "mangle" | "raw";

/** One rule, as words in the order in which iptables-save prints them. */
export interface Rule {
  /** The matches: `-s 192.168.122.0/24 -o eth0`. */
  readonly match: readonly string[];
  /** For people who list the rules; it names the network. */
  readonly comment: string;
  /** What becomes of the packet: `-j ACCEPT`, `-g CHAIN`. */
  readonly verdict: readonly string[];
  /** What `status` counts with it; absent: nothing. */
  readonly counts?: "out" | "in" | "rejected";
  /** The published port (`formatSpec`) or prefix (`formatSubnet`) that it counts for; absent: none. */
  readonly carries?: string;
}

/** A chain with the rules that it always has. */
export interface Chain {
  /** At most 28 bytes. */
  readonly name: string;
  /** In the order in which packets meet them. */
  readonly rules: readonly Rule[];
}

/** A rule and the chain that it stands in. */
export interface Entry {
  /** A built-in or a shared one. */
  readonly chain: string;
  /** A jump to a chain of ours, or all there is to do. */
  readonly rule: Rule;
}

/** What several networks share: it comes with the first of them, and goes with the last. */
export interface SharedPart {
  /** The one that all its chains are in. */
  readonly table: TableName;
  /** Those without rules hold the entries of the networks. */
  readonly chains: readonly Chain[];
  /** From the built-in chains, in this order. */
  readonly jumps: readonly Entry[];
  /** Where the jumps are put. Those at the head come before those at the end, whatever comes first. */
  readonly place: "head" | "end";
}

/** What one network has in one table, for one purpose. */
export interface Part {
  /** Tells the table, too. */
  readonly shared: SharedPart;
  /** Of this network alone. */
  readonly chains: readonly Chain[];
  /** The only way into the chains from shared ones; none where what is shared is all that is needed. */
  readonly entries: readonly Entry[];
  /** Chains of another part of the network, which comes after and goes after, that lead here; absent: none. */
  readonly users?: readonly string[];
}

function shared(
  table: TableName,
  chains: readonly Chain[],
  jumps: readonly (readonly [from: string, to: string])[],
  match: readonly string[] = [],
): SharedPart {
  return {
    table,
    chains,
    jumps: jumps.map(([chain, to]) => jump(chain, to, match)),
    place: "head",
  };
}

function jump(chain: string, to: string, match: readonly string[] = []): Entry {
  return { chain, rule: { match, comment: "bridgewall", verdict: ["-j", to] } };
}

/**
 * Where forwarded packets are judged: first whether they may leave their network, then whether
 * they may enter another. What may leave goes on in BRIDGEWALL_LET (by `-g`, so that it does not come
 * back), and is accepted there: unlike in nftables, that counts against a policy of DROP.
 *
 * Translation knows a guest by its address alone. Who has that of another network's guest, and a neighbour
 * that helps, would have a connection translated for them whose answers reach that guest. So before all
 * else the first packet of a connection has to come by the bridge of whose address it has.
 */
export const FORWARDING: SharedPart = {
  ...shared("filter", [
    { name: "BRIDGEWALL_POSE", rules: [] },
    { name: "BRIDGEWALL_FROM", rules: [] },
    { name: "BRIDGEWALL_TO", rules: [] },
    {
      name: "BRIDGEWALL_LET",
      rules: [
        { match: [], comment: "may it enter its network?", verdict: ["-j", "BRIDGEWALL_TO"] },
        { match: [], comment: "to the outside", verdict: ["-j", "ACCEPT"] },
      ],
    },
  ], []),
  jumps: [
    jump("FORWARD", "BRIDGEWALL_POSE", ["-m", "conntrack", "--ctstate", "NEW"]),
    jump("FORWARD", "BRIDGEWALL_FROM"),
    jump("FORWARD", "BRIDGEWALL_TO"),
  ],
};

/** Where guests ask the host for addresses, names and boot files. */
export const SERVICES: SharedPart = shared("filter", [
  { name: "BRIDGEWALL_INP", rules: [] },
  { name: "BRIDGEWALL_OUT", rules: [] },
], [["INPUT", "BRIDGEWALL_INP"], ["OUTPUT", "BRIDGEWALL_OUT"]]);

/**
 * Where the first packet of a connection to a published port gets the guest's address, whether it comes in
 * or is the host's own: only what is meant for the host itself comes here, so nothing is taken away from
 * what is routed through it.
 */
export const PUBLISHING: SharedPart = shared(
  "nat",
  [{ name: "BRIDGEWALL_PRE", rules: [] }],
  [["PREROUTING", "BRIDGEWALL_PRE"], ["OUTPUT", "BRIDGEWALL_PRE"]],
  ["-m", "addrtype", "--dst-type", "LOCAL"],
);

/**
 * Where the first packet of a connection gets its source address. What the host sends to itself leaves no
 * network, whichever of its addresses it has.
 */
export const TRANSLATION: SharedPart = shared(
  "nat",
  [{ name: "BRIDGEWALL_POST", rules: [] }],
  [["POSTROUTING", "BRIDGEWALL_POST"]],
  ["!", "-o", "lo"],
);

/** The same for prefixes of no network: what a network says of its guests goes before. */
export const MASQUERADING: SharedPart = {
  ...shared(
    "nat",
    [{ name: "BRIDGEWALL_MASQ", rules: [] }],
    [["POSTROUTING", "BRIDGEWALL_MASQ"]],
    ["!", "-o", "lo"],
  ),
  place: "end",
};

/**
 * A bridge that lets 127.0.0.1 reach guests takes packets to and from 127.0.0.0/8 from guests too: no
 * packet that comes in by an interface may have such an address (RFC 1122 section 3.2.1.3). Answers have it
 * only after their translation, which is later.
 */
export const GUARD: SharedPart = shared(
  "raw",
  [{
    name: "BRIDGEWALL_LO",
    rules: ["-d", "-s"].map((side) => ({
      match: [side, "127.0.0.0/8", "!", "-i", "lo"],
      comment: "127.0.0.0/8 belongs to the host alone",
      verdict: ["-j", "DROP"],
    })),
  }],
  [["PREROUTING", "BRIDGEWALL_LO"]],
);

/** Where DHCP replies get the checksum that was left to hardware. */
export const CHECKSUMS: SharedPart = shared(
  "mangle",
  [{ name: "BRIDGEWALL_SUM", rules: [] }],
  [["POSTROUTING", "BRIDGEWALL_SUM"]],
);

/** All of them. */
export const SHARED_PARTS: readonly SharedPart[] = [
  FORWARDING,
  SERVICES,
  PUBLISHING,
  TRANSLATION,
  MASQUERADING,
  GUARD,
  CHECKSUMS,
];

/** Whether a chain of this name is ours. */
export function isOurs(chain: string): boolean {
  return /^(?:BRIDGEWALL|BWALL)_/.test(chain);
}

/** The jumps from the built-in chains of one table to ours. */
export function jumpsOf(table: string): readonly Entry[] {
  return SHARED_PARTS.filter((part) => part.table === table).flatMap(({ jumps }) => jumps);
}

/** Whether a shared chain holds the entries of the networks, and no rules of its own. */
export function isHolder({ rules }: Chain): boolean {
  return rules.length === 0;
}

/** Whether it is one of the chains that hold the entries of the networks. */
export function isShared(chain: string): boolean {
  return SHARED_PARTS.some(({ chains }) =>
    chains.some((one) => one.name === chain && isHolder(one))
  );
}

/** The words of a rule in a chain, behind `-A CHAIN`. */
export function ruleWords({ match, comment, verdict }: Rule): readonly string[] {
  return [...match, "-m", "comment", "--comment", comment, ...verdict];
}

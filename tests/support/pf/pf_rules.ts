/** The values that a ruleset is read into: one rule for each that pfctl gives to the kernel. */
import type { Family, Subnet } from "../../../core/address.ts";

/** As seen from the host: `in` comes from the wire. */
export type Direction = "in" | "out";

/** What a packet's address is compared with. */
export type Address =
  | { readonly kind: "any" }
  | { readonly kind: "subnet"; readonly subnet: Subnet }
  | { readonly kind: "table"; readonly name: string }
  /** `(IF)`, `(IF:0)`, `(IF:network)`: what the interface has when the packet comes. */
  | {
    readonly kind: "interface";
    readonly name: string;
    readonly part: "all" | "first" | "network" | "broadcast";
  };

/** `:` is a range with both ends, `><` one without, `<>` all that is outside of it. */
export type PortOperator = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":" | "><" | "<>";

/** Ports that a rule matches. */
export interface Ports {
  readonly operator: PortOperator;
  readonly first: number;
  /** The same as `first` where the operator takes one port. */
  readonly last: number;
}

/** One side of `from … to …`. */
export interface Peer {
  readonly address: Address;
  readonly negated: boolean;
  readonly ports: Ports | undefined;
}

/** `on IF`, `on ! IF`, `tagged T`, `! tagged T`. */
export interface Named {
  readonly name: string;
  readonly negated: boolean;
}

/** What a packet must be for a rule; what is undefined matches all. */
export interface Criteria {
  readonly interface: Named | undefined;
  readonly direction: Direction | undefined;
  readonly family: Family | undefined;
  /** The number in the IP header. */
  readonly protocol: number | undefined;
  readonly source: Peer;
  readonly destination: Peer;
  /** Of the flags in `mask`, those in `set` are on, such as S of SA. */
  readonly flags: { readonly set: string; readonly mask: string } | undefined;
  readonly icmp: { readonly type: number; readonly code: number | undefined } | undefined;
  readonly tagged: Named | undefined;
}

/** What all rules have. */
interface AnyRule {
  readonly criteria: Criteria;
  /** Given to packets that match, see the `tag` of pf.conf(5). */
  readonly tag: string | undefined;
  /** The statement it came from, for messages. */
  readonly text: string;
}

/** `pass …` or `block …`. */
export interface FilterRule extends AnyRule {
  readonly kind: "filter";
  readonly action: "pass" | "block";
  /** What the sender hears of a block. */
  readonly answer: "drop" | "return" | "return-rst" | "return-icmp";
  readonly quick: boolean;
  readonly keepState: boolean;
  /** Its states match on the interface they were made on, and nowhere else. */
  readonly ifBound: boolean;
  /** `max N`. */
  readonly maxStates: number | undefined;
  readonly allowOptions: boolean;
  readonly label: string | undefined;
}

/** `anchor`, `nat-anchor`, `rdr-anchor`, `binat-anchor`. */
export interface AnchorRule extends AnyRule {
  readonly kind: "anchor";
  /** Relative to the ruleset it is in, unless it begins with `/`; may end in `/*`. */
  readonly name: string;
  readonly quick: boolean;
}

/** How one address of a pool is taken. */
export type PoolMethod = "single" | "round-robin" | "random" | "source-hash" | "bitmask";

/** What follows `->`. */
export interface Pool {
  /** At least one, all of one family as far as they have one. */
  readonly addresses: readonly Address[];
  readonly method: PoolMethod;
  readonly sticky: boolean;
  readonly staticPort: boolean;
  /** nat: the range to take from; rdr: where the ports of the rule begin. */
  readonly ports: { readonly first: number; readonly last: number } | undefined;
}

/** The three lists of translation rules. */
export type TranslationKind = "nat" | "rdr" | "binat";

/** `nat …`, `rdr …`, `binat …`; without a pool it is `no nat …` and so on. */
export interface TranslationRule extends AnyRule {
  readonly kind: TranslationKind;
  /** `nat pass`: the filter is not asked. */
  readonly pass: boolean;
  readonly pool: Pool | undefined;
}

/** `table <name> …`. */
export interface Table {
  readonly name: string;
  /** Stays although no rule refers to it. */
  readonly persist: boolean;
  readonly entries: readonly TableEntry[];
}

/** A subnet of a table, or an exception. */
export interface TableEntry {
  readonly subnet: Subnet;
  readonly negated: boolean;
}

/** The rules of one kind, in their order. */
export type TranslationList = readonly (TranslationRule | AnchorRule)[];

/** What one file holds. */
export interface Ruleset {
  readonly tables: readonly Table[];
  /** The interfaces and groups of `set skip on`. */
  readonly skip: readonly string[];
  readonly nat: TranslationList;
  readonly rdr: TranslationList;
  readonly binat: TranslationList;
  readonly filter: readonly (FilterRule | AnchorRule)[];
}

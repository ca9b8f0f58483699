/** What the table holds, as values: chains, rules, maps, sets and counters, and what all share. */
import type { CollectionName } from "./collections.ts";

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

/** A member of one of the maps or sets. */
export interface Element {
  /** One that the group's base chains look up. */
  readonly collection: CollectionName;
  /** As nft lists it: an interface name in quotes, an address, or several values with ` . ` between. */
  readonly key: string;
  /** What the key leads to: `jump CHAIN` to a chain of the same group, or an address; absent in a set. */
  readonly value?: string;
}

/** A named counter. */
export interface Counter {
  /** What it counts and the bridge, such as `rejected-virbr0`. */
  readonly name: string;
  /** In quotes, with the network's name: `"default: rejected"`. */
  readonly comment: string;
}

/** Objects that come and go together. */
export interface ObjectGroup {
  /** What looks up its elements. */
  readonly shared: SharedObjects;
  /** Made before the elements that jump to them, deleted after. */
  readonly chains: readonly Chain[];
  /** The only way into the chains: without them the rules are never met. */
  readonly elements: readonly Element[];
  /** Those that the rules count in; translation has none. */
  readonly counters: readonly Counter[];
  /** True: nobody else has elements there, so that what was in them before goes in one word. */
  readonly isAlone?: true;
}

/** Everything that belongs to one network, or to the prefixes of none. */
export interface Ruleset {
  /** What it shares with others, in the order in which it is made. */
  readonly shared: readonly SharedObjects[];
  /** What is its own, in the order in which it is made. */
  readonly groups: readonly ObjectGroup[];
  /** Ports that it publishes: elements only, which come and go by themselves. */
  readonly published: readonly Element[];
  /**
   * Chains of its own, whose rules look these up while it publishes ports: they let go of them before
   * those can go.
   */
  readonly holding: readonly {
    readonly chains: readonly string[];
    readonly collections: readonly CollectionName[];
  }[];
}

/** A base chain and its rules. */
export interface BaseChain {
  /** After its hook, or what it is for. */
  readonly name: string;
  /** Type, hook, priority and policy, as they stand in `add chain`. */
  readonly hook: string;
  /** The same as `check` compares it with the live chain: `filter forward 0 accept`. */
  readonly attributes: string;
  /** In quotes; no network's name, since the chain belongs to all of them. */
  readonly comment: string;
  /** Lookups alone, the same however many networks there are. */
  readonly rules: readonly Rule[];
}

/** What comes with the first that needs it, and goes with the last. */
export interface SharedObjects {
  /** Looked up by the chains, and by the rules of networks. */
  readonly collections: readonly CollectionName[];
  /** In the order in which they are made. */
  readonly chains: readonly BaseChain[];
}

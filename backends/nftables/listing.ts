/**
 * `nft -j list table` → the same values that installation starts from, so that the two can be
 * compared. The JSON form is described in libnftables-json(5).
 */
import { type Json, list, object, statement } from "./statement.ts";

/** What is live in the table. Statements are in the form of {@linkcode canonicalStatements}. */
export interface Listing {
  /** Attributes of base chains as one text (`filter forward 0 accept`); regular chains: empty. */
  readonly chains: ReadonlyMap<string, string>;
  /** The rules of each chain, in order. */
  readonly rules: ReadonlyMap<string, readonly string[]>;
  /** For each map its type and its elements: key → verdict. */
  readonly maps: ReadonlyMap<string, { readonly type: string; readonly elements: Elements }>;
  /** Packets and bytes that each named counter has counted since it was made. */
  readonly counters: ReadonlyMap<string, { readonly packets: number; readonly bytes: number }>;
  /** Anything else somebody put into the table, as `kind name`. */
  readonly others: readonly string[];
  /** Whether the table has flags, such as `dormant`; nft 1.0.6 does not always say which. */
  readonly hasFlags: boolean;
}

/** The elements of one map: key as in a script → verdict, such as `jump from-virbr0`. */
export type Elements = ReadonlyMap<string, string>;

/**
 * Reads the answer of `nft -j list table`.
 *
 * @throws {SyntaxError} When the text is not what nft prints.
 */
export function readListing(json: string): Listing {
  const listing: GrowingListing = {
    chains: new Map(),
    rules: new Map(),
    maps: new Map(),
    counters: new Map(),
    others: [],
    hasFlags: false,
  };
  for (const entry of list(object(JSON.parse(json))["nftables"])) {
    for (const [kind, value] of Object.entries(object(entry))) {
      readObject(kind, object(value), listing);
    }
  }
  return listing;
}

/** A {@linkcode Listing} while it is being read. */
interface GrowingListing {
  readonly chains: Map<string, string>;
  readonly rules: Map<string, string[]>;
  readonly maps: Map<string, { readonly type: string; readonly elements: Elements }>;
  readonly counters: Map<string, { readonly packets: number; readonly bytes: number }>;
  readonly others: string[];
  hasFlags: boolean;
}

function readObject(kind: string, value: Json, listing: GrowingListing): void {
  const name = String(value["name"]);
  switch (kind) {
    case "metainfo":
      return;
    case "table":
      listing.hasFlags ||= value["flags"] !== undefined;
      return;
    case "chain":
      listing.chains.set(
        name,
        value["hook"] === undefined
          ? ""
          : [value["type"], value["hook"], value["prio"], value["policy"]].join(" "),
      );
      return;
    case "rule": {
      const chain = String(value["chain"]);
      const rules = listing.rules.get(chain) ?? [];
      rules.push(list(value["expr"]).map(statement).filter((text) => text !== "").join(" "));
      listing.rules.set(chain, rules);
      return;
    }
    case "map":
      listing.maps.set(name, {
        type: `${String(value["type"])} : ${String(value["map"])}`,
        elements: new Map(list(value["elem"] ?? []).map((pair) => element(value, list(pair)))),
      });
      return;
    case "counter":
      listing.counters.set(name, {
        packets: Number(value["packets"]),
        bytes: Number(value["bytes"]),
      });
      return;
    default:
      listing.others.push(`${kind} ${name}`);
  }
}

/** Keys are written as in a script; a star in a map without intervals is only a star. */
function element(map: Json, [key, verdict]: readonly unknown[]): [string, string] {
  const bare = typeof key === "object" && key !== null && "elem" in key
    ? object(object(key)["elem"])["val"]
    : key;
  const inner = typeof bare === "string" ? bare : JSON.stringify(bare);
  const escaped = inner.endsWith("*") ? `${inner.slice(0, -1)}\\*` : inner;
  return [map["type"] === "ifname" ? `"${escaped}"` : inner, statement(verdict)];
}

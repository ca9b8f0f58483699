/**
 * `nft -j list table` → the same values that installation starts from, so that the two can be
 * compared. The JSON form is described in libnftables-json(5).
 */
import type { Traffic } from "../../core/firewall_backend.ts";
import { type Json, list, object, operand, protocolWord, statement } from "./statement.ts";

/** What is live in the table. Statements are in the form of {@linkcode canonicalStatements}. */
export interface Listing {
  /** Attributes of base chains as one text (`filter forward 0 accept`); regular chains: empty. */
  readonly chains: ReadonlyMap<string, string>;
  /** The rules of each chain, in order. */
  readonly rules: ReadonlyMap<string, readonly string[]>;
  /** Maps and sets, by name. */
  readonly collections: ReadonlyMap<string, LiveCollection>;
  /** Packets and bytes that each named counter has counted since it was made. */
  readonly counters: ReadonlyMap<string, Traffic>;
  /** Anything else somebody put into the table, as `kind name`. */
  readonly others: readonly string[];
  /** Whether the table has flags, such as `dormant`; nft 1.0.6 does not always say which. */
  readonly hasFlags: boolean;
}

/** A map or a set, and what is in it. */
export interface LiveCollection {
  /** As {@linkcode declaration} writes it, with `map` or `set` before it. */
  readonly declared: string;
  /** Key as in a script → what it leads to, such as `jump from-virbr0`; in a set nothing. */
  readonly elements: ReadonlyMap<string, string>;
  /** What elements have counted, by their keys. */
  readonly counted: ReadonlyMap<string, Traffic>;
}

/**
 * Reads the answer of `nft -j list table`.
 *
 * @throws {SyntaxError} When the text is not what nft prints.
 */
export function readListing(json: string): Listing {
  const listing: GrowingListing = {
    chains: new Map(),
    rules: new Map(),
    collections: new Map(),
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
  readonly collections: Map<string, LiveCollection>;
  readonly counters: Map<string, Traffic>;
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
    case "set":
      listing.collections.set(name, readCollection(kind, value));
      return;
    case "counter":
      listing.counters.set(name, readTraffic(value));
      return;
    default:
      listing.others.push(`${kind} ${name}`);
  }
}

function readCollection(kind: "map" | "set", value: Json): LiveCollection {
  const types = [value["type"]].flat().map(String);
  const to = value["map"] === undefined ? [] : [value["map"]].flat().map(String);
  const flags = [value["flags"] ?? []].flat().map(String);
  const counts = JSON.stringify(value["stmt"] ?? null).includes('"counter"');
  const elements = new Map<string, string>();
  const counted = new Map<string, Traffic>();
  for (const member of list(value["elem"] ?? [])) {
    const [key, target] = kind === "map" ? list(member) : [member];
    const { val, counter } = wrapped(key);
    const word = keyWord(val, types);
    elements.set(word, target === undefined ? "" : targetWord(target));
    if (counter !== undefined) counted.set(word, readTraffic(object(counter)));
  }
  return {
    declared: [
      kind,
      `type ${types.join(" . ")}${to.length === 0 ? "" : ` : ${to.join(" . ")}`};`,
      ...(flags.length === 0 ? [] : [`flags ${flags.join(",")};`]),
      ...(counts ? ["counter;"] : []),
    ].join(" "),
    elements,
    counted,
  };
}

function readTraffic(value: Json): Traffic {
  return { packets: Number(value["packets"]), bytes: Number(value["bytes"]) };
}

/** nft wraps an element that has more than its key. */
function wrapped(key: unknown): { readonly val: unknown; readonly counter?: unknown } {
  if (typeof key !== "object" || key === null || !("elem" in key)) return { val: key };
  const { val, counter } = object(object(key)["elem"]);
  return { val, counter };
}

/** Keys are written as in a script; a star in a map without intervals is only a star. */
function keyWord(key: unknown, types: readonly string[]): string {
  const parts = concatenated(key);
  if (parts.length !== types.length) return JSON.stringify(key);
  return parts.map((part, index) => valueWord(part, types[index] ?? "")).join(" . ");
}

function concatenated(value: unknown): readonly unknown[] {
  if (typeof value !== "object" || value === null || !("concat" in value)) return [value];
  return list(object(value)["concat"]);
}

function valueWord(value: unknown, type: string): string {
  if (type === "ifname" && typeof value === "string") {
    return `"${value.endsWith("*") ? `${value.slice(0, -1)}\\*` : value}"`;
  }
  if (type === "inet_proto") return protocolWord(value);
  if (typeof value === "number") return String(value);
  try {
    const words = operand(value);
    if (words.length === 1) return words.join("");
  } catch (error) {
    // Somebody else's set may hold anything.
    if (!(error instanceof SyntaxError)) throw error;
  }
  return JSON.stringify(value);
}

/** A verdict, or an address with or without a port. */
function targetWord(target: unknown): string {
  const parts = concatenated(target);
  return parts.length > 1 || typeof target === "string"
    ? parts.map((part) => valueWord(part, "")).join(" . ")
    : statement(target);
}

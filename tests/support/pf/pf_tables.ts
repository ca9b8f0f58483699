/** Tables: what they match, and which one a rule means. */
import { contains, type IpAddress } from "../../../core/address.ts";
import type { Ruleset, Table, TableEntry } from "./pf_rules.ts";
import { referredTables } from "./pf_grammar.ts";

/** Path of a ruleset → name → table. The main ruleset has the empty path. */
export type TableScopes = ReadonlyMap<string, ReadonlyMap<string, Table>>;

/** Whether the longest prefix that holds the address is there without a `!`. */
export function tableMatches(entries: readonly TableEntry[], address: IpAddress): boolean {
  let best: TableEntry | undefined;
  for (const entry of entries) {
    const isLonger = best === undefined || entry.subnet.prefix > best.subnet.prefix;
    if (isLonger && contains(entry.subnet, address)) best = entry;
  }
  return best !== undefined && !best.negated;
}

/**
 * The table that a rule in the ruleset means: its own one, else that of the main ruleset, and never
 * that of the anchor around it. One that is nowhere is empty.
 */
export function findTable(scopes: TableScopes, path: string, name: string): readonly TableEntry[] {
  const table = scopes.get(path)?.get(name) ?? scopes.get("")?.get(name);
  return table?.entries ?? [];
}

/**
 * The tables of a ruleset after its file is loaded: those of the file, and those that are there with
 * `persist`. Without `persist` they are gone when no rule refers to them; for the main ruleset, rules
 * in anchors count as well, pfr_setflags_ktable() in sys/netpfil/pf/pf_table.c.
 *
 * @param loaded All rulesets, the new one among them.
 */
export function tablesAfterLoad(
  old: ReadonlyMap<string, Table> | undefined,
  path: string,
  loaded: ReadonlyMap<string, Ruleset>,
): ReadonlyMap<string, Table> {
  const tables = new Map([...old ?? []].filter(([, table]) => table.persist));
  const referred = path === ""
    ? new Set([...loaded.values()].flatMap((ruleset) => [...referredTables(ruleset)]))
    : referredTables(loaded.get(path) ?? EMPTY);
  for (const table of loaded.get(path)?.tables ?? []) {
    if (table.persist || referred.has(table.name)) tables.set(table.name, table);
    else tables.delete(table.name);
  }
  return tables;
}

/** A ruleset without anything, as one that is only referred to. */
export const EMPTY: Ruleset = { tables: [], skip: [], nat: [], rdr: [], binat: [], filter: [] };

/** What is no rule: `table`, `set`, and `scrub`, which decides on nothing here. */
import { expand, readStatement } from "./pf_criteria.ts";
import type { Policies } from "./pf_filter.ts";
import {
  expect,
  keyword,
  list,
  name,
  number,
  peek,
  type Reader,
  readTableEntry,
  refuse,
  skipNewlines,
  symbol,
} from "./pf_reader.ts";
import type { Table } from "./pf_rules.ts";

/** Takes what follows `table`. */
export function readTable(reader: Reader, known: readonly Table[]): Table {
  expect(reader, "<");
  const table = {
    name: name(reader, "table", 31),
    persist: false,
    entries: [] as Table["entries"],
  };
  expect(reader, ">");
  if (table.name.startsWith("__automatic")) refuse(reader, "the name is one that pfctl makes up");
  if (known.some((each) => each.name === table.name)) {
    refuse(reader, "table defined twice");
  }
  while (peek(reader).kind !== "newline") {
    if (peek(reader).text === "{") table.entries = [...table.entries, ...readEntries(reader)];
    else {
      const option = name(reader, "table option", 15);
      if (!["persist", "const", "counters"].includes(option)) {
        refuse(reader, "invalid table option");
      }
      if (option === "persist") table.persist = true;
    }
  }
  checkEntries(reader, table.entries);
  return table;
}

function checkEntries(reader: Reader, entries: Table["entries"]): void {
  const known = new Map<string, boolean>();
  for (const { subnet, negated } of entries) {
    const key = `${subnet.family} ${subnet.value}/${subnet.prefix}`;
    if (known.get(key) === !negated) refuse(reader, "an address of the table contradicts another");
    known.set(key, negated);
  }
}

function readEntries(reader: Reader): Table["entries"] {
  const at = reader.at;
  symbol(reader, "{");
  skipNewlines(reader);
  if (symbol(reader, "}")) return [];
  reader.at = at;
  return list(reader, readTableEntry);
}

/** Takes what follows `set`: other policies, or interfaces to skip. */
export function readOption(
  reader: Reader,
  policies: Policies,
): { readonly policies: Policies; readonly skip: readonly string[] } {
  switch (keyword(reader, "skip", "block-policy", "state-policy")) {
    case "skip":
      if (keyword(reader, "on") === undefined) refuse(reader, "syntax error");
      return { policies, skip: list(reader, () => name(reader, "interface", 15)) };
    case "block-policy": {
      const block = keyword(reader, "drop", "return") ?? refuse(reader, "syntax error");
      return { policies: { ...policies, block }, skip: [] };
    }
    case "state-policy": {
      const state = keyword(reader, "floating", "if-bound") ?? refuse(reader, "syntax error");
      return { policies: { ...policies, state }, skip: [] };
    }
    case undefined:
      return refuse(reader, "the option is not read here");
  }
}

/** Of no concern to what passes: it is read, and not kept. */
export function readScrub(reader: Reader): void {
  keyword(reader, "in", "out");
  expand(reader, readStatement(reader, undefined));
  const seen = new Set<string>();
  while (peek(reader).kind !== "newline") {
    const option = keyword(reader, "no-df", "random-id", "min-ttl", "max-mss", "fragment");
    if (option === undefined || seen.has(option)) refuse(reader, "syntax error");
    seen.add(option);
    if (option === "min-ttl") number(reader, 0, 255);
    if (option === "max-mss") number(reader, 0, 65535);
    if (option === "fragment" && keyword(reader, "reassemble") === undefined) {
      refuse(reader, "syntax error");
    }
  }
}

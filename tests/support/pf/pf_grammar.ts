/**
 * A strict reader of a subset of pf.conf(5): what it accepts, pfctl and the kernel of FreeBSD 13, 14
 * and 15 accept, as sbin/pfctl/parse.y has it. What it refuses may still be right: macros,
 * `include`, names of hosts and services, rules in braces, `antispoof`, `match`, `route-to`,
 * queues and layer 2 are not read here at all.
 *
 * Rules that a file has twice are refused, because the kernel of FreeBSD 14 does it (EEXIST of
 * pf_ioctl_addrule() in sys/netpfil/pf/pf_ioctl.c), in 14.0 even when they differ in tag or pool.
 */
import { readFilterAnchor, readTranslationAnchor } from "./pf_anchor_rules.ts";
import { readOption, readScrub, readTable } from "./pf_declarations.ts";
import { type Policies, readFilterRules, type Untold } from "./pf_filter.ts";
import { keyword, peek, type Reader, readerOf, refuse } from "./pf_reader.ts";
import type {
  AnchorRule,
  FilterRule,
  Ruleset,
  TranslationKind,
  TranslationRule,
} from "./pf_rules.ts";
import { readTranslationRules } from "./pf_translation.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

/** What is read so far. */
interface Parser {
  readonly reader: Reader;
  readonly ruleset: Mutable<Ruleset>;
  policies: Policies;
  stage: number;
  readonly known: Set<string>;
}

/** pfctl wants statements in this order; tables may stand anywhere. */
const STAGES = { option: 1, normalization: 2, translation: 3, filter: 4 } as const;

/**
 * The rules of a file, lists expanded.
 *
 * @throws {PfSyntaxError} `LINE: why` for the first statement that is refused.
 */
export function parseRuleset(text: string): Ruleset {
  const ruleset = { tables: [], skip: [], nat: [], rdr: [], binat: [], filter: [] };
  const reader = readerOf(text);
  const policies: Policies = { block: "drop", state: "floating" };
  const parser: Parser = { reader, ruleset, policies, stage: 0, known: new Set() };
  while (reader.at < reader.tokens.length) {
    skipToStatement(reader);
    if (reader.at < reader.tokens.length) readStatementOf(parser);
  }
  return ruleset;
}

function skipToStatement(reader: Reader): void {
  while (reader.tokens[reader.at]?.kind === "newline") reader.at++;
}

const FIRST_WORDS = [
  ...["set", "scrub", "table", "no", "nat", "rdr", "binat", "pass", "block", "anchor"] as const,
  ...["nat-anchor", "rdr-anchor", "binat-anchor"] as const,
];

const ANCHOR_KINDS = { "nat-anchor": "nat", "rdr-anchor": "rdr", "binat-anchor": "binat" } as const;

function readStatementOf(parser: Parser): void {
  const { reader, policies, ruleset } = parser;
  const start = peek(reader).start;
  const word = keyword(reader, ...FIRST_WORDS);
  switch (word) {
    case "set":
      enter(parser, "option");
      readSet(parser);
      break;
    case "scrub":
      enter(parser, "normalization");
      readScrub(reader);
      break;
    case "table":
      ruleset.tables.push(readTable(reader, ruleset.tables));
      break;
    case "no":
    case "nat":
    case "rdr":
    case "binat":
      addTranslation(parser, start, word);
      break;
    case "nat-anchor":
    case "rdr-anchor":
    case "binat-anchor": {
      enter(parser, "translation");
      const kind = ANCHOR_KINDS[word];
      add(ruleset[kind], addText(parser, start, kind, readTranslationAnchor(reader, kind)));
      break;
    }
    case "pass":
    case "block":
      enter(parser, "filter");
      add(ruleset.filter, addText(parser, start, "", readFilterRules(reader, word, policies)));
      break;
    case "anchor":
      enter(parser, "filter");
      add(ruleset.filter, addText(parser, start, "", readFilterAnchor(reader)));
      break;
    case undefined:
      refuse(reader, "syntax error");
  }
  if (peek(reader).kind !== "newline") refuse(reader, "syntax error");
}

function addTranslation(
  parser: Parser,
  start: number,
  word: "no" | TranslationKind,
): void {
  const { reader, ruleset } = parser;
  const kind = word === "no" ? keyword(reader, "nat", "rdr", "binat") : word;
  if (kind === undefined) refuse(reader, "syntax error");
  enter(parser, "translation");
  const rules = readTranslationRules(reader, kind, word === "no");
  add(ruleset[kind], addText(parser, start, kind, rules));
}

function add<T>(list: T[], rules: readonly T[]): void {
  list.push(...rules);
}

function readSet(parser: Parser): void {
  const { policies, skip } = readOption(parser.reader, parser.policies);
  parser.policies = policies;
  parser.ruleset.skip.push(...skip);
}

function enter(parser: Parser, stage: keyof typeof STAGES): void {
  if (parser.stage > STAGES[stage]) {
    refuse(parser.reader, "Rules must be in order: options, normalization, translation, filtering");
  }
  parser.stage = STAGES[stage];
}

/** The rules with their statement, which ends here. */
function addText<T extends FilterRule | AnchorRule | TranslationRule>(
  { reader, known }: Parser,
  start: number,
  listName: string,
  rules: readonly Untold<T>[],
): readonly T[] {
  const end = reader.tokens[reader.at - 1]?.end;
  const text = reader.source.slice(start, end).replace(/\s+/g, " ");
  return rules.map((rule) => {
    const key = `${listName} ${hashed(rule)}`;
    if (known.has(key)) refuse(reader, "the rule is there already: File exists");
    known.add(key);
    return { ...rule, text } as T;
  });
}

/** What FreeBSD 14.0 compares: neither the tag, nor the pool, nor the `/*` of an anchor. */
function hashed(rule: Untold<FilterRule | AnchorRule | TranslationRule>): string {
  const pool = "pool" in rule && rule.pool !== undefined;
  const kept = { ...rule, tag: undefined, pool, maxStates: undefined };
  const told = "name" in kept ? { ...kept, name: String(kept.name).replace(/\/?\*$/, "") } : kept;
  return JSON.stringify(told, (_, value) => typeof value === "bigint" ? `${value}` : value);
}

/** Tables that rules refer to and the file does not define: pfctl takes them for empty. */
export function undefinedTables(ruleset: Ruleset): readonly string[] {
  const defined = new Set(ruleset.tables.map((table) => table.name));
  return [...referredTables(ruleset)].filter((table) => !defined.has(table));
}

/** The names of the tables that rules refer to. */
export function referredTables({ nat, rdr, binat, filter }: Ruleset): ReadonlySet<string> {
  const names = new Set<string>();
  for (const rule of [...nat, ...rdr, ...binat, ...filter]) {
    const { source, destination } = rule.criteria;
    const pool = "pool" in rule ? rule.pool?.addresses ?? [] : [];
    for (const address of [source.address, destination.address, ...pool]) {
      if (address.kind === "table") names.add(address.name);
    }
  }
  return names;
}

/** What pf holds in an anchor, compared with what should be there. */
import type { Command, CommandResult } from "../../core/command.ts";
import type { Answers } from "../../core/firewall_backend.ts";
import { kindOfAnchor } from "./anchor_path.ts";
import { printedBy } from "./main_ruleset.ts";
import type { Anchor, Table, TranslationRule } from "./rules.ts";
import { formatFilterRule, formatTranslation, tableEntries } from "./script.ts";

/** The questions that tell what an anchor holds. `-P`: ports as numbers, pfctl(8). */
interface Listings {
  readonly translation: Command;
  /** Absent: nothing of it would be met. */
  readonly filter?: Command;
  /** Of the tables that such an anchor can have. */
  readonly tables: ReadonlyMap<Table["name"], Command>;
}

/** @param named Tables beside those that every anchor of the kind may have. */
function listingsOf(path: string, named: readonly Table["name"][] = []): Listings {
  const ask = (...args: readonly string[]): Command => ({
    program: "pfctl",
    args: ["-a", path, ...args],
  });
  const translation = ask("-P", "-s", "nat");
  return {
    translation,
    ...(kindOfAnchor(path) === "redirections" ? {} : { filter: ask("-P", "-s", "rules") }),
    tables: new Map(
      [...tablesAt(path), ...named].map((name) => [name, ask("-t", name, "-T", "show")]),
    ),
  };
}

function tablesAt(path: string): readonly Table["name"][] {
  switch (kindOfAnchor(path)) {
    case "guard":
      return ["subnets", "guests", "elsewhere"];
    case "bridge":
      return ["natdst", "subnets", "guests"];
    case "beyond":
      return ["natdst", "guests"];
    case "redirections":
    case "masquerade":
      return [];
  }
}

/**
 * All that {@linkcode compareAnchor} reads.
 *
 * @param named Tables of the anchor whose names come from what it is for.
 */
export function listingQuestions(
  path: string,
  named: readonly Table["name"][] = [],
): readonly Command[] {
  const { translation, filter, tables } = listingsOf(path, named);
  return [translation, ...(filter === undefined ? [] : [filter]), ...tables.values()];
}

/**
 * The interface that the rules of an anchor take for the way outside, by what is live: that of the
 * translation, and of the rule against false sources. Undefined: they name none.
 */
export function standingInterface(path: string, answers: Answers): string | undefined {
  const { translation, filter } = listingsOf(path);
  const text = [translation, ...(filter === undefined ? [] : [filter])]
    .map((one) => printedBy(answers, one)).join("\n");
  return /^(?:nat pass|block drop in quick) on (\S+) inet from /m.exec(text)?.[1];
}

/** How what is live compares with what should be. */
export type Comparison =
  /** Nobody asked. */
  | { readonly kind: "unknown" }
  | { readonly kind: "equal" }
  /** `isEmpty`: the anchor has no rules at all. `differences`: sentences without a period. */
  | {
    readonly kind: "different";
    readonly isEmpty: boolean;
    readonly differences: readonly string[];
  };

/** Rules as they are compared, of those that are live. */
export type Reading = (lines: readonly string[]) => readonly string[];

/**
 * Compares rule by rule. pfctl prints rules in one form whatever form they were given in, and that is
 * the one we give them in.
 *
 * @param read What of the live rules is compared.
 */
export function compareAnchor(
  anchor: Anchor,
  answers: Answers,
  read: Reading = (lines) => lines,
): Comparison {
  const { path, tables } = anchor;
  const questions = listingsOf(path, tables.map(({ name }) => name));
  const linesOf = (question: Command | undefined): readonly string[] | undefined => {
    if (question === undefined) return [];
    const answer = answers.to(question);
    return answer === undefined ? undefined : read(printedLines(answer));
  };
  const translation = linesOf(questions.translation);
  const filter = linesOf(questions.filter);
  if (translation === undefined || filter === undefined) return { kind: "unknown" };
  const differences = [
    ...compareRules(path, translation, anchor.translation.map(printedTranslation)),
    ...compareRules(path, filter, anchor.filter.map((rule) => formatFilterRule(rule, asPrinted))),
    ...tables.flatMap((table) =>
      compareTable(path, tableLines(questions, table.name, answers), table)
    ),
    ...tablesLeft(anchor, answers).map((name) =>
      `Table <${name}> of anchor "${path}" is left over`
    ),
  ];
  if (differences.length === 0) return { kind: "equal" };
  return { kind: "different", isEmpty: translation.length + filter.length === 0, differences };
}

/** The table that stays, because it was loaded to persist, when no rule of the anchor names it any more. */
export function tablesLeft({ path, tables }: Anchor, answers: Answers): readonly Table["name"][] {
  if (kindOfAnchor(path) !== "bridge") return [];
  const question = listingsOf(path).tables.get("natdst");
  const answer = question === undefined ? undefined : answers.to(question);
  if (answer === undefined || /does not exist/.test(answer.stderr)) return [];
  // Where pfctl does not tell, there may be one: to remove what is not there is no error.
  const isThere = answer.status !== 0 || printedLines(answer).length > 0;
  return isThere && !tables.some(({ name }) => name === "natdst") ? ["natdst"] : [];
}

/** What does not exist is printed as nothing at all, with a complaint and whatever status. */
function printedLines({ stdout }: CommandResult): readonly string[] {
  return stdout.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

function asPrinted(name: string): string {
  return name;
}

function tableLines(
  { tables }: Listings,
  name: Table["name"],
  answers: Answers,
): readonly string[] {
  const question = tables.get(name);
  const answer = question === undefined ? undefined : answers.to(question);
  return answer === undefined ? [] : printedLines(answer);
}

/** One line of `pfctl -s nat`. */
export function printedTranslation(rule: TranslationRule): string {
  const text = formatTranslation(rule, asPrinted);
  // pf chooses from the addresses of an interface in turn, and says so.
  if (rule.kind === "nat") return rule.address === undefined ? `${text} round-robin` : text;
  if (rule.kind !== "nat pass") return text;
  // The ports that pf takes by default it does not print.
  const printed = text.replace(" port 50001:65535", "");
  return rule.pool === undefined ? `${printed} round-robin` : printed;
}

/** The translation that is live in an anchor; nothing where nobody asked. */
export function liveTranslation(path: string, answers: Answers): readonly string[] {
  const answer = answers.to(listingsOf(path).translation);
  return answer === undefined ? [] : printedLines(answer);
}

function compareRules(
  path: string,
  live: readonly string[],
  wanted: readonly string[],
): readonly string[] {
  const [had, has] = [new Set(wanted), new Set(live)];
  const missing = wanted.filter((line) => !has.has(line));
  const foreign = live.filter((line) => !had.has(line));
  const reordered = missing.length + foreign.length === 0 && live.join("\n") !== wanted.join("\n");
  return [
    ...missing.map((line) => `Rule is missing from anchor "${path}": ${line}`),
    ...foreign.map((line) => `Rule in anchor "${path}" is not ours: ${line}`),
    ...(reordered ? [`Rules of anchor "${path}" are not as they were loaded`] : []),
  ];
}

function compareTable(path: string, live: readonly string[], table: Table): readonly string[] {
  const wanted = tableEntries(table).toSorted();
  if (live.toSorted().join(" ") === wanted.join(" ")) return [];
  return [
    `Table <${table.name}> of anchor "${path}" holds ${live.join(", ") || "nothing"} instead of ` +
    wanted.join(", "),
  ];
}

/** The scripts of many steps → the one script of a run. */
import type { Command, Program, RuleProgram } from "../command.ts";

/** The programs that hold rules, in the order in which they are run. */
export const RULE_PROGRAMS: readonly RuleProgram[] = [
  "nft",
  "iptables-nft-restore",
  "iptables-legacy-restore",
  "ip6tables-nft-restore",
  "ip6tables-legacy-restore",
  "pfctl",
];

/** Whether what the program is given are rules, rather than settings beside them. */
export function holdsRules(program: Program): program is RuleProgram {
  return RULE_PROGRAMS.some((known) => known === program);
}

/** Whether the command brings or takes away rules; pfctl is also told to end connections. */
export function carriesRules({ program, stdin }: Command): boolean {
  return holdsRules(program) && stdin !== undefined;
}

/** Whether it takes a script table by table (iptables) and not as a whole. */
export function takesTables(program: Program): boolean {
  return holdsRules(program) && program !== "nft" && program !== "pfctl";
}

/**
 * The question whether a command would be taken; nothing is changed. Absent where asking is of no use:
 * nft and pfctl take a script whole or not at all, so running it is asking. Of a restore with several
 * tables the first could be in place when the second is refused.
 */
export function questionOf(command: Command): Command | undefined {
  if (!takesTables(command.program)) return undefined;
  return { ...command, args: ["--test", ...command.args] };
}

/** One script that first takes away and then brings in, as far as the program can do both at once. */
export function joinScripts(
  program: Program,
  removals: readonly string[],
  installations: readonly string[],
): string {
  if (takesTables(program)) return joinTables(removals, installations);
  // What pfctl loads takes the place of all that the anchor held.
  if (program === "pfctl") return installations.at(-1) ?? removals.at(-1) ?? "";
  return [...removals, ...installations].join("");
}

/** The lines of one table of iptables. */
type Lines = readonly string[];

/**
 * What is installed first comes first: a packet is let through only once it would be translated, and
 * nothing leads to guests by 127.0.0.1 before others are kept from there (raw).
 */
const INSTALLATION_ORDER = ["raw", "mangle", "nat", "filter"];

/**
 * iptables takes one table at a time, whole: `*TABLE`, lines, `COMMIT`. Each table is given once, and
 * what goes and what comes in it meet there. Only between two tables there is a moment with one
 * of them old and the other new, so their order matters: translation comes before the filter lets
 * packets out, and goes after the filter has stopped them. A table that removes a chain in order to make
 * it again has to do both at once.
 */
function joinTables(removals: readonly string[], installations: readonly string[]): string {
  const going = collectTables(removals);
  const coming = collectTables(installations);
  const tables = [...new Set([...INSTALLATION_ORDER, ...going.keys(), ...coming.keys()])];
  const early: (readonly [table: string, lines: Lines])[] = [];
  const late: (readonly [table: string, lines: Lines])[] = [];
  for (const table of tables) {
    const [away, back] = [going.get(table) ?? [], coming.get(table) ?? []];
    const atOnce = table === "filter" || makesAgain(away, back);
    early.push([table, atOnce ? [...away, ...back] : back]);
    late.unshift([table, atOnce ? [] : away]);
  }
  return [...early, ...late].filter(([, lines]) => lines.length > 0)
    .map(([table, lines]) => [`*${table}`, ...lines, "COMMIT", ""].join("\n")).join("");
}

function makesAgain(going: Lines, coming: Lines): boolean {
  const made = new Set(coming.filter((line) => line.startsWith("-N ")));
  return going.some((line) => line.startsWith("-X ") && made.has(`-N ${line.slice("-X ".length)}`));
}

function collectTables(scripts: readonly string[]): ReadonlyMap<string, Lines> {
  const tables = new Map<string, string[]>();
  for (const script of scripts) {
    let lines: string[] = [];
    for (const line of script.split("\n")) {
      if (line.startsWith("*")) {
        const table = line.slice(1);
        lines = tables.get(table) ?? [];
        tables.set(table, lines);
      } else if (line !== "" && line !== "COMMIT") lines.push(line);
    }
  }
  return tables;
}

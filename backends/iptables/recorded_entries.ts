/** Whether the shared chains hold what the records say. */
import { commandsOf } from "../../core/change/change.ts";
import type { Facts } from "../../core/firewall_backend.ts";
import { isShared, jumpsOf } from "./parts.ts";
import { readSaved, readWords, type SavedTable } from "./saved.ts";
import { ruleText, textOf } from "./drift.ts";
import { formatLine } from "./script.ts";
import { type FamilyPrograms, PROGRAMS } from "./variant.ts";

/**
 * False when an entry of a shared chain, or a jump there, is missing, is there twice, or is not ours. The
 * chains of single networks are not looked at: they are filled anew with each refresh.
 *
 * What has to be there is what the removals on record would take away: every `-D` line once.
 */
export function standsAsRecorded({ answers, standing }: Facts): boolean {
  return PROGRAMS.every((programs) => {
    const answer = answers.to(programs.save);
    if (answer === undefined || answer.status !== 0) return true;
    const recorded = recordedEntries(programs, standing);
    if (recorded.size === 0) return true;
    const live = [...readSaved(answer.stdout)].flatMap(([name, table]) => liveEntries(name, table));
    return live.length === recorded.size && new Set(live).size === live.length &&
      live.every((entry) => recorded.has(entry));
  });
}

/** `TABLE CHAIN RULE` of each entry that the removals name. */
function recordedEntries(
  { restore }: FamilyPrograms,
  standing: Facts["standing"],
): ReadonlySet<string> {
  const scripts = commandsOf(standing).filter(({ program }) => program === restore).map((
    { stdin = "" },
  ) => stdin.split("\n"));
  return new Set(scripts.flatMap((lines) => {
    const table = lines[0]?.slice(1) ?? "";
    return lines.filter((line) => line.startsWith("-D ")).map((line) => {
      const [, chain = "", ...words] = readWords(line);
      return `${table} ${chain} ${formatLine(words)}`;
    });
  }));
}

function liveEntries(name: string, table: SavedTable): readonly string[] {
  const jumps = jumpsOf(name);
  const own = new Set(jumps.map(({ rule }) => ruleText(rule)));
  return [...table].flatMap(([chain, rules]) => {
    const holdsEntries = isShared(chain);
    if (!holdsEntries && !jumps.some((jump) => jump.chain === chain)) return [];
    return rules.map(textOf).filter((text) => holdsEntries || own.has(text)).map((text) =>
      `${name} ${chain} ${text}`
    );
  });
}

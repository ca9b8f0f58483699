/** Everything of ours that is live → the script that takes it away. */
import { type CommandResult, firstLine } from "../../core/command.ts";
import { NoBackendError } from "../../core/firewall_backend.ts";
import { isOurs, jumpsOf, type Rule } from "./parts.ts";
import { hiddenSentence, hiddenTables, readSaved, type SavedTable } from "./saved.ts";
import { formatTable } from "./script.ts";

/**
 * The script for one family; undefined when it has nothing of ours, or the program is not there.
 *
 * Our chains go, and the jumps to them from where we jump, however often they are there and whatever
 * their comment says. A rule of somebody else that leads to one of our chains is not touched, and iptables then refuses to delete the chain.
 *
 * @param isUsed Whether a network on record has rules there.
 * @throws {NoBackendError} When it is used and cannot be listed, or not all of it.
 */
export function resetScript(
  saved: CommandResult | undefined,
  isUsed: boolean,
): string | undefined {
  if (saved === undefined || saved.status === 127) return undefined;
  const [hidden] = hiddenTables(saved.stdout);
  if (isUsed && hidden !== undefined) throw new NoBackendError(hiddenSentence(hidden));
  if (isUsed && saved.status !== 0) {
    throw new NoBackendError(`Cannot list the rules of iptables: ${firstLine(saved.stderr)}`);
  }
  if (saved.status !== 0) return undefined;
  const scripts = [...readSaved(saved.stdout)].flatMap(([name, table]) => {
    const lines = resetLines(name, table);
    return lines.length === 0 ? [] : [formatTable(name, lines)];
  });
  return scripts.length === 0 ? undefined : scripts.join("");
}

function resetLines(name: string, table: SavedTable): readonly (readonly string[])[] {
  const chains = [...table.keys()].filter(isOurs);
  return [
    ...jumpsOf(name).flatMap(({ chain, rule }) => {
      const live = (table.get(chain) ?? []).map(({ words }) => words);
      return live.filter((words) => isJump(words, rule)).map((words) => ["-D", chain, ...words]);
    }),
    ...chains.map((chain) => ["-F", chain]),
    ...chains.map((chain) => ["-X", chain]),
  ];
}

/** One of ours, or of another version of this program: that says what we say, whatever it matches. */
function isJump(words: readonly string[], { match, comment, verdict }: Rule): boolean {
  const at = words.indexOf("--comment");
  const bare = words.filter((_, index) => at === -1 || index < at - 2 || index > at + 1);
  const leads = words.slice(-verdict.length).join(" ") === verdict.join(" ");
  return bare.join(" ") === [...match, ...verdict].join(" ") ||
    (leads && at !== -1 && words[at + 1] === comment);
}

/** What pfctl of a host in memory keeps and answers: the anchors, as they were loaded. */
import type { CommandResult } from "../../core/command.ts";

/** The text that each anchor was loaded with, by its path. */
export type Anchors = ReadonlyMap<string, string>;

/** How a run of pfctl ends, and what it leaves. */
export interface PfctlRun {
  readonly anchors: Anchors;
  readonly result: CommandResult;
}

const DONE: CommandResult = { status: 0, stdout: "", stderr: "" };

/** The main ruleset of the administrator: it has what the manual asks for. */
const MAIN: Readonly<Record<string, string>> = {
  "-s info": "Status: Enabled for 0 days 00:01:02           Debug: Urgent\n",
  "-s nat": 'nat-anchor "bridgewall/*" all\nrdr-anchor "bridgewall/*" all\n',
  "-s rules": 'anchor "bridgewall/*" all\n',
  "-v -s Interfaces": "all\nlo0 (skip)\nre0\n",
};

/** Runs pfctl, which as in FreeBSD 15 makes an error of flushing what is not there. */
export function runPfctl(anchors: Anchors, args: readonly string[], stdin: string): PfctlRun {
  const [option, path = "", ...rest] = args;
  const words = (option === "-a" ? rest : args).join(" ");
  const answer = (stdout: string): PfctlRun => ({ anchors, result: { ...DONE, stdout } });
  if (option !== "-a") return answer(MAIN[words] ?? "");
  const text = anchors.get(path);
  const table = /^-t (\S+) -T show$/.exec(words)?.[1];
  if (table !== undefined) return { anchors, result: showTable(text ?? "", table) };
  const killed = /^-t (\w+) -T kill$/.exec(words)?.[1];
  if (killed !== undefined && text !== undefined) {
    const rest = text.replace(new RegExp(`^table <${killed}> .*\\n`, "m"), "");
    return { anchors: new Map([...anchors, [path, rest]]), result: DONE };
  }
  switch (words) {
    case "-f -":
      return {
        anchors: new Map([...anchors, [path, persisting(text ?? "", stdin) + stdin]]),
        result: DONE,
      };
    case "-F all":
      return {
        anchors: new Map([...anchors].filter(([name]) => name !== path)),
        result: text === undefined ? MISSING : DONE,
      };
    case "-P -s nat":
      return answer(printedTranslation(text ?? ""));
    case "-v -P -s nat":
      return answer(printedTranslation(text ?? "").replaceAll("\n", `\n${COUNTED}`));
    case "-P -s rules":
      return answer(printed(text ?? "", /^(pass|block) .*\n/gm));
    default:
      return answer("");
  }
}

/** Tables that were loaded to persist, and of which the new text does not speak. */
function persisting(before: string, after: string): string {
  return (before.match(/^table <\w+> persist .*\n/gm) ?? []).filter((line) => {
    const [name = ""] = /<\w+>/.exec(line) ?? [];
    return !after.includes(`table ${name} `);
  }).join("");
}

const MISSING: CommandResult = {
  ...DONE,
  status: 1,
  stderr: "rules cleared\nnat cleared\npfctl: Anchor or Ruleset does not exist.\n",
};

/** pf counts what it translates. */
const COUNTED =
  "  [ Evaluations: 7         Packets: 3         Bytes: 180         States: 1     ]\n" +
  "  [ Inserted: uid 0 pid 4711 State Creations: 1     ]\n";

/** Rules that change sources come first, whatever the order in the file. */
function printedTranslation(text: string): string {
  const lines = printed(text, /^(no )?nat .*\n/gm) + printed(text, /^rdr(-anchor)? .*\n/gm);
  return lines.replace(/( -> \(.*)$/gm, "$1 round-robin").replaceAll(" port 50001:65535", "");
}

function printed(text: string, lines: RegExp): string {
  return (text.match(lines) ?? []).join("");
}

function showTable(text: string, name: string): CommandResult {
  const [, entries] =
    new RegExp(`^table <${RegExp.escape(name)}> .*\\{ (.*) \\}$`, "m").exec(text) ?? [];
  if (entries === undefined) {
    return { ...DONE, status: 255, stderr: "pfctl: Table does not exist.\n" };
  }
  // Of two entries for one address pf takes the first, with or without `!`.
  const addresses = entries.split(", ").map((entry) => entry.replace("!", ""));
  const taken = entries.split(", ").filter((_, at) =>
    addresses.indexOf(addresses[at] ?? "") === at
  );
  return { ...DONE, stdout: taken.map((entry) => `   ${entry}\n`).join("") };
}

/** All anchors as text, the same for hosts that do the same. */
export function describeAnchors(anchors: Anchors): string {
  return [...anchors].toSorted(([one], [other]) => one < other ? -1 : 1)
    .map(([path, text]) => `anchor ${path}\n${text}`).join("");
}

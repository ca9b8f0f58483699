/** A command of a change that failed, in words that show what was asked and what was answered. */
import { type Command, type CommandResult, firstLine, linesOf } from "../command.ts";
import { HostError } from "../host.ts";

/** Scripts up to here are shown whole, longer ones around the lines that the program complains of. */
const WHOLE_SCRIPT_LINES = 40;
const LINES_AROUND = 2;

/** A required command failed. Exit code 1, and nothing of the operation is left. */
export class StepFailedError extends HostError {
  /** What was run, with its script: that of several steps where they were joined. */
  readonly command: Command;
  /** What the program answered; the message shows the most of it. */
  readonly result: CommandResult;

  /**
   * Makes the message: what the program said, and the lines of the script that it complains of.
   *
   * @param purpose What was to be done, as the end of "Cannot …".
   */
  constructor(purpose: string, command: Command, result: CommandResult) {
    super(
      [`Cannot ${purpose}: ${outcome(command, result.status)}`, ...details(command, result)].join(
        "\n",
      ),
    );
    this.command = command;
    this.result = result;
  }
}

/** What is lost because an optional command failed, and why it did. */
export function lossOf(loss: string, command: Command, result: CommandResult): string {
  const said = firstLine(result.stderr);
  return `${loss} (${outcome(command, result.status)}${said === "" ? "" : `: ${said}`})`;
}

/** How a command ended, in a few words. */
export function outcome({ program }: Pick<Command, "program">, status: number): string {
  switch (status) {
    case 127:
      return `the program "${program}" is not installed`;
    case 126:
      return `the program "${program}" may not be run`;
    default:
      return `${program} exited with status ${status}`;
  }
}

function details({ stdin }: Command, { stderr }: CommandResult): readonly string[] {
  const said = stderr.trimEnd() === "" ? [] : linesOf(stderr.trimEnd());
  return [
    ...said.slice(0, WHOLE_SCRIPT_LINES).map((line) => `  ${line}`),
    ...(said.length > WHOLE_SCRIPT_LINES
      ? [`  … and ${said.length - WHOLE_SCRIPT_LINES} more lines`]
      : []),
    ...(stdin === undefined ? [] : numberedScript(stdin, reportedLines(stderr))),
  ];
}

/**
 * Line numbers as nft (`/dev/stdin:3:1-5:`, or another file), tc (`failed -:3`) and iptables (`line 3
 * failed`, `Error occurred at line: 3`) write them.
 */
function reportedLines(stderr: string): ReadonlySet<number> {
  const found = stderr.matchAll(/(?:^\S*|failed \S*):(\d+)(?:[:\s]|$)|\bline:? (\d+)/gm);
  return new Set([...found].map(([, one, other]) => Number(one ?? other)));
}

/** The script with line numbers; a long one only around the lines that matter. */
export function numberedScript(script: string, lines: ReadonlySet<number>): readonly string[] {
  const all = script.trimEnd().split("\n");
  const whole = all.length <= WHOLE_SCRIPT_LINES;
  const near = (line: number): boolean =>
    whole || [...lines].some((reported) => Math.abs(reported - line) <= LINES_AROUND);
  const width = String(all.length).length;
  return all.flatMap((text, index) =>
    near(index + 1) ? [`${String(index + 1).padStart(width)} | ${text}`] : []
  );
}

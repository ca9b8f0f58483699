/** Programs of a FreeBSD host that answer, or are an error. */
import {
  type Command,
  type CommandResult,
  type CommandRunner,
  firstLine,
} from "../core/command.ts";
import { HostError } from "../core/host.ts";
import { cutToBytes, printable } from "../core/quoted.ts";

/**
 * What the program prints.
 *
 * @throws {HostError} When it fails.
 */
export async function ask(runner: CommandRunner, command: Command): Promise<string> {
  const result = await runner.run(command);
  if (result.status !== 0) throw cannotAsk(command, result);
  return result.stdout;
}

/** Bytes of what a program said: more than its own messages have. */
const LONGEST_QUOTE = 400;

/** The error for a program that failed. */
export function cannotAsk(command: Command, { status, stderr }: CommandResult): HostError {
  const said = printable(cutToBytes(firstLine(stderr), LONGEST_QUOTE)) ||
    `it ended with status ${status}`;
  const why = status === 127 ? "the program is not installed" : said;
  return new HostError(`Cannot ask the host about its network: ${lineOf(command)}: ${why}`);
}

/** The error for one that said something else than it should. */
export function cannotUnderstand(command: Command, problem: string): HostError {
  return new HostError(`Cannot understand the answer of \`${lineOf(command)}\`: ${problem}`);
}

function lineOf({ program, args }: Command): string {
  return printable([program, ...args].join(" "));
}

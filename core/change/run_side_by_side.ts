/** Runs of programs that do not wait for one another. */
import type { Command, CommandResult, CommandRunner } from "../command.ts";

/** A host has only so many processes. */
const AT_ONCE = 16;

/** One run, and how it ended. */
export interface Ran {
  /** As it was given. */
  readonly command: Command;
  /** Also of a program that failed. */
  readonly result: CommandResult;
}

/** Runs all of them, some at a time, and tells of each in the order given. */
export async function runSideBySide(
  runner: CommandRunner,
  commands: readonly Command[],
): Promise<readonly Ran[]> {
  const waiting = commands.entries();
  const ran: Ran[] = [];
  const runInTurn = async (): Promise<void> => {
    // All take from the same iterator, which gives each command once.
    for (const [index, command] of waiting) {
      ran[index] = { command, result: await runner.run(command) };
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runInTurn));
  return ran;
}

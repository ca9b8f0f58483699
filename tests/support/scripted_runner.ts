/** Programs that answer as a test wants, and remember what they were asked. */
import type { Command, CommandResult, CommandRunner } from "../../core/command.ts";
import type { Host } from "../../core/host.ts";

/** A runner with its memory. */
export interface ScriptedRunner extends CommandRunner, Pick<Host, "pause"> {
  /** Every command that was run, as `program: input` or `program arguments`. */
  readonly ran: readonly string[];
}

/** @param answer The parts of a result that differ from silent success. */
export function scriptedRunner(
  answer: (command: Command, line: string) => Partial<CommandResult> = () => ({}),
): ScriptedRunner {
  const ran: string[] = [];
  return {
    ran,
    pause: () => Promise.resolve(),
    run: (command) => {
      const { program, args, stdin } = command;
      const line = stdin === undefined
        ? [program, ...args].join(" ")
        : `${program}: ${stdin.trimEnd().replaceAll("\n", " / ")}`;
      ran.push(line);
      return Promise.resolve({ status: 0, stdout: "", stderr: "", ...answer(command, line) });
    },
  };
}

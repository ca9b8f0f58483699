/** Results and errors → text and exit code. The only printer. */
import type { CommandOutput, Messages } from "../commands/context.ts";
import type { Command } from "../command.ts";
import { exitCodeOf } from "../own_error.ts";
import type { Manner } from "./read_arguments.ts";

/** Where the words go. */
export interface Terminal {
  /**
   * Writes to standard output, where only results go.
   *
   * @throws {HostError} When they cannot be written, as on a full disk.
   */
  writeData(text: string): void;
  /** Writes to standard error: notes, warnings and errors. What cannot be written is lost. */
  writeMessage(text: string): void;
  /** True when messages may be coloured. */
  readonly colour: boolean;
}

const COLOURS = { error: "\x1b[1;31m", warning: "\x1b[1;33m", hint: "\x1b[1;36m" } as const;

/** Messages of a running command, on standard error. */
export function messages(terminal: Terminal, manner: Manner): Messages {
  const write = (kind: string, text: string, plain: string): void =>
    terminal.writeMessage(manner.json ? jsonLine({ [kind]: text }) : `${plain}\n`);
  return {
    note: (text) => {
      if (!manner.quiet) write("note", text, text);
    },
    warn: (text) => write("warning", text, `${label(terminal, manner, "warning")}: ${text}`),
    detail: (text) => {
      if (manner.verbose) write("detail", text, text);
    },
    event: (text, json) => terminal.writeData(manner.json ? jsonLine(json) : `${text}\n`),
  };
}

/** With `--json` standard error holds one object a line: `note`, `warning`, `detail` or `error`. */
function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** A command that is about to run, for `--verbose`. */
export function commandTrace({ program, args, stdin }: Command): string {
  const line = `run: ${[program, ...args].join(" ")}`;
  return stdin === undefined ? line : `${line}\n${stdin.trimEnd()}`;
}

/** Prints what a command has to say. */
export function reportOutput(terminal: Terminal, manner: Manner, output: CommandOutput): number {
  const { text, json } = output;
  const lines = !manner.json ? text : json === undefined ? [] : [JSON.stringify(json, null, 2)];
  if (lines.length > 0) terminal.writeData(`${lines.join("\n")}\n`);
  return output.exitCode;
}

/** Prints an error and gives the exit code for it. What is not a known error is a defect: thrown on. */
export function reportError(terminal: Terminal, manner: Manner, error: unknown): number {
  const exitCode = exitCodeOf(error);
  if (exitCode === undefined || !(error instanceof Error)) throw error;
  const hint = "hint" in error && typeof error.hint === "string" ? error.hint : undefined;
  if (manner.json) {
    const { message } = error;
    const body = { error: { message, ...(hint === undefined ? {} : { hint }), exitCode } };
    terminal.writeMessage(jsonLine(body));
    return exitCode;
  }
  terminal.writeMessage(`${label(terminal, manner, "error")}: ${error.message}\n`);
  if (hint !== undefined) {
    terminal.writeMessage(`\n${label(terminal, manner, "hint")}: ${hint}\n`);
  }
  return exitCode;
}

function label({ colour }: Terminal, { color }: Manner, word: keyof typeof COLOURS): string {
  return colour && color ? `${COLOURS[word]}${word}\x1b[0m` : word;
}

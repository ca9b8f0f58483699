/** Programs that go on, and what they print as they print it. */
import type { Command } from "../core/command.ts";
import { printedText } from "./printed_text.ts";
import { ENVIRONMENT, programPaths } from "./run_command.ts";

/** One that does not end when it is told to is not waited for any longer, in milliseconds. */
const PATIENCE = 2000;

/**
 * Runs a program, and gives its lines as they come. Ends with the program, or when the signal is given; then
 * the program has ended, too. Needs `--allow-run` for its paths.
 */
export async function* followCommand(
  { program, args }: Command,
  end: AbortSignal,
): AsyncIterable<string> {
  if (end.aborted) return;
  const child = start(programPaths(program), args);
  if (child === undefined) return;
  const stop = (): void => {
    kill(child, "SIGTERM");
    const timer = setTimeout(() => kill(child, "SIGKILL"), PATIENCE);
    child.status.then(() => clearTimeout(timer));
  };
  end.addEventListener("abort", stop, { once: true });
  try {
    yield* linesOf(child.stdout);
  } finally {
    end.removeEventListener("abort", stop);
    if (!end.aborted) stop();
    await child.status;
  }
}

/** Undefined where the program is nowhere, or cannot be run. */
function start(paths: readonly string[], args: readonly string[]): Deno.ChildProcess | undefined {
  for (const path of paths) {
    try {
      return new Deno.Command(path, {
        args: [...args],
        stdin: "null",
        stdout: "piped",
        stderr: "null",
        clearEnv: true,
        env: ENVIRONMENT,
      }).spawn();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      if (error instanceof Error) return undefined;
      throw error;
    }
  }
  return undefined;
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** A line that never ends would fill the memory: what is longer is passed over. */
const LONGEST = 1 << 20;

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncIterable<string> {
  let rest = "";
  for await (const piece of printedText(stream)) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
    if (rest.length > LONGEST) rest = "";
  }
}

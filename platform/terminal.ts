/** Where words go: data to standard output, everything else to standard error. */
import type { Terminal } from "../core/cli/report.ts";
import { HostError } from "../core/host.ts";

/** Needs `--allow-env=NO_COLOR` for the colour (https://no-color.org). */
export function openTerminal(): Terminal {
  return {
    writeData: (text) => {
      const problem = writeAll(Deno.stdout, text);
      if (problem !== undefined) throw new HostError(`Cannot write the result: ${problem}`);
    },
    // There is no place left to complain, and no reason to stop halfway through a change.
    writeMessage: (text) => void writeAll(Deno.stderr, text),
    colour: Deno.stderr.isTerminal() && (Deno.env.get("NO_COLOR") ?? "") === "",
  };
}

/** Says why it failed, if it did. A reader that has gone (`| head`) is no error of ours. */
function writeAll(stream: typeof Deno.stdout, text: string): string | undefined {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return undefined;
    return error instanceof Error ? error.message : String(error);
  }
  return undefined;
}

/** Where words go: data to standard output, everything else to standard error. */
import type { Terminal } from "../core/cli/report.ts";

/** Needs `--allow-env=NO_COLOR` for the colour (https://no-color.org). */
export function openTerminal(): Terminal {
  return {
    writeData: (text) => writeAll(Deno.stdout, text),
    writeMessage: (text) => writeAll(Deno.stderr, text),
    colour: Deno.stderr.isTerminal() && (Deno.env.get("NO_COLOR") ?? "") === "",
  };
}

/** A reader that has gone (`| head`) is no error of ours. */
function writeAll(stream: typeof Deno.stdout, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

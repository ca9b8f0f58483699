/** `bridgewall completions`: scripts that make shells complete what is typed. */
import { SHELLS } from "../cli/command_table.ts";
import { bashCompletion } from "../cli/completions/bash.ts";
import { fishCompletion } from "../cli/completions/fish.ts";
import { zshCompletion } from "../cli/completions/zsh.ts";
import { quoted } from "../quoted.ts";
import { type CommandOutput, UsageError } from "./context.ts";

const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], () => readonly string[]>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/**
 * Prints the script for the shell.
 *
 * @throws {UsageError} When none is named, or one that there is no script for.
 */
export function completions(operands: readonly string[]): CommandOutput {
  const [named, ...more] = operands;
  const shell = SHELLS.find((one) => one === named);
  if (shell === undefined || more.length > 0) {
    const [word = ""] = shell === undefined ? operands : more;
    throw new UsageError(
      named === undefined
        ? "Cannot guess the shell: none was named"
        : `Cannot complete for ${quoted(word)}: ${
          shell === undefined ? "there is no script for it" : "one shell at a time"
        }`,
      `Choose one of ${SHELLS.map((one) => `\`${one}\``).join(", ")}`,
    );
  }
  const text = SCRIPTS[shell]();
  return { text, json: { shell, script: `${text.join("\n")}\n` }, exitCode: 0 };
}

/** Texts for `--help`, made from the command table. */
import {
  type CommandEntry,
  COMMANDS,
  EXIT_CODES,
  GLOBAL_OPTIONS,
  type OptionEntry,
} from "./command_table.ts";

const WIDTH = 88;

/** The page for `bridgewall --help`. */
export function generalHelp(): readonly string[] {
  return [
    "bridgewall: the firewall of a host's virtual networks, from libvirt's <network> XML",
    "",
    "Usage: bridgewall COMMAND [OPTION...] [NETWORK...]",
    "",
    "Commands:",
    ...columns(COMMANDS.map(({ name, operands, summary }) => [`${name} ${operands}`, summary])),
    "",
    "Options of all commands:",
    ...columns(GLOBAL_OPTIONS.map(optionRow)),
    "",
    "Exit codes:",
    ...columns(EXIT_CODES.map(([code, meaning]) => [String(code), meaning])),
    "",
    "`bridgewall COMMAND --help` tells more about one command.",
  ];
}

/** The page for `bridgewall COMMAND --help`. */
export function commandHelp(entry: CommandEntry): readonly string[] {
  const { name, operands, summary, details, options, examples } = entry;
  return [
    `bridgewall ${name}: ${summary}`,
    "",
    `Usage: bridgewall ${[name, "[OPTION...]", operands].join(" ").trim()}`,
    ...details.flatMap((paragraph) => ["", ...wrap(paragraph, WIDTH)]),
    ...(options.length === 0 ? [] : ["", "Options:", ...columns(options.map(optionRow))]),
    "",
    "Options of all commands:",
    ...columns(GLOBAL_OPTIONS.map(optionRow)),
    "",
    "Examples:",
    ...examples.map((example) => `  ${example}`),
  ];
}

function optionRow({ name, value, help }: OptionEntry): readonly [string, string] {
  return [`--${name}${value === undefined ? "" : ` ${value}`}`, help];
}

function columns(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(...rows.map(([left]) => left.trim().length));
  return rows.map(([left, right]) => `  ${left.trim().padEnd(width)}  ${right}`);
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

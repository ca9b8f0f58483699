/** Completions for fish(1). */
import { type CommandEntry, COMMANDS, GLOBAL_OPTIONS, type OptionEntry } from "../command_table.ts";

/** Lines of `complete`, one for each word. */
export function fishCompletion(): readonly string[] {
  return [
    "# bridgewall: completions for fish",
    "",
    "function __bridgewall_networks",
    "    for file in /etc/bridgewall/networks/*.xml /usr/local/etc/bridgewall/networks/*.xml",
    "        string replace --regex '^.*/(.*)\\.xml$' '$1' -- $file",
    "    end",
    "end",
    "",
    "complete -c bridgewall -f",
    ...GLOBAL_OPTIONS.map((option) => optionLine(option)),
    ...COMMANDS.flatMap(commandLines),
  ];
}

function commandLines({ name, summary, options, operandKind }: CommandEntry): readonly string[] {
  const chosen = `-n '__fish_seen_subcommand_from ${name}'`;
  return [
    "",
    `complete -c bridgewall -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ...options.map((option) => optionLine(option, ` ${chosen}`)),
    ...operandLines(name, operandKind),
  ];
}

function operandLines(name: string, kind: CommandEntry["operandKind"]): readonly string[] {
  const chosen = `__fish_seen_subcommand_from ${name}`;
  const networks = "-a '(__bridgewall_networks)' -d network";
  if (typeof kind === "object") {
    const first = `-n '${chosen}; and not __fish_seen_subcommand_from ${kind.join(" ")}'`;
    return [`complete -c bridgewall ${first} -a '${kind.join(" ")}'`];
  }
  switch (kind) {
    case "nothing":
      return [];
    case "networks":
      return [`complete -c bridgewall -n '${chosen}' ${networks}`];
    case "a network and ports": {
      const first = `-n '${chosen}; and test (count (commandline -opc)) -eq 2'`;
      return [`complete -c bridgewall ${first} ${networks}`];
    }
    case "definitions":
      return [
        `complete -c bridgewall -n '${chosen}' ${networks}`,
        `complete -c bridgewall -n '${chosen}' -k -a '(__fish_complete_suffix .xml)'`,
      ];
  }
}

function optionLine({ name, value, choices, help }: OptionEntry, when = ""): string {
  const values = choices !== undefined
    ? ` -x -a '${choices.join(" ")}'`
    : value === "FILE"
    ? " -r -F"
    : value === "DIR"
    ? " -x -a '(__fish_complete_directories)'"
    : value === undefined
    ? ""
    : " -x";
  return `complete -c bridgewall${when} -l ${name}${values} -d ${quoted(help)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
}

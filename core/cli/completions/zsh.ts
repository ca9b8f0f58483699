/** Completions for zsh(1), by its `_arguments` (zshcompsys(1)). */
import { quotedWord } from "../../shell_word.ts";
import { type CommandEntry, COMMANDS, GLOBAL_OPTIONS, type OptionEntry } from "../command_table.ts";

/** A file for a directory of `$fpath`; sourced, it works as well. */
export function zshCompletion(): readonly string[] {
  return [
    "#compdef bridgewall",
    "# bridgewall: completions for zsh",
    "",
    "_bridgewall_networks() {",
    "  local -a networks",
    "  networks=({/etc,/usr/local/etc}/bridgewall/networks/*.xml(N:t:r))",
    "  (( ! $#networks )) || _describe -t networks network networks",
    "}",
    "",
    "_bridgewall_definitions() {",
    "  _alternative 'networks:network:_bridgewall_networks' 'files:file:_files -g \"*.xml\"'",
    "}",
    "",
    "_bridgewall() {",
    "  local context state state_descr line",
    "  typeset -A opt_args",
    "  local -a options commands",
    "  options=(",
    ...GLOBAL_OPTIONS.map((option) => `    ${optionWord(option)}`),
    "  )",
    "  commands=(",
    ...COMMANDS.map(({ name, summary }) => `    ${quotedWord(`${name}:${summary}`)}`),
    "  )",
    "  _arguments -C $options '1:command:->command' '*:operand:->operands' && return",
    "  case $state in",
    "    command) _describe -t commands command commands ;;",
    "    operands)",
    "      # What stands before the command is no word of it.",
    "      local -i at=${words[(i)$line[1]]}",
    '      words=("${(@)words[at,-1]}")',
    "      (( CURRENT -= at - 1 ))",
    "      case $line[1] in",
    ...COMMANDS.flatMap(commandCase),
    "      esac",
    "      ;;",
    "  esac",
    "}",
    "",
    'if [[ $funcstack[1] == _bridgewall ]]; then _bridgewall "$@"; else compdef _bridgewall bridgewall; fi',
  ];
}

function commandCase({ name, options, operandKind }: CommandEntry): readonly string[] {
  const words = [...options.map(optionWord), ...operandWords(operandKind)];
  return [`        ${name}) _arguments ${["$options", ...words].join(" ")} ;;`];
}

function operandWords(kind: CommandEntry["operandKind"]): readonly string[] {
  if (typeof kind === "object") return [`'1:word:(${kind.join(" ")})'`, "'*:operand: '"];
  switch (kind) {
    case "nothing":
      return [];
    case "networks":
      return ["'*:network:_bridgewall_networks'"];
    case "a network and ports":
      return ["'1:network:_bridgewall_networks'", "'*:port: '"];
    case "definitions":
      return ["'*:network:_bridgewall_definitions'"];
  }
}

function optionWord({ name, value, choices, help }: OptionEntry): string {
  const text = `--${name}${value === undefined ? "" : "="}[${
    help.replaceAll(/[\[\]\\]/g, "\\$&")
  }]`;
  if (value === undefined) return quotedWord(text);
  const values = choices !== undefined
    ? `(${choices.join(" ")})`
    : value === "FILE"
    ? "_files"
    : value === "DIR"
    ? "_files -/"
    : " ";
  return quotedWord(`${text}:${value}:${values}`);
}

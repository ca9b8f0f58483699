/** Completions for bash(1), without the package bash-completion. */
import { type CommandEntry, COMMANDS, GLOBAL_OPTIONS, type OptionEntry } from "../command_table.ts";

const ALL_OPTIONS = [...GLOBAL_OPTIONS, ...COMMANDS.flatMap(({ options }) => options)];

/** A function that bash calls when somebody asks for more, and how it is told of it. */
export function bashCompletion(): readonly string[] {
  const withValue = names(ALL_OPTIONS.filter(({ value }) => value !== undefined));
  return [
    "# bridgewall: completions for bash",
    "",
    "_bridgewall_offer() {",
    "  # Names are never expanded: they may hold anything.",
    "  local word",
    '  for word in "$@"; do',
    '    [[ $word != "$current"* ]] || COMPREPLY+=("$(printf %q "$word")")',
    "  done",
    "}",
    "",
    "_bridgewall_networks() {",
    "  local file",
    "  for file in {/etc,/usr/local/etc}/bridgewall/networks/*.xml; do",
    "    file=${file##*/}",
    "    [[ $file == '*.xml' ]] || _bridgewall_offer \"${file%.xml}\"",
    "  done",
    "}",
    "",
    "_bridgewall() {",
    "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}",
    "  local command= at operands=0",
    "  COMPREPLY=()",
    "  # bash parts `--option=value` in three.",
    "  if [[ $current == = ]]; then current=; fi",
    "  if [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD - 2]}; fi",
    "  for ((at = 1; at < COMP_CWORD; at++)); do",
    "    case ${COMP_WORDS[at]} in",
    `      ${withValue.join(" | ")})`,
    "        ((at++))",
    "        if [[ ${COMP_WORDS[at]} == = ]]; then ((at++)); fi",
    "        ;;",
    "      -*) ;;",
    "      *) if [[ -z $command ]]; then command=${COMP_WORDS[at]}; else ((operands++)); fi ;;",
    "    esac",
    "  done",
    "  case $previous in",
    ...ALL_OPTIONS.flatMap(valueCase),
    "  esac",
    "  case $command in",
    `    '')`,
    ...offer(names(GLOBAL_OPTIONS), COMMANDS.map(({ name }) => name)),
    "      ;;",
    ...COMMANDS.flatMap(commandCase),
    "  esac",
    "}",
    "",
    "complete -F _bridgewall bridgewall",
  ];
}

function names(options: readonly OptionEntry[]): readonly string[] {
  return options.map(({ name }) => `--${name}`);
}

function valueCase({ name, value, choices }: OptionEntry): readonly string[] {
  if (value === undefined) return [];
  const files = value === "DIR" ? "-d" : "-f";
  const isFile = value === "DIR" || value === "FILE";
  const work = choices !== undefined
    ? [`_bridgewall_offer ${choices.join(" ")}`]
    : isFile
    ? ["compopt -o filenames", `mapfile -t COMPREPLY < <(compgen ${files} -- "$current")`]
    : [];
  return [`    --${name})`, ...work.map((line) => `      ${line}`), "      return", "      ;;"];
}

/** Options where a dash stands, else these words. */
function offer(options: readonly string[], words: readonly string[]): readonly string[] {
  return [
    `      if [[ $current == -* ]]; then _bridgewall_offer ${options.join(" ")}`,
    `      else _bridgewall_offer ${words.join(" ")}`,
    "      fi",
  ];
}

function commandCase({ name, options, operandKind }: CommandEntry): readonly string[] {
  const own = names([...options, ...GLOBAL_OPTIONS]);
  return [
    `    ${name})`,
    `      if [[ $current == -* ]]; then _bridgewall_offer ${own.join(" ")}`,
    ...operandLines(operandKind).map((line) => `      ${line}`),
    "      fi",
    "      ;;",
  ];
}

function operandLines(kind: CommandEntry["operandKind"]): readonly string[] {
  if (typeof kind === "object") {
    return [`elif ((operands == 0)); then _bridgewall_offer ${kind.join(" ")}`];
  }
  switch (kind) {
    case "nothing":
      return [];
    case "networks":
      return ["else _bridgewall_networks"];
    case "a network and ports":
      return ["elif ((operands == 0)); then _bridgewall_networks"];
    case "definitions":
      return [
        "else",
        "  compopt -o filenames",
        '  mapfile -t COMPREPLY < <(compgen -d -- "$current"; compgen -f -X "!*.xml" -- "$current")',
        "  _bridgewall_networks",
      ];
  }
}

/** The words of the command line → what the user wants. Looks nothing up. */
import { parseArgs } from "@std/cli";
import { UsageError } from "../commands/context.ts";
import type { PlanOptions } from "../commands/plan.ts";
import { problemOfInterfaceName } from "../network/interface_name.ts";
import { quoted } from "../quoted.ts";
import {
  type CommandEntry,
  type CommandName,
  COMMANDS,
  GLOBAL_OPTIONS,
  type OptionEntry,
} from "./command_table.ts";

/** How results and messages are printed. */
export interface Manner {
  /** `--json`: results and errors are printed for programs. */
  readonly json: boolean;
  /** `--quiet`: nothing is said but errors and warnings. */
  readonly quiet: boolean;
  /** `--verbose`: every command that is run is shown, with its script. */
  readonly verbose: boolean;
  /** False with `--no-color`; true leaves it to the terminal and `NO_COLOR`. */
  readonly color: boolean;
}

/** A command with everything that was said about it. */
export interface Request {
  /** The command to run; `help` is a {@linkcode Wish} of its own. */
  readonly command: CommandName;
  /** As they were typed: names of networks, paths, `-` for standard input, ports, prefixes. */
  readonly operands: readonly string[];
  /** `--all`: every network that the command can work on. */
  readonly all: boolean;
  /** `--localhost`, which only `publish` takes. */
  readonly localhost: boolean;
  /** `--explain`, `--platform` and `--default-interface`, which only `plan` takes. */
  readonly plan: PlanOptions;
  /** `--backend`; absent: as configured. */
  readonly backend?: string;
  /** `--config`; absent: the usual file, which may be missing. */
  readonly config?: string;
  /** `--state-dir`; absent: where the platform keeps records. */
  readonly stateDirectory?: string;
  /** Absent: as configured. */
  readonly wait?: number;
  /** `--no-sysctl`: forwarding settings are left alone, whatever is configured. */
  readonly noSysctl: boolean;
}

/** What the user wants to see. */
export type Wish =
  | { readonly kind: "run"; readonly request: Request }
  | { readonly kind: "help"; readonly entry?: CommandEntry }
  | { readonly kind: "version" };

type Values = Readonly<Record<string, unknown>>;

/** Never throws: the manner is needed to print the error of everything else. */
export function readManner(words: readonly string[]): Manner {
  const options = beforeOperands(words);
  return {
    json: options.includes("--json"),
    quiet: options.includes("--quiet"),
    verbose: options.includes("--verbose"),
    color: !options.includes("--no-color"),
  };
}

/** The words before `--`, after which there are only operands. */
function beforeOperands(words: readonly string[]): readonly string[] {
  const end = words.indexOf("--");
  return end === -1 ? words : words.slice(0, end);
}

/**
 * What the user wants. Networks are not looked up: whether they exist is for the command to find.
 *
 * @throws {UsageError} For words that mean nothing, or not in that place.
 */
export function readArguments(words: readonly string[]): Wish {
  const values = parseWords(words, [...GLOBAL_OPTIONS, ...COMMANDS.flatMap((one) => one.options)]);
  const [name, ...operands] = (values["_"] as readonly unknown[]).map(String);
  if (values["version"] === true) return { kind: "version" };
  const asksHelp = values["help"] === true || name === "help";
  const wanted = name === "help" ? operands[0] : name;
  if (asksHelp) {
    return wanted === undefined ? { kind: "help" } : { kind: "help", entry: findCommand(wanted) };
  }
  if (wanted === undefined) {
    throw new UsageError(
      "Cannot guess what to do: no command was given",
      "See `bridgewall --help`",
    );
  }
  const entry = findCommand(wanted);
  refuseForeignOptions(entry, values);
  const [operand] = operands;
  if (entry.operandKind === "nothing" && operand !== undefined) {
    throw new UsageError(
      `Cannot take ${quoted(operand)}: \`bridgewall ${entry.name}\` has no operands`,
      `See \`bridgewall ${entry.name} --help\``,
    );
  }
  return { kind: "run", request: readRequest(entry.name, operands, values) };
}

function readRequest(command: CommandName, operands: readonly string[], values: Values): Request {
  const backend = text(values, "backend");
  const config = text(values, "config");
  const stateDirectory = text(values, "state-dir");
  const wait = seconds(text(values, "wait"));
  return {
    command,
    operands,
    all: values["all"] === true,
    localhost: values["localhost"] === true,
    plan: readPlanOptions(values),
    noSysctl: values["no-sysctl"] === true,
    ...(backend === undefined ? {} : { backend }),
    ...(config === undefined ? {} : { config }),
    ...(stateDirectory === undefined ? {} : { stateDirectory }),
    ...(wait === undefined ? {} : { wait }),
  };
}

const PLATFORMS = ["linux", "freebsd"] as const;

function readPlanOptions(values: Values): PlanOptions {
  const platform = text(values, "platform");
  const known = PLATFORMS.find((name) => name === platform);
  if (platform !== undefined && known === undefined) {
    throw new UsageError(
      `Cannot plan for ${quoted(platform)}: there is no such platform`,
      `Choose one of ${PLATFORMS.map((name) => `\`${name}\``).join(", ")}`,
    );
  }
  const defaultInterface = text(values, "default-interface");
  const problem = defaultInterface === undefined
    ? undefined
    : problemOfInterfaceName(defaultInterface);
  if (problem !== undefined) {
    throw new UsageError(
      `Cannot use the value of "--default-interface": ${problem}`,
      "Write `--default-interface em0`",
    );
  }
  return {
    explain: values["explain"] === true,
    ...(known === undefined ? {} : { platform: known }),
    ...(defaultInterface === undefined ? {} : { defaultInterface }),
  };
}

function parseWords(words: readonly string[], options: readonly OptionEntry[]): Values {
  // The library keeps operands under this name, and would take it for an option.
  const reserved = beforeOperands(words).find((word) => /^--?_/.test(word));
  if (reserved !== undefined) refuseUnknown(reserved, options);
  const withValue = options.filter(({ value }) => value !== undefined).map(({ name }) => name);
  const flags = options.filter(({ value }) => value === undefined).map(({ name }) => name);
  refuseFlagValues(beforeOperands(words), flags);
  return parseArgs(words, {
    boolean: flags,
    string: [...withValue, "_"],
    alias: { h: "help" },
    unknown: (word, key) => {
      if (key !== undefined) refuseUnknown(word, options);
      return true;
    },
  });
}

/** `--json=false` would have to mean something, and `--no-color=false` the opposite. */
function refuseFlagValues(words: readonly string[], flags: readonly string[]): void {
  const flag = flags.find((name) => words.some((word) => word.startsWith(`--${name}=`)));
  if (flag === undefined) return;
  throw new UsageError(`Cannot give "--${flag}" a value: it has none`, `Write \`--${flag}\``);
}

function refuseUnknown(word: string, options: readonly OptionEntry[]): never {
  const name = word.split("=", 1).join("");
  const near = nearest(name.replace(/^-+/, ""), options.map((option) => option.name));
  throw new UsageError(
    `Cannot use the option ${quoted(name)}: there is none of that name`,
    near === undefined ? "See `bridgewall --help`" : `Did you mean \`--${near}\`?`,
  );
}

function refuseForeignOptions(entry: CommandEntry, values: Values): void {
  const own = [...GLOBAL_OPTIONS, ...entry.options].map(({ name }) => name);
  const others = COMMANDS.flatMap(({ options }) => options.map(({ name }) => name));
  const foreign = others.find((name) =>
    !own.includes(name) && values[name] !== undefined && values[name] !== false
  );
  if (foreign === undefined) return;
  throw new UsageError(
    `Cannot use the option "--${foreign}" with \`bridgewall ${entry.name}\``,
    `See \`bridgewall ${entry.name} --help\``,
  );
}

function findCommand(name: string): CommandEntry {
  const entry = COMMANDS.find((one) => one.name === name);
  if (entry !== undefined) return entry;
  const near = nearest(name, COMMANDS.map((one) => one.name));
  throw new UsageError(
    `Cannot run ${quoted(name)}: there is no such command`,
    near === undefined ? "See `bridgewall --help`" : `Did you mean \`bridgewall ${near}\`?`,
  );
}

function text(values: Values, name: string): string | undefined {
  const value = values[name];
  if (value === undefined) return undefined;
  if (typeof value === "string" && value !== "") return value;
  throw new UsageError(`Cannot use "--${name}" without a value`, `Write \`--${name}=VALUE\``);
}

function seconds(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,6}(\.\d+)?$/.test(value)) return Number(value);
  throw new UsageError(
    `Cannot wait ${quoted(value)} seconds: it is not a number from 0 to 999999`,
    "Write `--wait 30`",
  );
}

/** The word that shares the longest beginning, two characters at least. */
function nearest(word: string, words: readonly string[]): string | undefined {
  const shared = (other: string): number => {
    let length = 0;
    while (length < word.length && word[length] === other[length]) length++;
    return length;
  };
  const best = words.toSorted((one, other) => shared(other) - shared(one))[0];
  return best !== undefined && shared(best) >= 2 ? best : undefined;
}

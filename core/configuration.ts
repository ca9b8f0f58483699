/** The configuration file: libvirt's network.conf in syntax, which is also TOML. */
import { BACKEND_NAMES } from "./firewall_backend.ts";
import { printable, quoted } from "./quoted.ts";

/** What the administrator chose. */
export interface Configuration {
  /** `firewall_backend`; absent: the first usable one. */
  readonly backend?: string;
  /** `table`: the table of the nftables backend. */
  readonly table: string;
  /** `anchor`: the anchor of the pf backend. */
  readonly anchor: string;
  /** `sysctl`: false leaves the kernel's forwarding settings alone. */
  readonly sysctl: boolean;
  /** `wait`: seconds to wait for another command. */
  readonly wait: number;
}

/** What holds without a file. */
export const DEFAULT_CONFIGURATION: Configuration = {
  table: "bridgewall",
  anchor: "bridgewall",
  sysctl: true,
  wait: 30,
};

/** A configuration that is not valid. Exit code 2. */
export class ConfigurationError extends SyntaxError {
  /** Shown before the message when nobody catches the error. */
  override readonly name = "ConfigurationError";
  /** The keys there are, for an unknown one; otherwise undefined. */
  readonly hint: string | undefined;

  /** Takes the message as it is printed: the place in the file, then the problem. */
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** One key: what it must be, and how it gets into the configuration. */
interface Key {
  readonly wanted: string;
  readonly read: (value: unknown) => Partial<Configuration> | undefined;
}

const KEYS: ReadonlyMap<string, Key> = new Map<string, Key>([
  ["firewall_backend", {
    wanted: `one of ${BACKEND_NAMES.map((name) => `"${name}"`).join(", ")}`,
    read: (value) => {
      const backend = BACKEND_NAMES.find((name) => name === value);
      return backend === undefined ? undefined : { backend };
    },
  }],
  ["table", {
    wanted: "1 to 64 letters, digits, `_` and `-`, a letter first, in quotes",
    read: (value) =>
      typeof value === "string" && /^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(value)
        ? { table: value }
        : undefined,
  }],
  ["anchor", {
    wanted:
      "1 to 40 letters, digits, `_`, `.` and `-`, a letter or digit first, in quotes; a `/` " +
      "stands between an anchor and one inside it",
    read: (value) =>
      typeof value === "string" && value.length <= 40 &&
        /^[A-Za-z0-9][A-Za-z0-9_.-]*(\/[A-Za-z0-9][A-Za-z0-9_.-]*)*$/.test(value)
        ? { anchor: value }
        : undefined,
  }],
  ["sysctl", {
    wanted: "true or false",
    read: (value) => typeof value === "boolean" ? { sysctl: value } : undefined,
  }],
  ["wait", {
    wanted: "a number of seconds from 0 to 999999",
    read: (value) =>
      typeof value === "number" && value >= 0 && value <= 999_999 ? { wait: value } : undefined,
  }],
]);

/**
 * Reads the text of a configuration file.
 *
 * The TOML library is loaded here and not before: most hosts have no file, and need not wait for it.
 *
 * @throws {ConfigurationError} With file, line and key.
 */
export async function parseConfiguration(text: string, file: string): Promise<Configuration> {
  const { parse, TomlError } = await import("smol-toml");
  let table: Readonly<Record<string, unknown>>;
  try {
    table = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const problem = error.message.split("\n", 1).join("").replace(/^Invalid TOML document: /, "");
    throw new ConfigurationError(`${printable(file)}:${error.line}:${error.column}: ${problem}`);
  }
  return Object.entries(table).reduce<Configuration>((configuration, [name, value]) => {
    const where = `${printable(file)}${lineOf(text, name)}`;
    const key = KEYS.get(name);
    if (key === undefined) {
      throw new ConfigurationError(
        `${where}: There is no key ${quoted(name)}`,
        `Known are ${[...KEYS.keys()].map((known) => `\`${known}\``).join(", ")}`,
      );
    }
    const part = key.read(value);
    if (part === undefined) {
      throw new ConfigurationError(`${where}: The value of "${name}" must be ${key.wanted}`);
    }
    return { ...configuration, ...part };
  }, DEFAULT_CONFIGURATION);
}

/** `:LINE`. The library gives values without places; keys stand at the start of a line. */
function lineOf(text: string, key: string): string {
  const index = text.split("\n").findIndex((line) => {
    const [, name = ""] = /^\s*\[*\s*["']?(.*?)["']?\s*[=.\]]/.exec(line) ?? [];
    return name === key;
  });
  // A key that is written with escapes is not found.
  return index === -1 ? "" : `:${index + 1}`;
}

/** What every command gets: the machine, the choices of the user, and a way to speak. */
import type { FirewallBackend } from "../firewall_backend.ts";
import type { Host } from "../host.ts";

/** The choices of the user that are not about one command alone. */
export interface Options {
  /** The backend that was asked for; absent: the first that can be used. */
  readonly backend?: string;
  /**
   * True where the command line asks for it. What the configuration asks for is for what comes up: it does
   * not keep anybody from changing what stands in another backend.
   */
  readonly insists: boolean;
  /** False leaves the kernel's forwarding settings alone. */
  readonly sysctl: boolean;
  /** Seconds to wait for another command. */
  readonly wait: number;
}

/** One definition as the user gave it. */
export interface DefinitionText {
  /** XML, decoded but not parsed yet. */
  readonly text: string;
  /** For messages: the path, or `-` for standard input. */
  readonly file: string;
}

/** Where definitions come from. */
export interface DefinitionSource {
  /**
   * A name from the configuration directory, a path, or `-` for standard input.
   *
   * @throws {UsageError} When there is no such definition.
   */
  read(argument: string): Promise<DefinitionText>;
  /** All definitions of the configuration directory, sorted by file name. */
  readAll(): Promise<readonly DefinitionText[]>;
  /**
   * What libvirt keeps of its networks, sorted by file name: the definitions of all of them, or the status of
   * those that are active (`<networkstatus>`). None where there is no libvirt.
   *
   * @throws {UsageError} When they cannot be read, or trusted.
   */
  readLibvirt(kept: "definitions" | "status"): Promise<readonly DefinitionText[]>;
}

/** How a command tells what is not its result. */
export interface Messages {
  /** What was done. */
  note(text: string): void;
  /** What the user should know although the command goes on. */
  warn(text: string): void;
  /** What only the curious want to see. */
  detail(text: string): void;
  /**
   * What has happened, of a command that goes on: a line of its result.
   *
   * @param json The same for programs, with `--json`.
   */
  event(text: string, json: Readonly<Record<string, unknown>>): void;
}

/** Everything a command may use. */
export interface Context {
  /** The machine: every effect of the command goes through it. */
  readonly host: Host;
  /** Most preferred first. */
  readonly backends: readonly FirewallBackend[];
  /** From the command line, else from the configuration file. */
  readonly options: Options;
  /** Where arguments that name definitions are looked up. */
  readonly definitions: DefinitionSource;
  /** For standard error; results are given back instead. */
  readonly messages: Messages;
}

/** What a command has to say on standard output. */
export interface CommandOutput {
  /** For people, one element a line. */
  readonly text: readonly string[];
  /** The same for programs, with `--json`; undefined: nothing more. */
  readonly json: unknown;
  /** 0; 3 when `check` found drift, 4 when `backends` found none. Failures throw. */
  readonly exitCode: number;
}

/** The command was used wrongly. Exit code 2. */
export class UsageError extends Error {
  /** Shown before the message when nobody catches the error. */
  override readonly name = "UsageError";
  /** What to type instead; undefined when the message says it all. */
  readonly hint: string | undefined;

  /** Takes the message as it is printed: capital first letter, no final period. */
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

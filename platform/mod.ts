/** Opens the machine that the program runs on. */
import { dirname, join } from "@std/path";
import type { Command, CommandRunner } from "../core/command.ts";
import {
  type Configuration,
  ConfigurationError,
  DEFAULT_CONFIGURATION,
  parseConfiguration,
} from "../core/configuration.ts";
import {
  type AskedFacts,
  type FactsWanted,
  type Host,
  HostError,
  type Platform,
} from "../core/host.ts";
import { printable, quotedPath } from "../core/quoted.ts";
import { isFileCommand, runFileCommand } from "./configuration_files.ts";
import { followCommand } from "./follow_command.ts";
import { freebsdFacts } from "./freebsd.ts";
import { linuxFacts } from "./linux.ts";
import { releaseMemory } from "./memory.ts";
import { isNamedPipe } from "./named_pipe.ts";
import { recordDirectory } from "./record_directory.ts";
import { runCommand } from "./run_command.ts";
import { distrustOf } from "./trusted.ts";

/** How the machine is opened. */
export interface HostOptions {
  /** Where records live; absent: where the platform keeps what is lost at boot, as rules are. */
  readonly stateDirectory?: string;
  /** True of a program that goes on, as in {@linkcode runCommand}. */
  readonly stays: boolean;
  /** Called with every command before it runs. */
  readonly onCommand: (command: Command) => void;
}

type AskFacts = (runner: CommandRunner, wanted: FactsWanted) => Promise<AskedFacts>;

const FACTS: Readonly<Record<Platform, AskFacts>> = {
  linux: linuxFacts,
  freebsd: freebsdFacts,
  other: () => {
    throw new HostError(`Cannot ask a host that runs ${Deno.build.os} about its network`);
  },
};

/** Where records are, unless somebody says otherwise. */
export const STATE_DIRECTORIES: Readonly<Record<Platform, string>> = {
  linux: "/run/bridgewall",
  freebsd: "/var/run/bridgewall",
  other: "/run/bridgewall",
};

/** Opens it without asking it anything yet. */
export function openHost({ stateDirectory, stays, onCommand }: HostOptions): Host {
  const platform = currentPlatform();
  const run: Host["run"] = (command) => {
    onCommand(command);
    return isFileCommand(command)
      ? Promise.resolve(runFileCommand(command))
      : runCommand(command, directory, stays);
  };
  const directory = stateDirectory ?? STATE_DIRECTORIES[platform];
  return {
    platform,
    kernel: Deno.osRelease(),
    privileged: Deno.uid() === 0,
    records: recordDirectory(directory),
    run,
    facts: async (wanted) => ({
      platform,
      kernel: Deno.osRelease(),
      ...await FACTS[platform]({ run }, wanted),
    }),
    follow: (command, end) => {
      onCommand(command);
      return followCommand(command, end);
    },
    pause,
    now: () => performance.now(),
    date: () => new Date(),
    rest: releaseMemory,
  };
}

function pause(milliseconds: number, end?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (end?.aborted === true) return resolve();
    const finish = (): void => {
      clearTimeout(timer);
      end?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    end?.addEventListener("abort", finish, { once: true });
  });
}

/** The configuration, and where definitions of networks stand. */
export interface FoundConfiguration extends Configuration {
  /** The directory of `NAME.xml`, beside the configuration file. */
  readonly networks: string;
}

/**
 * Reads the configuration file, where there is one.
 *
 * @param path The file that was asked for; absent: the usual one (hier(7)), which may be missing.
 * @throws {ConfigurationError} When it cannot be read, or is not valid.
 */
export async function openConfiguration(path: string | undefined): Promise<FoundConfiguration> {
  const directory = currentPlatform() === "linux" ? "/etc/bridgewall" : "/usr/local/etc/bridgewall";
  const file = path ?? join(directory, "bridgewall.conf");
  const networks = join(dirname(file), "networks");
  refuseUntrusted(file);
  const text = readConfiguration(file, path !== undefined);
  const configuration = text === undefined
    ? DEFAULT_CONFIGURATION
    : await parseConfiguration(text, file);
  return { ...configuration, networks };
}

function refuseUntrusted(file: string): void {
  const distrust = distrustOf(file, Deno.uid());
  if (distrust === undefined) return;
  throw new ConfigurationError(
    `Cannot trust ${quotedPath(distrust.path)}: ${distrust.problem}`,
    distrust.hint,
  );
}

function readConfiguration(file: string, required: boolean): string | undefined {
  const refuse = (problem: string, hint?: string): never => {
    throw new ConfigurationError(
      `Cannot read the configuration ${quotedPath(file)}: ${problem}`,
      hint,
    );
  };
  try {
    if (!isNamedPipe(file)) return Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && !required) return undefined;
    if (!(error instanceof Error)) throw error;
    return refuse(printable(error.message));
  }
  return refuse("it is a FIFO, which may have no writer", "Name a file");
}

function currentPlatform(): Platform {
  const { os } = Deno.build;
  return os === "linux" || os === "freebsd" ? os : "other";
}

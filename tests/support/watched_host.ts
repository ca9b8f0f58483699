/** A host in memory on which time goes by when nobody has anything to do, and on which others are busy. */
import type { Command } from "../../core/command.ts";
import type { Context } from "../../core/commands/context.ts";
import { watch } from "../../core/commands/watch.ts";
import { ConfigurationError } from "../../core/configuration.ts";
import type { FirewallBackend } from "../../core/firewall_backend.ts";
import { HostError, LockError } from "../../core/host.ts";
import { type Fate, startProcess, type World } from "./model_host.ts";

/** `bridgewall watch` in memory. */
export interface WatchedHost {
  /** What it said, each with the second in which it was said: `0.5 Put all rules back …`. */
  readonly said: readonly string[];
  /** What it follows now, as `nft monitor`. */
  readonly followed: ReadonlyMap<string, Line>;
  /** Lets others do something, tells of it by these lines, and waits until so many seconds have gone by. */
  passes(seconds: number, happening?: () => void, lines?: readonly string[]): Promise<void>;
  /** A record was written, or removed. */
  recordsChange(): void;
  /** Another command takes the lock, until it gives it back. */
  lock(): () => void;
  /** SIGHUP; what the configuration is then. */
  reload(isValid: boolean): void;
  /** SIGTERM, and waits until it ends. */
  end(): Promise<void>;
}

/** Tells the line to who follows the program. */
type Line = (line: string | undefined) => void;

/** A pause that is not over. */
interface Pause {
  readonly until: number;
  readonly wake: () => void;
}

/** Starts it; `fateOf` as in {@linkcode startProcess}. */
export function watchHost(world: World, fateOf: () => Fate = () => "works"): WatchedHost {
  let now = 0;
  const pauses = new Set<Pause>();
  const said: string[] = [];
  const followed = new Map<string, Line>();
  const changed = new Set<Line>();
  const ending = new AbortController();
  let onReload = (): void => {};
  let [isValid, isLocked] = [true, false];
  const open = (): Context => {
    const { context } = startProcess(world, {}, fateOf);
    const tell = (text: string): void => void said.push(`${(now / 1000).toFixed(1)} ${text}`);
    return {
      ...context,
      backends: context.backends.map((backend) => lookingAt(world, backend)),
      messages: { note: tell, warn: tell, detail: () => {}, event: tell },
      host: {
        ...context.host,
        now: () => now,
        date: () => new Date(now),
        pause: (milliseconds, end) =>
          new Promise((resolve) => {
            if (end?.aborted === true) return resolve();
            const pause = { until: now + milliseconds, wake: resolve };
            pauses.add(pause);
            end?.addEventListener("abort", () => resolve());
          }),
        follow: ({ program, args }: Command, end) =>
          linesUntil(end, followed, [program, ...args].join(" ")),
        records: {
          ...context.host.records,
          changes: (end) => changesUntil(end, changed),
          lock: (seconds, onWait) =>
            isLocked
              ? Promise.reject(new LockError("Cannot get the lock"))
              : context.host.records.lock(seconds, onWait),
        },
      },
    };
  };
  const running = watch(
    open,
    {
      end: ending.signal,
      onReload: (work) => onReload = work,
    },
    () =>
      isValid ? Promise.resolve(open) : Promise.reject(new ConfigurationError("It is not valid")),
  );
  const passes: WatchedHost["passes"] = async (seconds, happening, lines = []) => {
    happening?.();
    for (const tell of followed.values()) lines.forEach((line) => tell(line));
    const until = now + 1000 * seconds;
    while (true) {
      // All that can be done without waiting is done.
      await new Promise((resolve) => setTimeout(resolve, 0));
      const [next] = [...pauses].toSorted((one, other) => one.until - other.until);
      if (next === undefined || next.until > until) break;
      pauses.delete(next);
      now = Math.max(now, next.until);
      next.wake();
    }
    now = until;
  };
  return {
    said,
    followed,
    passes,
    recordsChange: () => changed.forEach((tell) => tell("")),
    lock: () => {
      isLocked = true;
      return () => {
        isLocked = false;
      };
    },
    reload: (valid) => {
      isValid = valid;
      onReload();
    },
    end: async () => {
      ending.abort();
      await running;
    },
  };
}

/** The model lists nothing as nft does: what is looked for is whether there are rules. */
function lookingAt(world: World, backend: FirewallBackend): FirewallBackend {
  if (backend.name !== "nftables") return backend;
  return {
    ...backend,
    inspect: async (host) => {
      const { status, stderr } = await host.run({ program: "nft", args: ["list", "tables"] });
      if (status !== 0) throw new HostError(`Cannot list the table: ${stderr}`);
      return { networks: [], drift: world.ruleset.has("table") ? [] : [{ difference: MISSING }] };
    },
  };
}

/** What is said where there are none. */
export const MISSING = 'Table "inet bridgewall" is missing: nothing is filtered';

async function* linesUntil(
  end: AbortSignal,
  followed: Map<string, Line>,
  name: string,
): AsyncIterable<string> {
  const lines = queue(end);
  followed.set(name, lines.put);
  yield* lines.all;
  followed.delete(name);
}

async function* changesUntil(end: AbortSignal, changed: Set<Line>): AsyncIterable<string> {
  const lines = queue(end);
  changed.add(lines.put);
  yield* lines.all;
}

/** Lines that are put in, until `undefined` is, or the signal is given. */
function queue(end: AbortSignal): { readonly put: Line; readonly all: AsyncIterable<string> } {
  const waiting: (string | undefined)[] = [];
  let wake = (): void => {};
  const put: Line = (line) => {
    waiting.push(line);
    wake();
  };
  end.addEventListener("abort", () => put(undefined));
  const all = async function* (): AsyncIterable<string> {
    while (true) {
      if (waiting.length === 0) {
        const woken = Promise.withResolvers<void>();
        wake = woken.resolve;
        await woken.promise;
      }
      const line = waiting.shift();
      if (line === undefined) return;
      yield line;
    }
  };
  return { put, all: all() };
}

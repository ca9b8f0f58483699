/** Signs of changes → a bell that rings. */
import { commandKey } from "../change/change.ts";
import type { Command } from "../command.ts";
import type { Host } from "../host.ts";
import { authorOf, type Sign } from "../sign.ts";
import { makeBackoff } from "./alarm.ts";

/** Wakes who waits; what rings while nobody waits is not lost. */
export interface Bell {
  /** Wakes who waits, or who will. */
  ring(): void;
  /** Until it rings, or the signal is given. */
  heard(end: AbortSignal): Promise<void>;
}

/** One that has not rung. */
export function makeBell(): Bell {
  let [hasRung, wake] = [false, (): void => {}];
  return {
    ring: () => {
      hasRung = true;
      wake();
    },
    heard: async (end) => {
      if (!hasRung && !end.aborted) {
        const woken = Promise.withResolvers<void>();
        wake = woken.resolve;
        end.addEventListener("abort", wake, { once: true });
        await woken.promise;
        end.removeEventListener("abort", wake);
      }
      hasRung = false;
    },
  };
}

/** Follows signs, which may become others. */
export interface Following {
  /** From now on these and no others. */
  follow(signs: readonly Sign[]): void;
  /** Who made the change that rang last, and that nobody asked about yet: `nft, process 4711`. */
  author(): string | undefined;
  /** Resolves when all programs have ended, after the signal. */
  ended(): Promise<void>;
}

/** How often listings are compared, in milliseconds: what is gone is noticed within a second. */
const EVERY = 800;

/** How long to wait before a program that has ended is started again: longer each time. */
const AGAIN = { first: 500, longest: 60_000 } as const;

/**
 * After so many milliseconds it is looked at what happened before a program listened: `nft monitor` reads
 * all tables first, which takes as long as they are large.
 */
const LISTENS = [500, 2000, 8000, 30_000] as const;

/** A program or listings that are followed now, until the signal. */
interface Follower {
  readonly ending: AbortController;
  /** Whether a line may be of ours, by what all signs with this command say. */
  mayBeOurs: (line: string) => boolean;
}

/**
 * Follows nothing yet.
 *
 * @param bell Rings when something of ours may have changed.
 * @param end Ends all that is followed.
 */
export function followSigns(host: Host, bell: Bell, end: AbortSignal): Following {
  const followers = new Map<string, Follower>();
  const running = new Set<Promise<void>>();
  let author: string | undefined;
  const start = (key: string, sign: Sign): void => {
    const follower = { ending: new AbortController(), mayBeOurs: () => false };
    followers.set(key, follower);
    const signal = AbortSignal.any([end, follower.ending.signal]);
    const work = sign.kind === "lines"
      ? followLines(host, sign.command, signal, follower, bell, (name) => author = name)
      : compareListings(host, sign, signal, bell);
    const tracked = work.finally(() => running.delete(tracked));
    running.add(tracked);
  };
  return {
    follow: (signs) => {
      const wanted = Map.groupBy(signs, signKey);
      for (const [key, { ending }] of followers) {
        if (wanted.has(key)) continue;
        ending.abort();
        followers.delete(key);
      }
      for (const [key, group] of wanted) {
        const [first] = group;
        if (!followers.has(key) && first !== undefined) start(key, first);
        const matchers = group.flatMap((one) => one.kind === "lines" ? [one.mayBeOurs] : []);
        const follower = followers.get(key);
        if (follower !== undefined) {
          follower.mayBeOurs = (line) => matchers.some((matches) => matches(line));
        }
      }
    },
    author: () => {
      const last = author;
      author = undefined;
      return last;
    },
    ended: async () => {
      await Promise.all(running);
    },
  };
}

function signKey(sign: Sign): string {
  return sign.kind === "lines"
    ? commandKey(sign.command)
    : `listings ${sign.commands.map(commandKey).join(" ")}`;
}

/** Once more whenever the program ends: what happened meanwhile nobody saw, so all is looked at. */
async function followLines(
  host: Host,
  command: Command,
  end: AbortSignal,
  follower: Follower,
  bell: Bell,
  tellAuthor: (name: string) => void,
): Promise<void> {
  const backoff = makeBackoff(AGAIN.first, AGAIN.longest);
  while (!end.aborted) {
    const begun = host.now();
    const ran = new AbortController();
    void lookUntilItListens(host, AbortSignal.any([end, ran.signal]), bell);
    let isOurs = false;
    for await (const line of host.follow(command, end)) {
      // nft says so when the kernel had more to tell than it could take.
      if (line.startsWith("# ERROR") || follower.mayBeOurs(line)) {
        isOurs = true;
        bell.ring();
      }
      const author = authorOf(line);
      if (author === undefined) continue;
      if (isOurs) tellAuthor(author);
      isOurs = false;
    }
    ran.abort();
    // One that ran for long had its reasons; one that is not there will not be soon.
    if (host.now() - begun > AGAIN.longest) backoff.reset();
    await host.pause(backoff.next(), end);
  }
}

/** One that cannot run tells nothing, and has told nothing before: then nobody looks. */
async function lookUntilItListens(host: Host, end: AbortSignal, bell: Bell): Promise<void> {
  let past = 0;
  for (const at of LISTENS) {
    await host.pause(at - past, end);
    if (end.aborted) return;
    bell.ring();
    past = at;
  }
}

async function compareListings(
  host: Host,
  { commands, comparable }: Extract<Sign, { readonly kind: "listings" }>,
  end: AbortSignal,
  bell: Bell,
): Promise<void> {
  let before: string | undefined;
  while (!end.aborted) {
    const results = await Promise.all(commands.map((command) => host.run(command)));
    const now = results.map(({ status, stdout }) => `${status} ${comparable(stdout)}`).join("\n");
    if (before !== undefined && now !== before) bell.ring();
    before = now;
    await host.pause(EVERY, end);
  }
}

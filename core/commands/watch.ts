/** `bridgewall watch`: stays, and puts rules back that somebody has removed or changed. */
import type { Drift } from "../firewall_backend.ts";
import { HostError, LockError } from "../host.ts";
import { isOwnError } from "../own_error.ts";
import { isFiltered } from "../policy/policy.ts";
import type { Record } from "../record/record.ts";
import { linkSigns, type Sign } from "../sign.ts";
import { type Alarm, type Backoff, makeAlarm, makeBackoff } from "./alarm.ts";
import type { CommandOutput, Context } from "./context.ts";
import { type Bell, type Following, followSigns, makeBell } from "./follow_signs.ts";
import { driftSentence } from "./inspect_records.ts";
import { FIGHT, type Fight, fightAt, pauseIn, PEACE, putBackAt } from "./patience.ts";
import { putBack } from "./put_back.ts";
import { recordedPolicy } from "./recorded_networks.ts";
import {
  type Repair,
  tell,
  tellFailure,
  tellFight,
  tellIncomplete,
  tellRestored,
} from "./watch_events.ts";

/** What somebody wants of a command that goes on. */
export interface Wishes {
  /** It shall end. */
  readonly end: AbortSignal;
  /** Called each time when it shall read its configuration again. */
  onReload(work: () => void): void;
}

/** Gives a context in which nothing is known of the machine yet: what was so a minute ago may be otherwise. */
export type OpenContext = () => Context;

/** So long the last of several changes is waited for, in milliseconds: a flush is many of them. */
const SETTLES = 30;

/** Looked at without any sign, in milliseconds: a busy kernel tells not all that happens (netlink(7)). */
const SLOWLY = 60_000;

/** How long to wait for another command, in milliseconds, before it is looked again whether to end. */
const LOCKED = 250;

/** How long to wait before what failed is tried again, in milliseconds; twice as long each time. */
const AGAIN = { first: 1000, longest: 60_000 } as const;

/** What cannot be put back is tried so seldom in the end, in milliseconds: all is made anew for it. */
const SELDOM = 3_600_000;

/** What could not be put back: perhaps it was removed once more just then, perhaps it never can be. */
interface Remainder {
  /** The same for the same differences. */
  readonly key: string;
  /** It is not tried before, unless something else differs; by the host's clock. */
  readonly next: number;
  readonly backoff: Backoff;
  readonly isTold: boolean;
}

/** What it knows from one look to the next. */
interface Memory {
  fight: Fight;
  /** What could not be done when networks came up, nor later: it is tried once. */
  tried: string;
  /** Absent: all is as it should be. */
  remainder?: Remainder;
  /** The last failure, which is told once. */
  failure: string;
  /** Warnings that were said: each is said once. */
  readonly warned: Set<string>;
  readonly failures: Backoff;
}

/** All that a look needs beside the context. */
interface Watching {
  readonly bell: Bell;
  readonly alarm: Alarm;
  readonly following: Following;
  readonly memory: Memory;
  readonly end: AbortSignal;
}

/**
 * Goes on until it is told to end. Each event is one line of the result.
 *
 * @param configure Reads the configuration again. Throws {@linkcode ConfigurationError} when it is not valid.
 * @throws {HostError} When the user may not change the firewall, or nobody takes the result.
 */
export async function watch(
  open: OpenContext,
  wishes: Wishes,
  configure: () => Promise<OpenContext>,
): Promise<CommandOutput> {
  const first = open();
  const { host } = first;
  if (!host.privileged) {
    throw new HostError("Cannot watch over the firewall: only root may", "Run it again as root");
  }
  // Ends all that goes on beside the loop, however that ends.
  const ending = new AbortController();
  const { signal: end } = ending;
  wishes.end.addEventListener("abort", () => ending.abort(), { once: true });
  const bell = makeBell();
  const following = followSigns(host, bell, end);
  const records = followRecords(first, bell, end);
  const memory: Memory = {
    fight: PEACE,
    tried: "",
    failure: "",
    warned: new Set(),
    failures: makeBackoff(AGAIN.first, AGAIN.longest),
  };
  const watching = { bell, alarm: makeAlarm(host, bell, end), following, memory, end };
  let [opening, isAsked] = [open, false];
  wishes.onReload(() => {
    isAsked = true;
    bell.ring();
  });
  try {
    tell(first, "watching", "Watching");
    while (!end.aborted) {
      if (isAsked) {
        isAsked = false;
        opening = await readAgain(first, configure) ?? opening;
      }
      await look(opening(), watching);
      await host.rest();
      await bell.heard(end);
      await host.pause(SETTLES, end);
    }
  } finally {
    ending.abort();
    await Promise.all([following.ended(), records]);
  }
  tell(first, "stopped", "Stopped");
  return { text: [], json: undefined, exitCode: 0 };
}

/** Where nobody can tell of records, they are looked at from time to time. */
async function followRecords(context: Context, bell: Bell, end: AbortSignal): Promise<void> {
  const { host } = context;
  let isTold = false;
  while (!end.aborted) {
    try {
      for await (const _ of host.records.changes(end)) bell.ring();
    } catch (error) {
      if (!isOwnError(error)) throw error;
      if (!isTold) context.messages.warn(error.message);
      isTold = true;
      await host.pause(AGAIN.first, end);
      bell.ring();
    }
  }
}

/** A configuration that cannot be read leaves all as it was. */
async function readAgain(
  context: Context,
  configure: () => Promise<OpenContext>,
): Promise<OpenContext | undefined> {
  try {
    const opening = await configure();
    tell(context, "configured", "Read the configuration again");
    return opening;
  } catch (error) {
    if (!isOwnError(error)) throw error;
    tellFailure(context, error);
    return undefined;
  }
}

/** Looks once, puts back what is not as it should be, and sets the alarm for the next look. */
async function look(context: Context, { alarm, following, memory, end }: Watching): Promise<void> {
  const { host } = context;
  const fight = fightAt(memory.fight, host.now());
  if (memory.fight.isOn && !fight.isOn) tell(context, "peace", "Nobody removes the rules any more");
  memory.fight = fight;
  const pause = pauseIn(fight);
  if (pause > 0) await host.pause(pause, end);
  if (end.aborted) return;
  alarm.in(SLOWLY);
  const begun = host.now();
  const author = following.author();
  try {
    const result = await putBack(
      quietly(context, memory),
      ({ found, untried }) => end.aborted || isKnown(memory, found, untried, begun),
    );
    following.follow(signsOf(context, result.records));
    memory.failure = "";
    memory.failures.reset();
    memory.tried = keyOf(result.untried);
    if (result.found.length === 0) delete memory.remainder;
    else if (result.isTried) {
      remember(context, memory, { ...result, author, took: host.now() - begun });
    }
    const waits = [
      ...(memory.fight.isOn ? [FIGHT] : []),
      ...(memory.remainder === undefined ? [] : [memory.remainder.next - host.now()]),
    ];
    if (waits.length > 0) alarm.in(Math.max(0, Math.min(SLOWLY, ...waits)));
  } catch (error) {
    // Another command is at work: what it does is looked at when it has ended.
    if (error instanceof LockError) return alarm.in(LOCKED);
    if (!isOwnError(error)) throw error;
    if (memory.failure !== error.message) tellFailure(context, error);
    memory.failure = error.message;
    alarm.in(memory.failures.next());
  }
}

/** Events say what matters; a warning that comes again with each repair is said once. */
function quietly(context: Context, { warned }: Memory): Context {
  const { messages, options } = context;
  const warn = (text: string): void => {
    if (!warned.has(text)) messages.warn(text);
    warned.add(text);
  };
  return {
    ...context,
    options: { ...options, wait: 0 },
    messages: { ...messages, warn, note: messages.detail },
  };
}

/** Whether trying once more would be of no use for now. */
function isKnown(
  { remainder, tried }: Memory,
  found: readonly Drift[],
  untried: readonly Drift[],
  now: number,
): boolean {
  if (found.length === 0) return keyOf(untried) === tried;
  return remainder !== undefined && keyOf(found) === remainder.key && now < remainder.next;
}

/** Tells what was done, and keeps in mind what could not be. */
function remember(context: Context, memory: Memory, repair: Repair): void {
  const { host } = context;
  const { found, left } = repair;
  const remaining = new Set(left.map(driftSentence));
  const mended = found.filter((one) => !remaining.has(driftSentence(one)));
  if (mended.length > 0) tellRestored(context, repair, mended);
  const before = memory.remainder?.key === keyOf(left) ? memory.remainder : undefined;
  if (left.length === 0) delete memory.remainder;
  else {
    // The first time it may have been removed once more while it was looked at.
    const isTold = before !== undefined;
    if (isTold && !before.isTold) tellIncomplete(context, repair);
    const backoff = before?.backoff ?? makeBackoff(AGAIN.first, SELDOM);
    const next = host.now() + (before === undefined ? 0 : backoff.next());
    memory.remainder = { key: keyOf(left), next, backoff, isTold };
  }
  const wasOn = memory.fight.isOn;
  memory.fight = putBackAt(memory.fight, host.now());
  if (memory.fight.isOn && !wasOn) tellFight(context, memory.fight.times.length);
}

function keyOf(drift: readonly Drift[]): string {
  return drift.map(driftSentence).join("\n");
}

/** Of all backends that hold something, and of the bridges. */
function signsOf({ host, backends }: Context, records: readonly Record[]): readonly Sign[] {
  if (records.length === 0) return [];
  const held = backends.filter(({ platform }) => platform === host.platform).flatMap((backend) => {
    const own = records.filter((record) => record.backend === backend.name);
    return own.length === 0 ? [] : backend.signs(own);
  });
  const bridges = records.map(recordedPolicy).filter(isFiltered).map(({ bridge }) => bridge);
  return [...held, ...(host.platform === "linux" ? linkSigns(bridges) : [])];
}

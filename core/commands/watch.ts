/** `bridgewall watch`: stays, and puts rules back that somebody has removed or changed. */
import type { Drift } from "../firewall_backend.ts";
import { HostError } from "../host.ts";
import { isMasquerade } from "../policy/masquerade.ts";
import { isFiltered } from "../policy/policy.ts";
import { isOwnError } from "../own_error.ts";
import { printable } from "../quoted.ts";
import type { Record } from "../record/record.ts";
import { linkSigns, type Sign } from "../sign.ts";
import type { CommandOutput, Context } from "./context.ts";
import { type Bell, type Following, followSigns, makeBell } from "./follow_signs.ts";
import { driftSentence } from "./inspect_records.ts";
import { FIGHT, type Fight, fightAt, pauseIn, PEACE, putBackAt } from "./patience.ts";
import { type PutBack, putBack } from "./put_back.ts";
import { recordedPolicy } from "./recorded_networks.ts";

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

/** How long to wait before what failed is tried again, in milliseconds; twice as long each time. */
const AGAIN = { first: 1000, longest: 60_000 } as const;

/** What cannot be put back is tried so seldom in the end, in milliseconds: all is made anew for it. */
const SELDOM = 3_600_000;

/** What could not be put back: perhaps it was removed once more just then, perhaps it never can be. */
interface Left {
  /** The same for the same differences. */
  readonly key: string;
  /** How often it was tried. */
  readonly tries: number;
  /** It is not tried before, unless something else differs; milliseconds since 1970. */
  readonly next: number;
}

/** What it knows from one look to the next. */
interface Memory {
  fight: Fight;
  /** What could not be done when networks came up, nor later: it is tried once. */
  tried: string;
  /** What could not be put back; absent: nothing. */
  left?: Left;
  /** The last failure, which is told once. */
  failure: string;
  /** How long the next failure has to wait. */
  pause: number;
}

/**
 * Goes on until it is told to end. Each event is one line of the result.
 *
 * @param configure Reads the configuration again. Throws {@linkcode ConfigurationError} when it is not valid.
 * @throws {HostError} When the user may not change the firewall.
 */
export async function watch(
  open: OpenContext,
  wishes: Wishes,
  configure: () => Promise<OpenContext>,
): Promise<CommandOutput> {
  const first = open();
  const { host, messages } = first;
  if (!host.privileged) {
    throw new HostError("Cannot watch over the firewall: only root may", "Run it again as root");
  }
  const bell = makeBell();
  let isAsked = false;
  wishes.onReload(() => {
    isAsked = true;
    bell.ring();
  });
  const following = followSigns(host, bell, wishes.end);
  const records = followRecords(first, bell, wishes.end);
  const memory: Memory = { fight: PEACE, tried: "", failure: "", pause: AGAIN.first };
  messages.event("Watching", { event: "watching", time: timeOf(first) });
  let opening = open;
  while (!wishes.end.aborted) {
    if (isAsked) opening = await readAgain(first, configure) ?? opening;
    isAsked = false;
    await look(opening(), following, memory, bell, wishes.end);
    await host.rest();
    await bell.heard(wishes.end);
    await host.pause(SETTLES, wishes.end);
  }
  await Promise.all([following.ended(), records]);
  messages.event("Stopped", { event: "stopped", time: timeOf(first) });
  return { text: [], json: undefined, exitCode: 0 };
}

/** Where nobody can tell of records, those that were there are followed. */
async function followRecords(context: Context, bell: Bell, end: AbortSignal): Promise<void> {
  try {
    for await (const _ of context.host.records.changes(end)) bell.ring();
  } catch (error) {
    if (!isOwnError(error)) throw error;
    tellFailure(context, error);
  }
}

/** A configuration that cannot be read leaves all as it was. */
async function readAgain(
  context: Context,
  configure: () => Promise<OpenContext>,
): Promise<OpenContext | undefined> {
  try {
    const opening = await configure();
    const time = timeOf(context);
    context.messages.event("Read the configuration again", { event: "configured", time });
    return opening;
  } catch (error) {
    if (!isOwnError(error)) throw error;
    tellFailure(context, error);
    return undefined;
  }
}

/** Looks once, and puts back what is not as it should be. */
async function look(
  context: Context,
  following: Following,
  memory: Memory,
  bell: Bell,
  end: AbortSignal,
): Promise<void> {
  const { host, messages } = context;
  const now = host.now();
  const fight = fightAt(memory.fight, now);
  if (memory.fight.isOn && !fight.isOn) {
    messages.event("Nobody removes the rules any more", { event: "peace", time: timeOf(context) });
  }
  memory.fight = fight;
  try {
    const pause = pauseIn(fight);
    if (pause > 0) await host.pause(pause, end);
    if (end.aborted) return;
    const author = following.author();
    const begun = host.now();
    const quiet = { ...context, messages: { ...messages, note: messages.detail } };
    const { left } = memory;
    const result = await putBack(
      quiet,
      (found) =>
        keyOf(found) === memory.tried ||
        (left !== undefined && keyOf(found) === left.key && begun < left.next),
    );
    following.follow(signsOf(context, result.records));
    memory.failure = "";
    memory.pause = AGAIN.first;
    memory.tried = keyOf(result.untried);
    if (result.isTried && result.found.length > 0) {
      tell(context, memory, result, { author, took: host.now() - begun });
    }
    // Who has stopped rings no more.
    const wait = memory.fight.isOn ? FIGHT : (memory.left?.next ?? 0) - host.now();
    if (memory.fight.isOn || memory.left !== undefined) {
      void host.pause(Math.max(0, wait), end).then(bell.ring);
    }
  } catch (error) {
    if (!isOwnError(error)) throw error;
    if (memory.failure !== error.message) tellFailure(context, error);
    memory.failure = error.message;
    // Nobody may ring for it.
    void host.pause(memory.pause, end).then(bell.ring);
    memory.pause = Math.min(2 * memory.pause, AGAIN.longest);
  }
}

/** One line for what was done, and one when a fight begins. */
function tell(
  context: Context,
  memory: Memory,
  { records, found, left }: PutBack,
  { author, took }: { readonly author: string | undefined; readonly took: number },
): void {
  const { host, messages } = context;
  const time = timeOf(context);
  const tries = keyOf(left) === memory.left?.key ? memory.left.tries + 1 : 1;
  if (left.length === 0) delete memory.left;
  else memory.left = { key: keyOf(left), tries, next: host.now() + pauseAfter(tries) };
  const remaining = left.map(driftSentence);
  const mended = found.map(driftSentence).filter((sentence) => !remaining.includes(sentence));
  // The first time it may have been removed once more while it was looked at.
  if (mended.length > 0 || tries === 2) {
    const isMended = mended.length > 0;
    const what = isMended ? "Put all rules back" : "Cannot put all back";
    const by = author === undefined ? "" : ` (${printable(author)})`;
    const text = shortened(isMended ? mended : remaining);
    messages.event(`${what} in ${Math.round(took)} ms: ${text}${by}`, {
      event: isMended ? "restored" : "incomplete",
      time,
      networks: records.filter((record) => !isMasquerade(record)).map(({ name }) => name),
      drift: found,
      left,
      by: author ?? null,
      milliseconds: Math.round(took),
    });
  }
  const wasOn = memory.fight.isOn;
  memory.fight = putBackAt(memory.fight, host.now());
  if (memory.fight.isOn && !wasOn) {
    const { length: times } = memory.fight.times;
    messages.event(
      `Somebody removes the rules again and again, ${times} times in 10 seconds: from now on ` +
        "there are pauses before they come back",
      { event: "fight", time, times },
    );
  }
}

/** Milliseconds until what could not be put back is tried again. */
function pauseAfter(tries: number): number {
  return tries === 1 ? 0 : Math.min(AGAIN.first * 2 ** (tries - 2), SELDOM);
}

function shortened(sentences: readonly string[]): string {
  const [first = "", ...more] = sentences;
  return more.length === 0 ? first : `${first}, and ${more.length} more`;
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

function tellFailure(context: Context, { message }: Error): void {
  context.messages.event(`Cannot look after the rules: ${message}`, {
    event: "failed",
    time: timeOf(context),
    error: message,
  });
}

function timeOf({ host }: Context): string {
  return new Date(host.now()).toISOString();
}

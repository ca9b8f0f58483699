/** What `bridgewall watch` says: each event one line, and one object for programs. */
import { firstLine } from "../command.ts";
import type { Drift } from "../firewall_backend.ts";
import { isMasquerade } from "../policy/masquerade.ts";
import { printable } from "../quoted.ts";
import type { Context } from "./context.ts";
import { driftSentence } from "./inspect_records.ts";
import type { PutBack } from "./put_back.ts";

/** How much was put back, and who had removed it. */
export interface Repair extends Pick<PutBack, "records" | "found" | "left"> {
  /** Undefined where nobody tells. */
  readonly author: string | undefined;
  /** Milliseconds. */
  readonly took: number;
}

/** An event that has nothing more to say than that it is. */
export function tell(
  context: Context,
  event: "watching" | "stopped" | "configured" | "peace",
  text: string,
): void {
  context.messages.event(text, { event, time: timeOf(context) });
}

/** Rules are back: all of them, or some. */
export function tellRestored(context: Context, repair: Repair, mended: readonly Drift[]): void {
  const what = repair.left.length === 0 ? "Put all rules back" : "Put rules back";
  tellRepair(context, "restored", what, repair, mended);
}

/** Nothing helped. */
export function tellIncomplete(context: Context, repair: Repair): void {
  tellRepair(context, "incomplete", "Cannot put all back", repair, repair.left);
}

function tellRepair(
  context: Context,
  event: "restored" | "incomplete",
  what: string,
  { records, found, left, author, took }: Repair,
  about: readonly Drift[],
): void {
  const by = author === undefined ? "" : ` (${printable(author)})`;
  const text = `${what} in ${Math.round(took)} ms: ${shortened(about.map(driftSentence))}${by}`;
  context.messages.event(text, {
    event,
    time: timeOf(context),
    networks: records.filter((record) => !isMasquerade(record)).map(({ name }) => name),
    drift: found,
    left,
    by: author ?? null,
    milliseconds: Math.round(took),
  });
}

function shortened([first = "", ...more]: readonly string[]): string {
  return more.length === 0 ? first : `${first}, and ${more.length} more`;
}

/** Rules were put back so often of late that pauses begin. */
export function tellFight(context: Context, times: number): void {
  context.messages.event(
    `Somebody removes the rules again and again, ${times} times in 10 seconds: from now on there ` +
      "are pauses before they come back",
    { event: "fight", time: timeOf(context), times },
  );
}

/** The line has the beginning: an error may hold a whole script. */
export function tellFailure(context: Context, { message }: Error): void {
  context.messages.event(`Cannot look after the rules: ${firstLine(message)}`, {
    event: "failed",
    time: timeOf(context),
    error: message,
  });
}

function timeOf({ host }: Context): string {
  return host.date().toISOString();
}

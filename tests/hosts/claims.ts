/** What a test says about traffic, each claim a step of its own: ping, TCP and UDP must agree. */
import { assertEquals } from "@std/assert";
import type { Place } from "./namespace.ts";
import { ping } from "./ping.ts";
import { type Probed, type ProbeOptions, SHORT_PATIENCE, tcp, udp } from "./traffic.ts";

/** What became of a ping, a TCP connection and a UDP exchange, in words. */
export interface Reached {
  readonly ping: string;
  readonly tcp: string;
  readonly udp: string;
}

/** All three passed, and the far side saw them come from this address. */
export function passedAs(address: string): Reached {
  const words = `passed as ${address}`;
  return { ping: words, tcp: words, udp: words };
}

/** All three were refused, so that the sender knows at once. */
export const REFUSED: Reached = { ping: "refused", tcp: "refused", udp: "refused" };

/** None of the three was answered. */
export const DROPPED: Reached = { ping: "dropped", tcp: "dropped", udp: "dropped" };

/** One claim. */
export interface Claim {
  /** The sentence. */
  readonly says: string;
  readonly from: Place;
  readonly to: Place;
  /** The family; the receiver's address of it is where the probes go. */
  readonly over: "v4" | "v6";
  /** Another address of the receiver. */
  readonly at?: string;
  /** Another address of the sender. */
  readonly as?: string;
  readonly expect: Reached;
}

/** Enough at once that waiting costs little, few enough that two processors answer in time. */
const AT_ONCE = 12;

/** Does the same with all of them, some at a time. */
export async function resultsOf<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
  atOnce = AT_ONCE,
): Promise<readonly (readonly [Item, Result])[]> {
  const results: (readonly [Item, Result])[] = [];
  const waiting = [...items.entries()];
  const go = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, item] = next;
      results[index] = [item, await work(item)];
    }
  };
  await Promise.all(Array.from({ length: atOnce }, go));
  return results;
}

/**
 * Proves the claims, each in a step of its own. The probes are sent side by side, for a refused IPv6
 * connection takes a second between namespaces: the refusal arrives while `connect` still holds the
 * socket, and only the next SYN is refused to its face.
 */
export async function prove(t: Deno.TestContext, claims: readonly Claim[]): Promise<void> {
  for (const [claim, reached] of await resultsOf(claims, reach)) {
    await t.step(`${claim.says} (IP${claim.over})`, () => assertEquals(reached, claim.expect));
  }
}

/** Sends the three probes of a claim. */
export async function reach(claim: Omit<Claim, "says">): Promise<Reached> {
  const { from, to, expect } = claim;
  const address = claim.at ?? to[claim.over];
  const patience = expect === DROPPED ? SHORT_PATIENCE : undefined;
  const options: ProbeOptions = { from: claim.as, patience };
  const [pinged, connected, sent] = await Promise.all([
    ping(from, to, address, options),
    tcp(from, address, options),
    udp(from, address, options),
  ]);
  return { ping: inWords(pinged), tcp: inWords(connected), udp: inWords(sent) };
}

/** `passed as 192.0.2.1`, `refused`, `dropped`. */
export function inWords({ outcome, source }: Probed): string {
  return source === undefined ? outcome : `${outcome} as ${source.address}`;
}

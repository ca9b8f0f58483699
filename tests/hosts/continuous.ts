/** Traffic that goes on while something happens to the firewall, so that no gap stays unseen. */
import { assert, assertEquals } from "@std/assert";
import { type Background, startInNamespace } from "./background.ts";
import { inWords } from "./claims.ts";
import { ANSWERING_PORT, type Place } from "./namespace.ts";
import type { Probed } from "./traffic.ts";
import { arrivals } from "./witness.ts";

/** How often each result of the probes was seen while something happened. */
export async function countWhile(
  probe: () => Promise<readonly Probed[]>,
  happening: () => Promise<void>,
): Promise<ReadonlyMap<string, number>> {
  const seen = new Map<string, number>();
  let happens = true;
  const probing = (async () => {
    while (happens) {
      const words = (await probe()).map(inWords).join("; ");
      seen.set(words, (seen.get(words) ?? 0) + 1);
    }
  })();
  await happening().finally(() => happens = false);
  await probing;
  return seen;
}

/** Something that goes on until it is asked how it went. */
export interface Continuous {
  /** Ends it. @throws {AssertionError} When it was not as it had to be, at any moment. */
  end(): Promise<void>;
}

/**
 * Echo requests, one each 20 ms, of which every single one must be answered.
 *
 * @param mayMiss How many need not be, where something else than the firewall may lose packets.
 */
export function startPings(from: Place, to: string, mayMiss = 0): Continuous {
  const pings = startPing(from, to, "0.02", []);
  return {
    end: async () => {
      const output = await interrupt(pings);
      const answered = [...output.matchAll(/^\d+ bytes .* icmp_seq=(\d+) /gm)]
        .map((match) => Number(match[1]));
      assert(answered.length > 50, `only ${answered.length} pings`);
      const missing = Array.from({ length: answered.at(-1) ?? 0 }, (_, index) => index + 1)
        .filter((number) => !answered.includes(number));
      const refusals = output.split("\n").filter((line) => /unreachable|prohibited/i.test(line));
      const says = `pings from ${from.namespace} to ${to} that nobody answered`;
      assertEquals(refusals, [], says);
      assert(missing.length <= mayMiss, `${says}: ${missing.join(", ")}`);
    },
  };
}

/** Echo requests, one each 2 ms, of which not a single one may arrive. */
export function startForbidden(from: Place, to: Place, over: "v4" | "v6"): Continuous {
  const pings = startPing(from, to[over], "0.002", ["-q"]);
  return {
    end: async () => {
      const output = await interrupt(pings);
      const sent = Number(output.match(/(\d+) packets transmitted/)?.[1]);
      assert(sent > 100, `only ${sent} pings`);
      const arrived = (await arrivals(to.namespace)).filter(({ source }) => source === from[over]);
      assertEquals(arrived, [], `what came from ${from.namespace} to ${to.namespace}`);
    },
  };
}

/** A connection on which one line after the other is sent and answered. */
export function startTalk(from: Place, to: string): Continuous {
  const address = to.includes(":") ? `TCP6:[${to}]` : `TCP4:${to}`;
  const stream = startInNamespace(from.namespace, ["socat", "-", `${address}:${ANSWERING_PORT}`]);
  let talks = true;
  const answers: (string | undefined)[] = [];
  const talking = (async () => {
    while (talks) {
      await stream.write("still there?");
      answers.push(await stream.read());
      if (answers.at(-1) === undefined) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  return {
    end: async () => {
      talks = false;
      await talking;
      await stream[Symbol.asyncDispose]();
      assert(answers.length > 50, `only ${answers.length} lines`);
      assertEquals([...new Set(answers)], [answers[0]], "who the far side spoke with");
      assert(answers[0] !== undefined, "the connection broke");
    },
  };
}

function startPing(
  from: Place,
  to: string,
  interval: string,
  flags: readonly string[],
): Background {
  return startInNamespace(from.namespace, ["ping", "-n", "-i", interval, ...flags, to]);
}

/** Ends ping the way that makes it count; what it printed. */
async function interrupt(pings: Background): Promise<string> {
  Deno.kill(pings.pid, "SIGINT");
  const lines: string[] = [];
  for (let line = await pings.read(); line !== undefined; line = await pings.read()) {
    lines.push(line);
  }
  await pings[Symbol.asyncDispose]();
  return lines.join("\n");
}

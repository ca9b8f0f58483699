/** Echo requests, and where the far side saw them come from. */
import type { Place } from "./namespace.ts";
import { run } from "./run_program.ts";
import { isIpv6 } from "./test_network.ts";
import { LONG_PATIENCE, type Outcome, type Probed, type ProbeOptions } from "./traffic.ts";
import { arrivals } from "./witness.ts";

/** What the payload adds to the size that the far side's IP header tells: the two headers. */
const HEADERS = { v4: 28, v6: 8 } as const;

let sent = 0;

/** One echo request to a place; its size, no other ping's, tells which arrival is this one. */
export async function ping(
  sender: Place,
  receiver: Place,
  to: string,
  options: ProbeOptions = {},
): Promise<Probed> {
  const payload = 100 + sent++ % 1000;
  const outcome = await send(sender, to, ["-s", String(payload)], options);
  if (outcome !== "passed") return { outcome };
  const size = payload + HEADERS[isIpv6(to) ? "v6" : "v4"];
  const arrived = (await arrivals(receiver.namespace)).find((arrival) =>
    arrival.size === size && arrival.destination === to && arrival.protocol.includes("icmp")
  );
  return arrived === undefined ? { outcome } : { outcome, source: { address: arrived.source } };
}

/** One echo request to any address, also that of a group or a broadcast. */
export function pingAddress(
  sender: Place,
  to: string,
  options: ProbeOptions = {},
): Promise<Outcome> {
  return send(sender, to, isIpv6(to) ? [] : ["-b"], options);
}

async function send(
  sender: Place,
  to: string,
  args: readonly string[],
  { from, patience = LONG_PATIENCE }: ProbeOptions,
): Promise<Outcome> {
  const source = from === undefined ? [] : ["-I", from];
  const argv = ["ping", "-n", "-c", "1", "-W", String(patience), ...source, ...args, to];
  const { code, stdout, stderr } = await run(argv, { namespace: sender.namespace });
  if (code === 0) return "passed";
  if (/port unreachable/i.test(stdout)) return "refused";
  return /unreachable|no route/i.test(stdout + stderr) ? "unreachable" : "dropped";
}

/** TCP and UDP probes: one exchange from a place to an address, and what became of it. */
import { readLines, stop } from "./child_process.ts";
import { ANSWERING_PORT, type Place } from "./namespace.ts";
import { inNamespace, run } from "./run_program.ts";
import { isIpv6 } from "./test_network.ts";

/**
 * `refused`: somebody answered no (port unreachable, connection refused). `dropped`: no answer.
 * `unreachable`: there is no way there, which says something about the test and not about a rule.
 */
export type Outcome = "passed" | "refused" | "dropped" | "unreachable";

/** What became of a probe. */
export interface Probed {
  readonly outcome: Outcome;
  /** Where the far side saw it come from, when it passed; a port only for TCP and UDP. */
  readonly source?: { readonly address: string; readonly port?: number };
  /** Who answered, and at which port it was asked, as in `lan-a:7007`; not for pings. */
  readonly by?: string;
}

/** How a probe is sent. */
export interface ProbeOptions {
  /** The sender's own address to send from; absent: as its routes say. */
  readonly from?: string | undefined;
  /** The sender's port; absent: any. */
  readonly fromPort?: number | undefined;
  /** The receiver's port; absent: where every place answers. */
  readonly port?: number | undefined;
  /** Seconds until no answer counts as dropped; absent: 5, for a machine that is busy. */
  readonly patience?: number | undefined;
}

/** Enough patience where a probe is expected to be dropped: an answer takes a millisecond. */
export const SHORT_PATIENCE = 0.7;

/** The patience when nothing is said. */
export const LONG_PATIENCE = 5;

/** A TCP connection and one line each way. */
export function tcp(sender: Place, to: string, options: ProbeOptions = {}): Promise<Probed> {
  const { patience = LONG_PATIENCE } = options;
  return exchange(sender, `TCP${socatAddress(to, options)},connect-timeout=${patience}`, patience);
}

/** A UDP datagram and its answer. */
export function udp(sender: Place, to: string, options: ProbeOptions = {}): Promise<Probed> {
  const { patience = LONG_PATIENCE } = options;
  return exchange(sender, `UDP${socatAddress(to, options)}`, patience);
}

/** One UDP datagram to a group or a broadcast address; what arrived is for the witness to tell. */
export async function sendOneWay(sender: Place, to: string): Promise<void> {
  const destination = isIpv6(to)
    ? `UDP6-DATAGRAM:[${to}]:${ANSWERING_PORT}`
    : `UDP4-DATAGRAM:${to}:${ANSWERING_PORT},broadcast`;
  await run(["socat", "-u", "-", destination], { namespace: sender.namespace, stdin: "one way\n" });
}

function socatAddress(
  to: string,
  { from = "", fromPort, port = ANSWERING_PORT }: ProbeOptions,
): string {
  const bracket = (address: string): string => isIpv6(address) ? `[${address}]` : address;
  const bind = from === "" ? "" : `,bind=${bracket(from)}`;
  const sourcePort = fromPort === undefined ? "" : `,sourceport=${fromPort}`;
  return `${isIpv6(to) ? 6 : 4}:${bracket(to)}:${port}${bind}${sourcePort}`;
}

/** Says something and waits for the line that tells where the far side saw it come from. */
async function exchange(sender: Place, socket: string, patience: number): Promise<Probed> {
  const [program = "", ...args] = inNamespace(sender.namespace, ["socat", "-", socket]);
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const complaint = new Response(child.stderr).text();
  const silence = setTimeout(() => stop(child), patience * 1000 + 100);
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("hello\n")).catch(() => undefined);
  const answer = (await readLines(child.stdout).next()).value;
  clearTimeout(silence);
  stop(child);
  await child.status;
  await writer.close().catch(() => undefined);
  const words = await complaint;
  return answer === undefined ? { outcome: outcomeOf(words) } : passedBy(answer);
}

/** What a place's answer says: `192.0.2.1 40000 lan-a:7007`. */
export function passedBy(answer: string): Probed {
  const [address = "", port, by = ""] = answer.split(" ");
  return { outcome: "passed", source: { address, port: Number(port) }, by };
}

/** What it means that there is no answer, in the words of the one who asked. */
export function outcomeOf(complaint: string): Outcome {
  // Where nothing speaks a protocol at all, the kernel refuses that (RFC 1122 section 3.2.2.1).
  if (/Connection refused|Protocol not available/.test(complaint)) return "refused";
  if (/No route to host|unreachable|assign requested/i.test(complaint)) return "unreachable";
  return "dropped";
}

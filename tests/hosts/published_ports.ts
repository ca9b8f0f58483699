/** Ports of the host that lead to guests: how a definition says it, and who gets an answer there. */
import { assertEquals } from "@std/assert";
import { resultsOf } from "./claims.ts";
import type { Place } from "./namespace.ts";
import { ask, canAsk, startAsking } from "./asking.ts";
import { kernelTranslatesSctp } from "./sctp.ts";
import type { TestNetwork } from "./test_network.ts";
import { place, type Topology } from "./topology.ts";
import { type Probed, type ProbeOptions, SHORT_PATIENCE, tcp, udp } from "./traffic.ts";

/** The protocols whose ports can be published. */
export const PROTOCOLS = ["tcp", "udp", "sctp"] as const;

/** One of {@linkcode PROTOCOLS}. */
export type Protocol = (typeof PROTOCOLS)[number];

/** A probe by that protocol; where nobody has started the sender, none by SCTP. */
export async function probe(
  protocol: Protocol,
  from: Place,
  to: string,
  options?: ProbeOptions,
): Promise<Probed> {
  if (protocol === "sctp" || canAsk(from)) return await ask(protocol, from, to, options);
  return await (protocol === "tcp" ? tcp : udp)(from, to, options);
}

/** The attributes of a `<bridgewall:publish>`. */
export interface Publication {
  readonly proto: Protocol;
  readonly port: string | number;
  readonly to: string;
  readonly address?: string;
  readonly localhost?: "yes";
}

/** The network, whose definition publishes these ports. */
export function publishing(network: TestNetwork, ports: readonly Publication[]): TestNetwork {
  const elements = ports.map((attributes) => {
    const words = Object.entries(attributes).map(([name, value]) => `${name}="${value}"`);
    return `<bridgewall:publish ${words.join(" ")}/>`;
  });
  const metadata = `<metadata>
    <bridgewall:network xmlns:bridgewall="urn:bridgewall:network:1">
      ${elements.join("\n      ")}
    </bridgewall:network>
  </metadata>`;
  return { ...network, more: network.more + metadata };
}

/** Lets these and all around the host ask; the protocols that the kernel can translate. */
export async function startProtocols(
  topology: Topology,
  guests: readonly Place[],
  ports?: readonly number[],
): Promise<readonly Protocol[]> {
  const { host, uplink, secondUplink } = topology;
  const around = [place(host, []), uplink.outside, secondUplink.outside];
  await startAsking(topology, [...around, ...guests], ports);
  return await kernelTranslatesSctp(topology) ? PROTOCOLS : ["tcp", "udp"];
}

/** One claim about one port, for each protocol. */
export interface PortClaim {
  /** The sentence. */
  readonly says: string;
  readonly from: Place;
  /** Where it asks: an address, of the host mostly. */
  readonly at: string;
  readonly port: number;
  /** Another address of the one who asks. */
  readonly as?: string;
  /** Absent: all. */
  readonly protocols?: readonly Protocol[];
  /** What each protocol says: {@linkcode answered}, `refused` or `dropped`. */
  readonly expect: string;
}

/** It was answered by this place's port, which saw it come from this address. */
export function answered(by: string, port: number, address: string): string {
  return `answered by ${by}:${port} as ${address}`;
}

/** What became of a probe, in words. */
export function answerOf({ outcome, by, source }: Probed): string {
  return outcome === "passed" ? `answered by ${by} as ${source?.address}` : outcome;
}

/**
 * Proves the claims, each in a step of its own.
 *
 * @param protocols Those that the kernel of this machine can translate.
 */
export async function provePorts(
  t: Deno.TestContext,
  claims: readonly PortClaim[],
  protocols: readonly Protocol[] = PROTOCOLS,
): Promise<void> {
  const single = claims.flatMap((claim) =>
    (claim.protocols ?? protocols).filter((protocol) => protocols.includes(protocol))
      .map((protocol) => ({ ...claim, protocol }))
  );
  const atOnce = claims.every(({ from }) => canAsk(from)) ? MANY : undefined;
  const results = await resultsOf(single, probeClaim, atOnce);
  for (const [{ says, protocol, at, port, expect }, found] of results) {
    const family = at.includes(":") ? "IPv6" : "IPv4";
    await t.step(
      `${says} (${protocol}, ${family})`,
      () => assertEquals(answerOf(found), expect, `${at} port ${port}`),
    );
  }
}

/** As many questions at once as processes that ask can take: nothing has to be started for them. */
const MANY = 60;

async function probeClaim(
  { from, at, port, as, protocol, expect }: PortClaim & { readonly protocol: Protocol },
): Promise<Probed> {
  const patience = expect === "dropped" ? SHORT_PATIENCE : undefined;
  return await probe(protocol, from, at, { port, from: as, patience });
}

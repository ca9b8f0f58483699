/** The kernel agrees with the policies: what becomes of a packet is what they say, with every backend. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { down } from "../../core/commands/down.ts";
import { type BackendUnderTest, IPTABLES, NFTABLES } from "../hosts/backends.ts";
import { hostTest } from "../hosts/requirements.ts";
import { describePacket } from "../support/packets/packet.ts";
import { POLICY } from "../support/packets/verdict.ts";
import type { Wire } from "../support/packets/wire.ts";
import type { Sending } from "../support/packets/world.ts";
import { type Case, CASES } from "./arbitrary_traffic.ts";
import { type Kernel, openKernel } from "./open_kernel.ts";
import { originOf, problemOf, verdictOn } from "./packet_problems.ts";
import { bringUp, openHost } from "./packet_scene.ts";

function described({ definitions, world }: Case, sending: Sending, problem: string): string {
  const { because, ...verdict } = verdictOn(world, sending);
  const { entry, sent } = sending;
  const shown = JSON.stringify(
    verdict,
    (_, value) => typeof value === "bigint" ? `0x${value.toString(16)}` : value,
  );
  return [
    `${describePacket(sent)} from ${originOf(entry)} (${entry.kind})`,
    `  policy: ${because}: ${shown}`,
    `  kernel: ${problem}`,
    ...definitions,
  ].join("\n");
}

/** What the packets met, and how many they were. */
interface Met {
  readonly sentences: Set<string>;
  packets: number;
}

async function compare(
  kernel: Kernel,
  backend: BackendUnderTest,
  wire: Wire,
  one: Case,
  met: Met,
): Promise<void> {
  const context = await bringUp(kernel, backend, one.world, one.definitions);
  try {
    const scene = { wire, world: one.world, count: () => met.packets++ };
    for (const sending of one.sendings) {
      met.sentences.add(verdictOn(one.world, sending).because);
      const problem = await problemOf(scene, sending);
      if (problem !== undefined) throw new Error(described(one, sending, problem));
    }
  } finally {
    await down(context, { names: [], all: true });
  }
}

for (const backend of [NFTABLES, ...IPTABLES]) {
  hostTest({
    name:
      `${backend.name}: what becomes of a packet is what the policies say, whatever the networks are`,
    tools: [...backend.tools, "python3", "conntrack"],
    body: async () => {
      await using kernel = await openKernel();
      await using wire = await openHost(kernel);
      const met: Met = { sentences: new Set(), packets: 0 };
      await fc.assert(
        fc.asyncProperty(CASES, (one) => compare(kernel, backend, wire, one, met)),
        { numRuns: 120 },
      );
      // Else it would be about packets that nothing is said about.
      assertEquals(Object.values(POLICY).filter((sentence) => !met.sentences.has(sentence)), []);
    },
  });
}

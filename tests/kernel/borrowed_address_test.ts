/** Whose address is borrowed has nothing to fear from it: no answer gets to them. */
import { assertEquals } from "@std/assert";
import { IPTABLES, NFTABLES } from "../hosts/backends.ts";
import { hostTest } from "../hosts/requirements.ts";
import { policyOf } from "../support/packets/arbitrary_packets.ts";
import { describePacket, packet, replyTo } from "../support/packets/packet.ts";
import { UPLINKS } from "./arbitrary_traffic.ts";
import { openKernel } from "./open_kernel.ts";
import { bringUp, cableOf, openHost, sendPacket, told } from "./packet_scene.ts";

/** Networks that let others in, that translate, and that let nobody out. */
const DEFINITIONS = ["route", "nat", "isolated"].map((mode, number) =>
  [
    `<network><name>${mode}</name><bridge name='virbr${number}'/>`,
    mode === "isolated" ? "" : `<forward mode='${mode}'><nat ipv6='yes'/></forward>`,
    `<ip address='10.0.${number}.1' prefix='24'/>`,
    `<ip family='ipv6' address='fd00:${number}::1' prefix='64'/></network>`,
  ].join("").replace(/(mode='route'>)<nat[^>]*>/, "$1")
);

/** Who sends from where, to whom, and where that one is: a neighbour, or whom somebody outside reaches. */
const BORROWED = [
  ["virbr0", "10.0.1.9:53", "10.0.0.7:5353", "virbr0"],
  ["virbr2", "10.0.1.9:53", "10.0.2.7:5353", "virbr2"],
  ["re0", "10.0.1.9:53", "10.0.0.7:5353", "virbr0"],
  ["virbr0", "[fd00:1::9]:53", "[fd00:0::7]:5353", "virbr0"],
  ["re0", "[fd00:1::9]:53", "[fd00:0::7]:5353", "virbr0"],
] as const;

for (const backend of [NFTABLES, ...IPTABLES]) {
  hostTest({
    name: `${backend.name}: an answer to who borrowed the address of a nat guest never gets there`,
    tools: [...backend.tools, "python3"],
    body: async () => {
      await using kernel = await openKernel();
      await using wire = await openHost(kernel);
      const world = { policies: DEFINITIONS.map(policyOf), uplinks: UPLINKS };
      await bringUp(kernel, backend, world, DEFINITIONS);
      let number = 0;
      const scene = { wire, world, count: () => number++ };
      for (const [by, from, to, bridge] of BORROWED) {
        await wire.forget();
        for (const protocol of ["udp", "tcp", "sctp"] as const) {
          const sent = packet(protocol, from, to);
          const came = await sendPacket(scene, by, sent, false);
          // Where it did not come, the other one answers all the same, to whom it knows of.
          const seen = came.find(({ isError }) => !isError)?.packet ?? sent;
          const answers = await sendPacket(scene, bridge, replyTo(seen), false);
          const victims = answers.filter(({ at }) => at === cableOf("virbr1"));
          assertEquals(victims.map(told), [], describePacket(sent));
        }
      }
    },
  });
}

/** Published ports of firewalld while networks and ports come and go: nothing is made anew for the others. */
import { assertEquals } from "@std/assert";
import { FIREWALLD_NFTABLES } from "./backends.ts";
import { startTalk } from "./continuous.ts";
import {
  ALONE,
  asks,
  closed,
  driftOf,
  PORT,
  PUBLISHING,
  reached,
  WEB,
} from "./firewalld_published.ts";
import { openWithFirewalld } from "./firewalld_state.ts";
import { ANSWERING_PORT } from "./namespace.ts";
import { answered, type PortClaim, provePorts } from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { makeTopology } from "./topology.ts";

// It is about what firewalld is told: whatever it makes of that is tested elsewhere.
for (const backend of [FIREWALLD_NFTABLES]) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: guests who may not leave reach no published port, whichever network came first`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([WEB, ALONE]);
      const { uplink, guest } = topology;
      const { bridgewall, firewalld } = await openWithFirewalld(topology, backend);
      const prove = async (step: Deno.TestContext, more: readonly PortClaim[] = []) => {
        await provePorts(step, [
          reached(topology, uplink.host4),
          reached(topology, uplink.host6),
          ...closed(topology, backend),
          ...more,
        ]);
        assertEquals(await driftOf(bridgewall), []);
      };
      await bridgewall.up(ALONE);
      const alone = await firewalld.listings();
      await bridgewall.up(PUBLISHING);
      await t.step("the one that publishes comes later", (step) => prove(step));
      await t.step("one more port comes and goes, and connections go on", async (step) => {
        const before = await firewalld.listings();
        const talk = startTalk(guest("web-b"), uplink.outside.v4);
        await bridgewall.succeed(["publish", WEB.name, "9090:192.168.101.10:7007/tcp"]);
        await prove(step, [
          reached(topology, uplink.host4, 9090),
          ...closed(topology, backend, 9090),
        ]);
        await bridgewall.succeed(["unpublish", WEB.name, "9090/tcp"]);
        await talk.end();
        assertEquals(await firewalld.listings(), before);
      });
      await t.step("it leaves nothing with the other", async () => {
        await bridgewall.down(WEB);
        assertEquals(await firewalld.listings(), alone);
        assertEquals(await driftOf(bridgewall), []);
      });
      await bridgewall.down(ALONE);
      await bridgewall.up(PUBLISHING);
      const web = await firewalld.listings();
      await bridgewall.up(ALONE);
      await t.step("the one that publishes came first", (step) => prove(step));
      await t.step("the other leaves nothing with it", async () => {
        await bridgewall.down(ALONE);
        assertEquals(await firewalld.listings(), web);
        assertEquals(await driftOf(bridgewall), []);
      });
      await bridgewall.up(ALONE);
      await bridgewall.succeed(["reload"]);
      await t.step("both are made again", (step) => prove(step));
      await t.step("guests who may leave now are not kept from ports", async (step) => {
        const open = { ...ALONE, forward: '<forward mode="route"/>' };
        await bridgewall.up(open);
        const at = uplink.host4;
        const expect = answered("web-a", ANSWERING_PORT, guest("alone-a").v4);
        await provePorts(step, [asks("led to the guest", guest("alone-a"), at, PORT, expect)]);
        assertEquals(await driftOf(bridgewall), []);
      });
    },
  });
}

/** `bridgewall watch`: what others remove comes back by itself. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { bridgeLines } from "./attach_guest.ts";
import { BACKENDS } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { flushEverything } from "./iptables_variant.ts";
import { changeSetting, configure, setting } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { mustRun, run } from "./run_program.ts";
import { testNetwork } from "./test_network.ts";
import { makeTopology } from "./topology.ts";
import { SHORT_PATIENCE, tcp } from "./traffic.ts";
import { trustEveryone } from "./trust_everyone.ts";
import { startWatch } from "./watching.ts";

const NAT = testNetwork(61, "nat", { forward: '<forward mode="nat"/>', dhcp: true });
const ISOLATED = testNetwork(62, "isolated");
const LATER = testNetwork(63, "later", { forward: '<forward mode="route"/>' });

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: while somebody watches, what others remove comes back`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([NAT, ISOLATED, LATER]);
      const { host, uplink: { outside } } = topology;
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      const watching = await startWatch(topology, bridgewall);
      const filtered = async (): Promise<void> => {
        await bridgewall.succeed(["check"]);
        const isolated = topology.guest("isolated-a");
        const out = await tcp(isolated, outside.v4, { patience: SHORT_PATIENCE });
        assert(out.outcome !== "passed", "an isolated guest gets out");
        assertEquals((await tcp(topology.guest("nat-a"), outside.v4)).outcome, "passed");
      };
      await bridgewall.up(NAT, ISOLATED);
      await t.step("rules that are flushed", async () => {
        for (let round = 0; round < 3; round++) {
          await flushEverything(host, backend);
          const { networks, drift, left } = await watching.next("restored");
          assertEquals([networks, left], [["isolated", "nat"], []]);
          assert(Array.isArray(drift) && drift.length > 0);
          await filtered();
        }
      });
      await t.step("forwarding that is switched off", async () => {
        await changeSetting(host, "net.ipv4.ip_forward", 0);
        const { drift } = await watching.next("restored");
        assertStringIncludes(JSON.stringify(drift), "net.ipv4.ip_forward is 0 instead of 1");
        assertEquals(await setting(host, "net.ipv4.ip_forward"), "1");
        await filtered();
      });
      await t.step("a network that came up meanwhile", async () => {
        await bridgewall.up(LATER);
        assertEquals((await tcp(topology.guest("later-a"), outside.v4)).outcome, "passed");
        await flushEverything(host, backend);
        assertEquals((await watching.next("restored"))["networks"], ["isolated", "later", "nat"]);
        await filtered();
        await bridgewall.down(LATER);
        await flushEverything(host, backend);
        assertEquals((await watching.next("restored"))["networks"], ["isolated", "nat"]);
        await filtered();
      });
      await t.step("a bridge that is made again", async () => {
        await mustRun(["ip", "link", "del", NAT.bridge], { namespace: host });
        await configure(host, bridgeLines(NAT));
        // A bridge that goes lets its cables fall.
        const { namespace } = topology.guest("nat-b");
        await configure(host, [`link set vnet${namespace.split("-")[2]} master ${NAT.bridge} up`]);
        // The guest knows the old bridge by its address on the link.
        await mustRun(["ip", "neigh", "flush", "dev", "eth0"], { namespace });
        const answered = await tcp(topology.guest("nat-b"), outside.v4);
        assertEquals(answered.outcome, "passed");
        await untilChecked(() => bridgewall.run(["check"]));
      });
      await t.step("it ends when it is asked to, and the rules stay", async () => {
        assertEquals(await watching.stop("SIGINT"), "stopped");
        await bridgewall.succeed(["check"]);
        const { stdout } = await run(["ip", "netns", "pids", host]);
        const commands = await Promise.all(
          stdout.split("\n").filter((pid) => pid !== "").map(async (pid) =>
            (await run(["ps", "-o", "args=", "-p", pid])).stdout
          ),
        );
        assertEquals(commands.filter((line) => / monitor\b/.test(line)), []);
      });
      await bridgewall.down(NAT, ISOLATED);
    },
  });
}

/** What is put right beside the rules nobody tells by an event that would be the only one. */
async function untilChecked(
  check: () => Promise<{ readonly code: number; readonly stdout: string }>,
): Promise<void> {
  let last = await check();
  for (let round = 0; round < 20 && last.code !== 0; round++) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    last = await check();
  }
  assertEquals(last.code, 0, last.stdout);
}

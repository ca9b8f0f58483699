import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { attachedCables, bridgeLines } from "./attach_guest.ts";
import { BACKENDS } from "./backends.ts";
import { flushEverything } from "./iptables_variant.ts";
import { startInNamespace } from "./background.ts";
import { openBridgewall } from "./bridgewall.ts";
import { passedAs, prove, REFUSED } from "./claims.ts";
import { countWhile } from "./continuous.ts";
import { ANSWERING_PORT, configure } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { firewallState, loadForeignRules } from "./ruleset.ts";
import { definition, testNetwork } from "./test_network.ts";
import { makeHost, makeTopology } from "./topology.ts";
import { tcp } from "./traffic.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>', dhcp: true });
const ROUTE = testNetwork(102, "route", { forward: '<forward mode="route"/>' });
const ISOLATED = testNetwork(103, "isolated", { dhcp: true });

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: up again changes nothing, and each down takes back its own network only`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([NAT, ROUTE, ISOLATED]);
      const { host, uplink, uplink: { outside } } = topology;
      const bridgewall = await openBridgewall(topology, backend);
      const empty = await firewallState(host);
      await loadForeignRules(host, backend);
      const foreign = await firewallState(host);
      // In the order of their names, as reload does it: some rules of iptables stand in that order.
      await bridgewall.up(ISOLATED, NAT, ROUTE);
      const once = await firewallState(host);
      await t.step("up twice is up once", async () => {
        assertNotEquals(once, foreign);
        await bridgewall.up(ISOLATED, NAT, ROUTE);
        assertEquals(await firewallState(host), once);
      });
      await t.step("reload leaves the same rules", async () => {
        await bridgewall.succeed(["reload"]);
        assertEquals(await firewallState(host), once);
      });
      const [nat, route] = [topology.guest("nat-a"), topology.guest("route-a")];
      await t.step("down of two leaves the third as it was", async (step) => {
        await bridgewall.down(ROUTE, ISOLATED);
        await prove(step, [
          { says: "out", from: nat, to: outside, over: "v4", expect: passedAs(uplink.host4) },
          { says: "in", from: outside, to: nat, over: "v4", expect: REFUSED },
        ]);
        // Without a zone of its own a bridge is in firewalld's default one, which forwards nothing.
        if (backend.firewalld !== undefined) return;
        await prove(step, [
          { says: "no rule", from: outside, to: route, over: "v4", expect: passedAs(outside.v4) },
        ]);
      });
      await t.step("the last down leaves the foreign rules alone", async () => {
        await bridgewall.succeed(["down", "--all"]);
        assertEquals(await firewallState(host), foreign);
        assertNotEquals(foreign, empty);
      });
      await t.step("down again is done already", async () => {
        await bridgewall.succeed(["down", "--all"]);
        assertEquals(await firewallState(host), foreign);
      });
    },
  });

  hostTest({
    name: `${name}: the rules hold after the bridge was deleted and made again`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([NAT]);
      const { host, uplink, uplink: { outside } } = topology;
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(NAT);
      const cables = await attachedCables(host, NAT);
      await configure(host, [
        `link del ${NAT.bridge}`,
        ...bridgeLines(NAT),
        ...cables.map((cable) => `link set ${cable} master ${NAT.bridge}`),
      ]);
      const guest = topology.guest("nat-a");
      await prove(t, [
        { says: "out", from: guest, to: outside, over: "v4", expect: passedAs(uplink.host4) },
        { says: "in is refused", from: outside, to: guest, over: "v4", expect: REFUSED },
      ]);
      await t.step("check finds nothing missing", () => bridgewall.succeed(["check"]).then());
    },
  });

  hostTest({
    name: `${name}: a reload breaks no connection and opens no gap`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([NAT]);
      const { uplink, uplink: { outside } } = topology;
      const guest = topology.guest("nat-a");
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(NAT);
      await using stream = startInNamespace(guest.namespace, [
        "socat",
        "-",
        `TCP4:${outside.v4}:${ANSWERING_PORT}`,
      ]);
      const says = async (line: string): Promise<string | undefined> => {
        await stream.write(line);
        return await stream.read();
      };
      const before = await says("before");
      assert(before?.startsWith(uplink.host4), before);
      const seen = await countWhile(
        () => Promise.all([tcp(outside, guest.v4), tcp(guest, outside.v4)]),
        async () => {
          for (let count = 0; count < 20; count++) await bridgewall.succeed(["reload"]);
        },
      );
      await t.step("the connection made before goes on", async () => {
        assertEquals(await says("after"), before);
      });
      await t.step("what is refused was refused, what is translated was, all the time", () => {
        const always = `refused; passed as ${uplink.host4}`;
        assertEquals([...seen.keys()], [always]);
        assert((seen.get(always) ?? 0) >= 20, `tried only ${seen.get(always)} times`);
      });
    },
  });

  hostTest({
    name: `${name}: after somebody flushed the rules, check tells, reload repairs, down succeeds`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([NAT, ROUTE]);
      const { host } = topology;
      const bridgewall = await openBridgewall(topology, backend);
      const before = await firewallState(host);
      await bridgewall.up(NAT, ROUTE);
      const healthy = await firewallState(host);
      const flush = (): Promise<void> => flushEverything(host, backend);
      await bridgewall.succeed(["check"]);
      await flush();
      await t.step("check exits 3 and says what is missing", async () => {
        const { code, stdout, stderr } = await bridgewall.run(["check"]);
        assertEquals(code, 3, stderr);
        assertMatch(stdout + stderr, /missing/);
      });
      await t.step("reload repairs", async () => {
        await bridgewall.succeed(["reload"]);
        assertEquals(await firewallState(host), healthy);
        await bridgewall.succeed(["check"]);
      });
      await t.step("down succeeds where nothing is left", async () => {
        await flush();
        await bridgewall.succeed(["down", "--all"]);
        assertEquals(await firewallState(host), before);
      });
    },
  });

  hostTest({
    name: `${name}: down needs no definition, whatever became of the file`,
    tools,
    body: async (t) => {
      await using place = await makeHost([NAT]);
      const { host } = place;
      const bridgewall = await openBridgewall(place, backend);
      const before = await firewallState(host);
      const changes: Readonly<Record<string, (file: string) => Promise<void>>> = {
        "it is gone": (file) => Deno.remove(file),
        "it tells of another bridge, without DHCP": (file) =>
          Deno.writeTextFile(file, definition({ ...NAT, bridge: "br109", dhcp: false })),
        "it is no XML any more": (file) => Deno.writeTextFile(file, "<network>"),
      };
      for (const [says, change] of Object.entries(changes)) {
        await t.step(says, async () => {
          const file = await bridgewall.write(NAT);
          await bridgewall.succeed(["up", file]);
          await change(file);
          await bridgewall.succeed(["down", NAT.name]);
          assertEquals(await firewallState(host), before);
        });
      }
    },
  });
}

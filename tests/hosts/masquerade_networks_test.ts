/** Masqueraded prefixes beside networks, and what was sent before they were. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { startResponder } from "./background.ts";
import { BACKENDS } from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { type Claim, passedAs, prove, REFUSED } from "./claims.ts";
import { attachContainer } from "./container.ts";
import { NOBODY, startDatagrams } from "./datagrams.ts";
import { ISOLATED, NAT, ROUTE } from "./five_networks.ts";
import { flushEverything } from "./iptables_variant.ts";
import { ANSWERING_PORT, changeSetting, configure, type Place } from "./namespace.ts";
import { proveLive } from "./prefixes.ts";
import { answered, provePorts, publishing } from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { bare, type TestNetwork } from "./test_network.ts";
import { makeTopology, type Topology } from "./topology.ts";
import { trustEveryone } from "./trust_everyone.ts";
import { arrivals, startWitness } from "./witness.ts";

/** Where the container's addresses are, and none of a network. */
const [CONTAINERS4, CONTAINERS6] = ["10.0.0.0/24", "fd00:3::/64"] as const;
const PORT = 8080;
const PUBLISHING = publishing(NAT, [
  { proto: "tcp", port: PORT, to: `192.168.101.10:${ANSWERING_PORT}` },
]);

async function change(bridgewall: Bridgewall, ...args: readonly string[]): Promise<void> {
  await bridgewall.succeed(["masquerade", ...args]);
}

/** Who sees the container, or a guest, come from where. */
async function proveSeen(
  t: Deno.TestContext,
  topology: Topology,
  container: Place,
  isMasqueraded: boolean,
): Promise<void> {
  const { guest, uplink: { outside, host4, host6 } } = topology;
  const [nat, route] = [guest(`${NAT.name}-a`), guest(`${ROUTE.name}-a`)];
  const isolated = guest(`${ISOLATED.name}-a`);
  const seen = (host: string, itself: string): string => isMasqueraded ? host : itself;
  const claim = (says: string, from: Place, to: Place, over: "v4" | "v6", as: string): Claim => ({
    says,
    from,
    to,
    over,
    expect: as === "" ? REFUSED : passedAs(as),
  });
  const bridge = (network: TestNetwork, index: number): string =>
    bare(network.addresses[index] ?? "");
  await prove(t, [
    claim("the container asks outside", container, outside, "v4", seen(host4, container.v4)),
    claim("the container asks outside", container, outside, "v6", seen(host6, container.v6)),
    claim("a routed guest", container, route, "v4", seen(bridge(ROUTE, 0), container.v4)),
    claim("a routed guest", container, route, "v6", seen(bridge(ROUTE, 1), container.v6)),
    claim("a nat guest", container, nat, "v4", ""),
    claim("an isolated guest", container, isolated, "v6", ""),
    claim("a nat guest asks outside", nat, outside, "v4", host4),
    claim("a routed guest asks outside", route, outside, "v4", route.v4),
    claim("a routed guest asks the container", route, container, "v4", route.v4),
    claim("an isolated guest asks outside", isolated, outside, "v4", ""),
  ]);
  await provePorts(t, [{
    says: "the container asks a published port",
    from: container,
    at: host4,
    port: PORT,
    expect: answered(`${NAT.name}-a`, ANSWERING_PORT, seen(bridge(NAT, 0), container.v4)),
  }], ["tcp"]);
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: masqueraded prefixes and networks come and go without one another`,
    tools,
    body: async (t) => {
      const networks = [PUBLISHING, ROUTE, ISOLATED];
      await using topology = await makeTopology(networks);
      const { host } = topology;
      const container = await attachContainer(topology, ["10.0.0.5", "fd00:3::5"]);
      topology.atEnd.use(await startResponder(container.namespace));
      await startWitness(container.namespace);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      const before = await firewallState(host);
      await bridgewall.up(...networks);
      const without = await firewallState(host);
      const prefixes = [CONTAINERS4, CONTAINERS6];
      await change(bridgewall, "add", ...prefixes);
      await t.step("beside networks", (step) => proveSeen(step, topology, container, true));
      await t.step("flushed: check tells it, reload brings all back", async (step) => {
        await flushEverything(host, backend);
        const { code, stdout } = await bridgewall.run(["check"]);
        assertEquals(code, 3, stdout);
        await bridgewall.succeed(["reload"]);
        await bridgewall.succeed(["check"]);
        await proveSeen(step, topology, container, true);
      });
      await t.step("removed, the networks are as they were", async () => {
        await change(bridgewall, "remove", ...prefixes);
        assertEquals(await firewallState(host), without);
      });
      await t.step("without networks", async (step) => {
        await change(bridgewall, "add", ...prefixes);
        const { stderr } = await bridgewall.succeed(["masquerade", "add", "192.168.103.0/25"]);
        assertStringIncludes(stderr, ROUTE.name);
        await bridgewall.down(...networks);
        await proveLive(host, backend, bridgewall, [...prefixes, "192.168.103.0/25"]);
        const { uplink: { outside, host4 } } = topology;
        await prove(step, [{
          says: "the container asks outside",
          from: container,
          to: outside,
          over: "v4",
          expect: passedAs(host4),
        }]);
        await bridgewall.succeed(["check"]);
      });
      await t.step("after the last one nothing is left", async () => {
        await change(bridgewall, "remove", ...prefixes, "192.168.103.0/25");
        assertEquals(await firewallState(host), before);
      });
    },
  });

  hostTest({
    name:
      `${name}: what a prefix has sent before it was masqueraded is sent by the host from then on`,
    tools: [...tools, "conntrack"],
    body: async () => {
      await using topology = await makeTopology([]);
      const { host, uplink: { outside, host4 } } = topology;
      await changeSetting(host, "net.ipv4.ip_forward", 1);
      const container = await attachContainer(topology, ["10.0.0.5"]);
      // As on the internet: nobody knows the way back.
      await configure(outside.namespace, ["route add blackhole 10.0.0.0/8"]);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      // Something has to keep the kernel's table.
      await change(bridgewall, "add", "10.1.0.0/16");
      await using stream = startDatagrams(container, outside.v4, ANSWERING_PORT, 40_000);
      assertEquals(await stream.next(), NOBODY);
      await change(bridgewall, "add", "10.0.0.0/24");
      assertEquals(await stream.next(), `eth0:${ANSWERING_PORT}`);
      const sources = (await arrivals(outside.namespace)).map(({ source }) => source);
      assertEquals([...new Set(sources)].sort(), ["10.0.0.5", host4].sort());
    },
  });
}

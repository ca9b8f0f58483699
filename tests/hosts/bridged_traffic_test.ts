/** Traffic that stays on the bridge, also on a host that shows it to the firewall (br_netfilter). */
import { assert, assertEquals } from "@std/assert";
import { BACKENDS, type BackendUnderTest } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { passedAs, prove } from "./claims.ts";
import { canShowBridged, showBridged } from "./bridged_to_firewall.ts";
import { askForLease, DHCP_TOOLS, startDhcpServer } from "./dhcp.ts";
import type { Place } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { type TestNetwork, testNetwork } from "./test_network.ts";
import { makeTopology } from "./topology.ts";
import { sendOneWay } from "./traffic.ts";
import { arrivals } from "./witness.ts";

const NAT = testNetwork(101, "nat", {
  forward: '<forward><nat ipv6="yes"/></forward>',
  dhcp: true,
});
const ISOLATED = testNetwork(102, "isolated", { dhcp: true });
const SUBNETS = testNetwork(103, "subnets", {
  forward: '<forward mode="nat"/>',
  addresses: ["192.168.103.1/24", "192.168.203.1/24"],
  guests: { "subnets-a": ["192.168.103.10/24"], "subnets-b": ["192.168.203.11/24"] },
});

/** Datagrams to groups and broadcasts arrive at the neighbour with the sender's own source. */
async function proveGroups(
  t: Deno.TestContext,
  network: TestNetwork,
  sender: Place,
  neighbour: Place,
): Promise<void> {
  const broadcast = neighbour.v4.replace(/\d+$/, "255");
  for (const group of ["224.0.0.1", broadcast, "255.255.255.255"]) {
    await t.step(`${network.name}: a datagram to ${group} keeps its source`, async () => {
      await sendOneWay(sender, group);
      const seen = await arrivals(neighbour.namespace);
      assertEquals(
        seen.filter(({ destination }) => destination === group).map(({ source }) => source),
        [sender.v4],
      );
    });
  }
  await t.step(`${network.name}: a datagram to ff02::1 arrives`, async () => {
    await sendOneWay(sender, "ff02::1%eth0");
    const seen = await arrivals(neighbour.namespace);
    const [source] = seen.filter(({ destination }) => destination === "ff02::1");
    assert(source?.source.startsWith("fe80::"), `seen as ${source?.source}`);
  });
}

async function proveBridged(
  t: Deno.TestContext,
  backend: BackendUnderTest,
  filtered: boolean,
): Promise<void> {
  await using topology = await makeTopology([NAT, ISOLATED, SUBNETS]);
  await showBridged(topology.host, filtered);
  const bridgewall = await openBridgewall(topology, backend);
  await bridgewall.up(NAT, ISOLATED, SUBNETS);
  for (const network of [NAT, ISOLATED]) {
    const [a, b] = ["a", "b"].map((guest) => topology.guest(`${network.name}-${guest}`));
    assert(a !== undefined && b !== undefined);
    await prove(t, [
      {
        says: `${network.name}: guest to guest`,
        from: a,
        to: b,
        over: "v4",
        expect: passedAs(a.v4),
      },
      {
        says: `${network.name}: guest to guest`,
        from: a,
        to: b,
        over: "v6",
        expect: passedAs(a.v6),
      },
    ]);
    await proveGroups(t, network, a, b);
  }
  const [a, b] = [topology.guest("subnets-a"), topology.guest("subnets-b")];
  const outside = topology.uplink.outside;
  const host = topology.uplink.host4;
  await prove(t, [
    { says: "subnet to subnet, untranslated", from: a, to: b, over: "v4", expect: passedAs(a.v4) },
    { says: "out, as the host", from: a, to: outside, over: "v4", expect: passedAs(host) },
  ]);
  for (const network of [NAT, ISOLATED]) {
    await t.step(`${network.name}: a DHCP client gets a lease`, async () => {
      await using _server = startDhcpServer(topology.host, network);
      const lease = await askForLease(topology.guest(`${network.name}-b`));
      assert(lease?.startsWith(network.name === "nat" ? "192.168.101." : "192.168.102."), lease);
    });
  }
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  const needed = [...tools, ...DHCP_TOOLS];
  hostTest({
    name: `${name}: guests of a bridge reach each other, groups and DHCP`,
    tools: needed,
    body: (t) => proveBridged(t, backend, false),
  });

  hostTest({
    name: `${name}: the same where br_netfilter shows bridged packets to the firewall`,
    tools: [...needed, "unshare"],
    body: async (t) => {
      const possible = await canShowBridged();
      await t.step({
        name: "with net.bridge.bridge-nf-call-iptables=1",
        ignore: !possible,
        fn: (step) => proveBridged(step, backend, true),
      });
    },
  });
}

import { assert, assertEquals, assertMatch } from "@std/assert";
import { BACKENDS, type BackendUnderTest } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { passedAs, prove, REFUSED } from "./claims.ts";
import { giveZone } from "./device_zone.ts";
import { configure } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { testNetwork } from "./test_network.ts";
import { makeHost, makeTopology, place } from "./topology.ts";
import { tcp, udp } from "./traffic.ts";

const RANGE = testNetwork(101, "range", {
  forward: `<forward mode="nat"><nat>
    <address start="203.0.113.50" end="203.0.113.52"/><port start="20000" end="20999"/>
  </nat></forward>`,
});
const PORTS = testNetwork(102, "ports", {
  forward: `<forward><nat ipv6="yes"><port start="30000" end="30099"/></nat></forward>`,
});
const SUBNETS = testNetwork(103, "subnets", {
  forward: '<forward mode="nat"/>',
  addresses: ["192.168.103.1/24", "192.168.203.1/24", "2001:db8:103::1/64", "2001:db8:203::1/64"],
  guests: {
    "subnets-a": ["192.168.103.10/24", "2001:db8:103::10/64"],
    "subnets-b": ["192.168.203.11/24", "2001:db8:203::11/64"],
  },
});
const DEVICE = testNetwork(104, "device", { forward: '<forward mode="nat" dev="eth0"/>' });
const BEHIND = testNetwork(105, "behind", {
  forward: '<forward mode="nat"/>',
  more: '<route address="10.77.0.0" prefix="16" gateway="192.168.105.10"/>',
});

/** firewalld has no words for either, which is said before anything is changed. */
async function expectRefusals(t: Deno.TestContext, backend: BackendUnderTest): Promise<void> {
  await using place = await makeHost([RANGE, PORTS]);
  const bridgewall = await openBridgewall(place, backend);
  const before = await bridgewall.firewalld?.listings();
  for (const [network, feature] of [[RANGE, /address range/], [PORTS, /port range/]] as const) {
    await t.step(`network "${network.name}" is refused`, async () => {
      const { code, stderr } = await bridgewall.run(["up", await bridgewall.write(network)]);
      assertEquals(code, 4, stderr);
      assertMatch(stderr, feature);
      assertMatch(stderr, /--backend nftables/);
      assertEquals(await bridgewall.firewalld?.listings(), before);
    });
  }
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: translated packets come from the address range and the port range given`,
    tools,
    body: async (t) => {
      if (backend.firewalld !== undefined) return await expectRefusals(t, backend);
      await using topology = await makeTopology([RANGE, PORTS]);
      const { host, uplink, uplink: { outside } } = topology;
      const last = [50, 51, 52].map((number) => `203.0.113.${number}`);
      await configure(host, last.map((address) => `addr add ${address}/32 dev ${uplink.device}`));
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(RANGE, PORTS);
      const expectSource = async (
        guest: string,
        to: string,
        addresses: readonly string[],
        [low, high]: readonly [number, number],
      ): Promise<void> => {
        for (const probe of [tcp, udp, tcp, udp]) {
          const { source } = await probe(topology.guest(guest), to);
          assert(addresses.includes(source?.address ?? ""), `seen as ${source?.address}`);
          const port = source?.port ?? 0;
          assert(low <= port && port <= high, `seen from port ${port}`);
        }
      };
      await t.step(
        "from an address and a port of the ranges",
        () => expectSource("range-a", outside.v4, last, [20_000, 20_999]),
      );
      await t.step(
        "from the host's address and a port of the range (IPv4)",
        () => expectSource("ports-a", outside.v4, [uplink.host4], [30_000, 30_099]),
      );
      await t.step(
        "from the host's address and a port of the range (IPv6)",
        () => expectSource("ports-a", outside.v6, [uplink.host6], [30_000, 30_099]),
      );
      const [ranged, ported] = [topology.guest("range-a"), topology.guest("ports-a")];
      await prove(t, [
        { says: "in is refused", from: outside, to: ranged, over: "v4", expect: REFUSED },
        { says: "in is refused", from: outside, to: ported, over: "v6", expect: REFUSED },
        {
          says: "out, not translated",
          from: ranged,
          to: outside,
          over: "v6",
          expect: passedAs(ranged.v6),
        },
      ]);
    },
  });

  hostTest({
    name: `${name}: the subnets of one network reach the outside, and each other untranslated`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([SUBNETS]);
      const { uplink, uplink: { outside } } = topology;
      const [a, b] = [topology.guest("subnets-a"), topology.guest("subnets-b")];
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(SUBNETS);
      await prove(t, [
        {
          says: "out of the first",
          from: a,
          to: outside,
          over: "v4",
          expect: passedAs(uplink.host4),
        },
        {
          says: "out of the second",
          from: b,
          to: outside,
          over: "v4",
          expect: passedAs(uplink.host4),
        },
        { says: "out of the second", from: b, to: outside, over: "v6", expect: passedAs(b.v6) },
        { says: "first to second", from: a, to: b, over: "v4", expect: passedAs(a.v4) },
        { says: "second to first", from: b, to: a, over: "v4", expect: passedAs(b.v4) },
        { says: "first to second", from: a, to: b, over: "v6", expect: passedAs(a.v6) },
        { says: "in is refused", from: outside, to: b, over: "v4", expect: REFUSED },
      ]);
    },
  });

  hostTest({
    name: `${name}: with a forward device guests leave by that device only`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([DEVICE, SUBNETS]);
      const { uplink, uplink: { outside }, secondUplink: { outside: second } } = topology;
      const [a, neighbour] = [topology.guest("device-a"), topology.guest("subnets-a")];
      const bridgewall = await openBridgewall(topology, backend);
      await giveZone(bridgewall, "eth0");
      await bridgewall.up(DEVICE, SUBNETS);
      await prove(t, [
        { says: "out by it", from: a, to: outside, over: "v4", expect: passedAs(uplink.host4) },
        { says: "out by it", from: a, to: outside, over: "v6", expect: passedAs(a.v6) },
        { says: "out by another is refused", from: a, to: second, over: "v4", expect: REFUSED },
        { says: "out by another is refused", from: a, to: second, over: "v6", expect: REFUSED },
        { says: "to a network is refused", from: a, to: neighbour, over: "v6", expect: REFUSED },
        { says: "in by it", from: outside, to: a, over: "v6", expect: passedAs(outside.v6) },
        { says: "in by another is refused", from: second, to: a, over: "v6", expect: REFUSED },
        { says: "in is refused", from: outside, to: a, over: "v4", expect: REFUSED },
      ]);
    },
  });

  hostTest({
    name: `${name}: a <route> behind a guest is part of the network`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([BEHIND]);
      const { host, uplink, uplink: { outside } } = topology;
      const [router, b] = [topology.guest("behind-a"), topology.guest("behind-b")];
      // Answers to the other guest leave from there too, as if the address were a machine's behind.
      await configure(router.namespace, [
        "addr add 10.77.0.1/32 dev lo",
        `route add ${b.v4}/32 dev eth0 src 10.77.0.1`,
      ]);
      await configure(host, [`route add 10.77.0.0/16 via ${router.v4}`]);
      const inner = place(router.namespace, ["10.77.0.1/32"]);
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(BEHIND);
      const from = inner;
      await prove(t, [
        { says: "out", from, as: from.v4, to: outside, over: "v4", expect: passedAs(uplink.host4) },
        {
          says: "from a guest, untranslated",
          from: b,
          to: inner,
          over: "v4",
          expect: passedAs(b.v4),
        },
        {
          says: "to a guest, untranslated",
          from,
          as: from.v4,
          to: b,
          over: "v4",
          expect: passedAs(from.v4),
        },
        { says: "in is refused", from: outside, to: inner, over: "v4", expect: REFUSED },
      ]);
    },
  });
}

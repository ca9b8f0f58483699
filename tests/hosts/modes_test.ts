import { assertEquals } from "@std/assert";
import { BACKENDS } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { DROPPED, passedAs, prove, REFUSED } from "./claims.ts";
import { giveZone } from "./device_zone.ts";
import { changeSetting, configure } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { testNetwork } from "./test_network.ts";
import { makeTopology } from "./topology.ts";

const ROUTE = testNetwork(101, "route", { forward: '<forward mode="route"/>' });
const ROUTE_DEVICE = testNetwork(102, "device", { forward: '<forward mode="route" dev="eth0"/>' });
const ISOLATED = testNetwork(103, "isolated");
const OPEN = testNetwork(104, "open", { forward: '<forward mode="open"/>' });
const ONLY_V4 = testNetwork(105, "only4", {
  forward: '<forward mode="nat"/>',
  addresses: ["192.168.105.1/24"],
  unmentioned: ["2001:db8:105::1/64"],
});
const GUESTS_V6 = testNetwork(106, "guests6", {
  attributes: 'ipv6="yes"',
  addresses: ["192.168.106.1/24"],
  unmentioned: ["2001:db8:106::1/64"],
});

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: guests of a route network are reached as they are, and only they`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([ROUTE, ROUTE_DEVICE]);
      const { host, uplink: { outside }, secondUplink: { outside: second } } = topology;
      const [a, b] = [topology.guest("route-a"), topology.guest("route-b")];
      const bound = topology.guest("device-a");
      await configure(a.namespace, ["addr add 10.99.0.1/32 dev lo"]);
      await configure(host, [`route add 10.99.0.1/32 dev ${ROUTE.bridge}`]);
      const bridgewall = await openBridgewall(topology, backend);
      await giveZone(bridgewall, "eth0");
      const before = await firewallState(host);
      await bridgewall.up(ROUTE, ROUTE_DEVICE);
      await prove(t, [
        { says: "out", from: a, to: outside, over: "v4", expect: passedAs(a.v4) },
        { says: "out", from: a, to: outside, over: "v6", expect: passedAs(a.v6) },
        { says: "in", from: outside, to: a, over: "v4", expect: passedAs(outside.v4) },
        { says: "in", from: outside, to: a, over: "v6", expect: passedAs(outside.v6) },
        { says: "guest to guest", from: a, to: b, over: "v4", expect: passedAs(a.v4) },
        {
          says: "a spoofed source",
          from: a,
          as: "10.99.0.1",
          to: outside,
          over: "v4",
          expect: REFUSED,
        },
        {
          says: "to an address not of the network",
          from: outside,
          to: a,
          at: "10.99.0.1",
          over: "v4",
          expect: REFUSED,
        },
        {
          says: "in by the device",
          from: outside,
          to: bound,
          over: "v4",
          expect: passedAs(outside.v4),
        },
        {
          says: "out by the device",
          from: bound,
          to: outside,
          over: "v6",
          expect: passedAs(bound.v6),
        },
        { says: "in by another device", from: second, to: bound, over: "v4", expect: REFUSED },
        { says: "out by another device", from: bound, to: second, over: "v4", expect: REFUSED },
      ]);
      await bridgewall.down(ROUTE, ROUTE_DEVICE);
      assertEquals(await firewallState(host), before);
    },
  });

  hostTest({
    name: `${name}: guests of an isolated network talk among themselves and to nobody else`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([ISOLATED]);
      const { host, uplink: { outside } } = topology;
      const [a, b] = [topology.guest("isolated-a"), topology.guest("isolated-b")];
      const bridgewall = await openBridgewall(topology, backend);
      const before = await firewallState(host);
      await bridgewall.up(ISOLATED);
      await prove(t, [
        { says: "the host does not forward", from: a, to: outside, over: "v4", expect: DROPPED },
        { says: "the host does not forward", from: outside, to: a, over: "v6", expect: DROPPED },
      ]);
      // Somebody else needs forwarding: now only the rules stand between.
      await changeSetting(host, "net.ipv4.ip_forward", 1);
      await changeSetting(host, "net.ipv6.conf.all.forwarding", 1);
      await prove(t, [
        { says: "out is refused", from: a, to: outside, over: "v4", expect: REFUSED },
        { says: "out is refused", from: a, to: outside, over: "v6", expect: REFUSED },
        { says: "in is refused", from: outside, to: a, over: "v4", expect: REFUSED },
        { says: "in is refused", from: outside, to: a, over: "v6", expect: REFUSED },
        { says: "guest to guest", from: a, to: b, over: "v4", expect: passedAs(a.v4) },
        { says: "guest to guest", from: a, to: b, over: "v6", expect: passedAs(a.v6) },
      ]);
      await bridgewall.down(ISOLATED);
      assertEquals(await firewallState(host), before);
    },
  });

  hostTest({
    name: `${name}: traffic of an open network is left alone, but forwarded`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([OPEN]);
      const { host, uplink: { outside } } = topology;
      const a = topology.guest("open-a");
      const bridgewall = await openBridgewall(topology, backend);
      const before = await firewallState(host);
      await bridgewall.up(OPEN);
      // Left alone is what firewalld does not forward by itself.
      if (backend.firewalld === undefined) {
        await prove(t, [
          { says: "out", from: a, to: outside, over: "v4", expect: passedAs(a.v4) },
          { says: "out", from: a, to: outside, over: "v6", expect: passedAs(a.v6) },
          { says: "in", from: outside, to: a, over: "v4", expect: passedAs(outside.v4) },
          { says: "in", from: outside, to: a, over: "v6", expect: passedAs(outside.v6) },
        ]);
      }
      await bridgewall.down(OPEN);
      assertEquals(await firewallState(host), before);
    },
  });

  hostTest({
    name: `${name}: no IPv6 is forwarded for a network whose definition has none`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([ONLY_V4, GUESTS_V6]);
      const { host, uplink, uplink: { outside } } = topology;
      await changeSetting(host, "net.ipv6.conf.all.forwarding", 1);
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(ONLY_V4, GUESTS_V6);
      const only4 = topology.guest("only4-a");
      await prove(t, [
        {
          says: "IPv4 works",
          from: only4,
          to: outside,
          over: "v4",
          expect: passedAs(uplink.host4),
        },
        ...["only4", "guests6"].flatMap((network) => {
          const [a, b] = [topology.guest(`${network}-a`), topology.guest(`${network}-b`)];
          return [
            { says: `${network}: out`, from: a, to: outside, over: "v6", expect: REFUSED },
            { says: `${network}: in`, from: outside, to: a, over: "v6", expect: REFUSED },
            {
              says: `${network}: guest to guest`,
              from: a,
              to: b,
              over: "v6",
              expect: passedAs(a.v6),
            },
          ] as const;
        }),
      ]);
    },
  });
}

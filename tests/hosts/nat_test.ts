import { assert, assertEquals } from "@std/assert";
import { BACKENDS } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { passedAs, prove, REFUSED } from "./claims.ts";
import { configure } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { firewallState, loadForeignRules } from "./ruleset.ts";
import { testNetwork } from "./test_network.ts";
import { makeTopology } from "./topology.ts";
import { tcp, udp } from "./traffic.ts";
import { arrivals } from "./witness.ts";

const DUAL_STACK = testNetwork(101, "nat", { forward: '<forward mode="nat"/>', dhcp: true });
const NAT66 = testNetwork(102, "nat66", {
  forward: '<forward><nat ipv6="yes"/></forward>',
  dhcp: true,
});

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: guests of a nat network reach the outside as the host, IPv6 as themselves`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([DUAL_STACK]);
      const { host, uplink, uplink: { outside } } = topology;
      const [a, b] = [topology.guest("nat-a"), topology.guest("nat-b")];
      const bridgewall = await openBridgewall(topology, backend);
      await loadForeignRules(host, backend);
      const before = await firewallState(host);
      await bridgewall.up(DUAL_STACK);
      await prove(t, [
        { says: "out", from: a, to: outside, over: "v4", expect: passedAs(uplink.host4) },
        { says: "out", from: a, to: outside, over: "v6", expect: passedAs(a.v6) },
        { says: "in is refused", from: outside, to: a, over: "v4", expect: REFUSED },
        { says: "in, routed", from: outside, to: a, over: "v6", expect: passedAs(outside.v6) },
        { says: "guest to guest", from: a, to: b, over: "v4", expect: passedAs(a.v4) },
        { says: "guest to guest", from: a, to: b, over: "v6", expect: passedAs(a.v6) },
      ]);
      // firewalld lets the kernel choose, which keeps a port below 1024 below 1024.
      if (backend.firewalld === undefined) {
        await t.step("a privileged source port does not become one of the host", async () => {
          for (const probe of [tcp, udp]) {
            const { source } = await probe(a, outside.v4, { fromPort: 500 });
            assertEquals(source?.address, uplink.host4);
            assert((source?.port ?? 0) >= 1024, `seen from port ${source?.port}`);
          }
        });
      }
      await t.step("down leaves the firewall byte for byte as it was", async () => {
        await bridgewall.down(DUAL_STACK);
        assertEquals(await firewallState(host), before);
      });
    },
  });

  hostTest({
    name: `${name}: a source that is none of the network's does not leave it`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([DUAL_STACK]);
      const { host, uplink: { outside } } = topology;
      const guest = topology.guest("nat-a");
      const spoofed = { v4: "10.99.0.1", v6: "2001:db8:99::1" } as const;
      await configure(guest.namespace, [
        `addr add ${spoofed.v4}/32 dev lo`,
        `addr add ${spoofed.v6}/128 dev lo`,
      ]);
      // With the way back known to the host, the guest hears of the rejection.
      await configure(host, [
        `route add ${spoofed.v4}/32 dev ${DUAL_STACK.bridge}`,
        `route add ${spoofed.v6}/128 via ${guest.v6}`,
      ]);
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(DUAL_STACK);
      const says = "it is refused";
      await prove(t, [
        { says, from: guest, as: spoofed.v4, to: outside, over: "v4", expect: REFUSED },
        { says, from: guest, as: spoofed.v6, to: outside, over: "v6", expect: REFUSED },
      ]);
      await t.step("nothing of it arrives outside, as itself or as the host", async () => {
        assertEquals(await arrivals(outside.namespace), []);
      });
    },
  });

  hostTest({
    name: `${name}: with <nat ipv6="yes"> guests reach the outside as the host in both families`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([NAT66]);
      const { uplink, uplink: { outside } } = topology;
      const [a, b] = [topology.guest("nat66-a"), topology.guest("nat66-b")];
      const bridgewall = await openBridgewall(topology, backend);
      const before = await firewallState(topology.host);
      await bridgewall.up(NAT66);
      await prove(t, [
        { says: "out", from: a, to: outside, over: "v4", expect: passedAs(uplink.host4) },
        { says: "out", from: a, to: outside, over: "v6", expect: passedAs(uplink.host6) },
        { says: "in is refused", from: outside, to: a, over: "v4", expect: REFUSED },
        { says: "in is refused", from: outside, to: a, over: "v6", expect: REFUSED },
        { says: "guest to guest", from: a, to: b, over: "v6", expect: passedAs(a.v6) },
      ]);
      await bridgewall.down(NAT66);
      assertEquals(await firewallState(topology.host), before);
    },
  });
}

/** Which ports firewalld can publish, and what becomes of them on a host that changes. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FIREWALLD_IPTABLES, FIREWALLD_NFTABLES } from "./backends.ts";
import { showBridged } from "./bridged_to_firewall.ts";
import {
  ALONE,
  asks,
  driftOf,
  PORT,
  PUBLISHING,
  reached,
  ROUTE,
  WEB,
} from "./firewalld_published.ts";
import { everythingOf, openWithFirewalld } from "./firewalld_state.ts";
import { configure } from "./namespace.ts";
import {
  answered,
  type PortClaim,
  provePorts,
  type Publication,
  publishing,
} from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { makeTopology } from "./topology.ts";

for (const backend of [FIREWALLD_NFTABLES, FIREWALLD_IPTABLES]) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: ranges lead to ranges, and each of a few ports to another one`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([WEB], [7005, 7006, 7007]);
      const { host, uplink: { outside, host4, host6 }, guest } = topology;
      await showBridged(host, false);
      const { bridgewall } = await openWithFirewalld(topology, backend);
      const ranges = (["tcp", "udp"] as const).flatMap((proto): readonly Publication[] => [
        { proto, port: "7005-7010", to: "192.168.101.10" },
        { proto, port: "7005-7010", to: "[2001:db8:101::10]" },
        { proto, port: "9000-9005", to: "192.168.101.11:7005" },
        { proto, port: "9000-9005", to: "[2001:db8:101::11]:7005" },
      ]);
      await bridgewall.up(publishing(WEB, ranges));
      const both = ["tcp", "udp"] as const;
      await provePorts(
        t,
        [[outside.v4, host4] as const, [outside.v6, host6] as const].flatMap(
          ([seenAs, at]) =>
            [0, 1, 2].flatMap((more): readonly PortClaim[] => [
              {
                ...asks("the same port", outside, at, 7005 + more, ""),
                protocols: both,
                expect: answered("web-a", 7005 + more, seenAs),
              },
              {
                ...asks("as far into the range", outside, at, 9000 + more, ""),
                protocols: both,
                expect: answered("web-b", 7005 + more, seenAs),
              },
            ]),
        ),
      );
      await provePorts(t, [
        asks("beyond what answers", outside, host4, 9005, "refused"),
        asks("a neighbour", guest("web-b"), host4, 7007, answered("web-a", 7007, "192.168.101.1")),
        asks(
          "the guest itself",
          guest("web-a"),
          host4,
          7007,
          answered("web-a", 7007, "192.168.101.1"),
        ),
      ]);
      await bridgewall.succeed(["check"]);
    },
  });
}

// It is about what firewalld is told: whatever it makes of that is tested above.
for (const backend of [FIREWALLD_NFTABLES]) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: addresses of the host come and go, check tells and reload follows`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([WEB, ROUTE]);
      const { host, uplink: { outside } } = topology;
      const { bridgewall } = await openWithFirewalld(topology, backend);
      await bridgewall.up(PUBLISHING, ROUTE);
      const [added, port] = ["203.0.113.7", `203.0.113.7:${PORT}/tcp`];
      const change = (verb: string) => configure(host, [`addr ${verb} ${added}/24 dev eth0`]);
      await t.step("a new one leads to the guest after reload", async (step) => {
        await change("add");
        assertEquals(await driftOf(bridgewall), [
          `Port ${port} leads to no guest, though the host has that address`,
        ]);
        await bridgewall.succeed(["reload"]);
        await provePorts(step, [reached(topology, added)]);
        assertEquals(await driftOf(bridgewall), []);
      });
      await t.step("one that is gone is nobody's, and somebody else's then", async (step) => {
        await change("del");
        assertEquals(await driftOf(bridgewall), [
          `Port ${port} leads to a guest, though the host does not have that address`,
        ]);
        await bridgewall.succeed(["reload", WEB.name]);
        assertEquals(await driftOf(bridgewall), []);
        await configure(outside.namespace, [`addr add ${added}/24 dev eth0`]);
        const from = topology.guest("route-a");
        await provePorts(step, [asks("where the host only routes", from, added, PORT, "refused")]);
      });
      await t.step("a network that brings an address is told of it", async () => {
        await bridgewall.down(ROUTE);
        await configure(host, ["addr del 192.168.102.1/24 dev br102"]);
        await bridgewall.succeed(["reload"]);
        const { stderr } = await bridgewall.up(ROUTE);
        assertStringIncludes(stderr, 'Ports of network "web" lead to no guest at 192.168.102.1');
        assertEquals(await driftOf(bridgewall), [
          `Port 192.168.102.1:${PORT}/tcp leads to no guest, though the host has that address`,
        ]);
      });
    },
  });

  hostTest({
    name: `${name}: ports that firewalld cannot publish are refused, and nothing is changed`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([WEB]);
      const both = await openWithFirewalld(topology, backend);
      const { bridgewall } = both;
      await bridgewall.up(PUBLISHING);
      const refused: readonly (readonly [words: readonly string[], says: string])[] = [
        [["--localhost", "8081:192.168.101.10:80/tcp"], 'those that the host has on its "lo"'],
        [["127.0.0.5:8081:192.168.101.10:80/tcp"], 'those that the host has on its "lo"'],
        [["203.0.113.77:8081:192.168.101.10:80/tcp"], "the host does not have that address"],
        [["20000-20999:192.168.101.10:30000/tcp"], "each of the 1000 ports to another one"],
      ];
      for (const [words, says] of refused) {
        await t.step(words.join(" "), async () => {
          const before = await everythingOf(topology, both);
          const { code, stderr } = await bridgewall.run(["publish", WEB.name, ...words]);
          assertEquals(code, 4, stderr);
          assertStringIncludes(stderr, says);
          assertStringIncludes(stderr, "--backend nftables");
          assertEquals(await everythingOf(topology, both), before);
        });
      }
    },
  });

  hostTest({
    name: `${name}: check names what somebody changed about published ports`,
    tools,
    body: async () => {
      await using topology = await makeTopology([WEB, ALONE]);
      const { bridgewall, firewalld } = await openWithFirewalld(topology, backend);
      await bridgewall.up(PUBLISHING, ALONE);
      const rule = 'rule family="ipv4" destination address="203.0.113.1/32" forward-port ' +
        'port="8080" protocol="tcp" to-port="7007" to-addr="192.168.101.10"';
      await firewalld.command("--policy=bw-br101-port", `--remove-rich-rule=${rule}`);
      const [drift = "", ...more] = await driftOf(bridgewall);
      assertEquals(drift.replaceAll("\\", ""), `Policy "bw-br101-port" lacks the \`${rule}\``);
      assertEquals(more, []);
      await bridgewall.succeed(["reload"]);
      assertEquals(await driftOf(bridgewall), []);
      const path = `${firewalld.configuration}/policies/bw-br103-from.xml`;
      const text = await Deno.readTextFile(path);
      await Deno.writeTextFile(path, text.replaceAll(/^.*forward-port.*\n/gm, ""));
      await firewalld.command("--reload");
      const found = await driftOf(bridgewall);
      const says = `Its guests reach port 203.0.113.1:${PORT}/tcp of network "web"`;
      assert(found.includes(says), found.join("\n"));
      await bridgewall.succeed(["reload"]);
    },
  });
}

/** Published ports and masqueraded prefixes beside zones of the administrator's, and rules of other backends. */
import { assertEquals } from "@std/assert";
import { FIREWALLD_IPTABLES, FIREWALLD_NFTABLES, IPTABLES_NFT, NFTABLES } from "./backends.ts";
import { showBridged } from "./bridged_to_firewall.ts";
import { type Claim, passedAs, prove } from "./claims.ts";
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
import { definitionInZone, openWithFirewalld } from "./firewalld_state.ts";
import { ANSWERING_PORT, changeSetting } from "./namespace.ts";
import { answered, type PortClaim, provePorts, publishing } from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { testNetwork } from "./test_network.ts";
import { makeTopology, place, type Topology } from "./topology.ts";

/** The guest, its neighbour and the host ask for the port. */
function claimsOfWeb({ host, uplink, guest }: Topology): readonly PortClaim[] {
  const self = place(host, [uplink.host4, uplink.host6]);
  const as = (address: string): string => answered("web-a", ANSWERING_PORT, address);
  return [
    asks("the neighbour is led to it", guest("web-b"), uplink.host4, PORT, as("192.168.101.1")),
    asks("the guest is led to itself", guest("web-a"), uplink.host4, PORT, as("192.168.101.1")),
    asks("the host is led to it", self, uplink.host4, PORT, as(uplink.host4)),
    asks("the host is led to it", self, uplink.host6, PORT, as(uplink.host6)),
  ];
}

for (const backend of [FIREWALLD_NFTABLES, FIREWALLD_IPTABLES]) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: networks that share a zone publish ports, and keep to their modes`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([WEB, ALONE]);
      await showBridged(topology.host, false);
      const { bridgewall, firewalld } = await openWithFirewalld(topology, backend);
      const before = await firewalld.listings();
      const texts = [PUBLISHING, ALONE].map((network) => definitionInZone(network, "internal"));
      await bridgewall.succeed(["up", ...await Promise.all(texts.map(bridgewall.write))]);
      await provePorts(t, [
        reached(topology, topology.uplink.host4),
        reached(topology, topology.uplink.host6),
        ...claimsOfWeb(topology),
        ...closed(topology, backend),
      ]);
      assertEquals(await driftOf(bridgewall), []);
      await bridgewall.down(WEB, ALONE);
      assertEquals(await firewalld.listings(), before);
    },
  });

  hostTest({
    name:
      `${name}: what leaves a masqueraded prefix comes from the host, and all else stays as it is`,
    tools,
    body: async (t) => {
      // Nobody brings it up: to the program its guests are somebody's containers.
      const container = testNetwork(104, "container");
      await using topology = await makeTopology([WEB, container]);
      const { host, uplink, uplink: { outside }, guest } = topology;
      await changeSetting(host, "net.ipv6.conf.all.forwarding", 1);
      const { bridgewall, firewalld } = await openWithFirewalld(topology, backend);
      await firewalld.command("--permanent", "--zone=trusted", "--change-interface=br104");
      await firewalld.command("--reload");
      await bridgewall.up(WEB);
      const before = await firewalld.listings();
      const [from, to] = [guest("container-a"), guest("container-b")];
      const prefixes = ["192.168.104.0/24", "2001:db8:104::/64"];
      const claims = (seen4: string, seen6: string): readonly Claim[] => [
        { says: "out of the prefix", from, to: outside, over: "v4", expect: passedAs(seen4) },
        { says: "out of the prefix", from, to: outside, over: "v6", expect: passedAs(seen6) },
        { says: "within it", from, to, over: "v4", expect: passedAs(from.v4) },
        {
          says: "a network beside it",
          from: guest("web-a"),
          to: outside,
          over: "v4",
          expect: passedAs(uplink.host4),
        },
      ];
      await prove(t, claims(from.v4, from.v6));
      await bridgewall.succeed(["masquerade", "add", ...prefixes]);
      await prove(t, claims(uplink.host4, uplink.host6));
      await t.step(
        "it holds through a reload of firewalld, and through one of ours",
        async (step) => {
          await firewalld.command("--reload");
          await prove(step, claims(uplink.host4, uplink.host6));
          await bridgewall.succeed(["reload"]);
          assertEquals(await driftOf(bridgewall), []);
          await prove(step, claims(uplink.host4, uplink.host6));
        },
      );
      await t.step("check names what somebody changed", async () => {
        const rule = 'rule family="ipv4" source address="192.168.104.0/24" ' +
          'destination address="0.0.0.0/1" masquerade';
        await firewalld.command("--policy=bw-masquerade", `--remove-rich-rule=${rule}`);
        const [drift = "", ...more] = await driftOf(bridgewall);
        assertEquals(drift.replaceAll("\\", ""), `Policy "bw-masquerade" lacks the \`${rule}\``);
        assertEquals(more, []);
      });
      await t.step("nothing is left of it", async () => {
        await bridgewall.succeed(["masquerade", "remove", ...prefixes]);
        assertEquals(await firewalld.listings(), before);
        assertEquals(await driftOf(bridgewall), []);
      });
    },
  });
}

for (const beside of [NFTABLES, IPTABLES_NFT]) {
  for (const backend of [FIREWALLD_NFTABLES, FIREWALLD_IPTABLES]) {
    hostTest({
      name: `${beside.name} beside ${backend.name}: firewalld lets published connections through`,
      tools: [...backend.tools, ...beside.tools],
      body: async (t) => {
        await using topology = await makeTopology([WEB, ALONE]);
        const { host, uplink, guest } = topology;
        await showBridged(host, false);
        const { bridgewall, firewalld } = await openWithFirewalld(topology, backend);
        const other = await bridgewall.under(beside);
        const before = await firewalld.listings();
        const local = {
          proto: "tcp",
          port: PORT,
          to: "192.168.101.10:7007",
          localhost: "yes",
        } as const;
        const six = { proto: "tcp", port: PORT, to: "[2001:db8:101::10]:7007" } as const;
        await other.up(publishing(WEB, [local, six]), ALONE);
        const self = place(host, []);
        const claims = [
          reached(topology, uplink.host4),
          reached(topology, uplink.host6),
          ...claimsOfWeb(topology),
          asks(
            "127.0.0.1 leads to it",
            self,
            "127.0.0.1",
            PORT,
            answered("web-a", 7007, "192.168.101.1"),
          ),
          asks("who may not leave does not", guest("alone-a"), uplink.host4, PORT, "refused"),
        ];
        await provePorts(t, claims);
        await t.step("after a reload of firewalld", async (step) => {
          if (beside === NFTABLES) await firewalld.command("--reload");
          else await other.succeed(["reload"]);
          await provePorts(step, claims);
          assertEquals(await driftOf(other), []);
        });
        await other.down(WEB, ALONE);
        assertEquals(await firewalld.listings(), before);
      },
    });
  }
}

/** Networks whose definition names a zone of firewalld that is there already, with others in it. */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { startResponder } from "./background.ts";
import { FIREWALLD_IPTABLES, FIREWALLD_NFTABLES } from "./backends.ts";
import { type Claim, inWords, passedAs, prove, reach, REFUSED } from "./claims.ts";
import { askForLease, DHCP_TOOLS, startDhcpServer } from "./dhcp.ts";
import { definitionInZone, openWithFirewalld, ourFiles, zonesOf } from "./firewalld_state.ts";
import { ANSWERING_PORT, changeSetting, type Place } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { bare, neighbour, type TestNetwork, testNetwork } from "./test_network.ts";
import { makeTopology, type Topology } from "./topology.ts";
import { tcp, udp } from "./traffic.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>', dhcp: true });

/** firewalld's own zone of that name offers SSH, and neither DHCP nor DNS. */
const ZONE = "internal";
const [SSH, DNS] = [22, 53] as const;

/** The second uplink as a place of the zone that serves addresses, too. */
const NEIGHBOURS: TestNetwork = testNetwork(120, "neighbours", {
  addresses: ["198.51.100.1/24"],
  guests: {},
});

/** What becomes of packets of the zone's other members, in words. */
async function trafficOfOthers(
  { uplink, uplink: { outside }, secondUplink: second }: Topology,
): Promise<Readonly<Record<string, unknown>>> {
  const neighbour = second.outside;
  const to = { from: neighbour, to: outside, over: "v4", expect: REFUSED } as const;
  return {
    "SSH of the host": inWords(await tcp(neighbour, second.host4, { port: SSH })),
    "SSH of the host, IPv6": inWords(await tcp(neighbour, second.host6, { port: SSH })),
    "DNS of the host": inWords(await udp(neighbour, second.host4, { port: DNS })),
    "DNS of the host, IPv6": inWords(await udp(neighbour, second.host6, { port: DNS })),
    "another port": inWords(await tcp(neighbour, second.host4)),
    "SSH of the host, from outside": inWords(await tcp(outside, uplink.host4, { port: SSH })),
    "out": await reach(to),
    "out, IPv6": await reach({ ...to, over: "v6" }),
    "in": await reach({ ...to, from: outside, to: neighbour }),
  };
}

for (const backend of [FIREWALLD_NFTABLES, FIREWALLD_IPTABLES]) {
  const { name } = backend;
  hostTest({
    name: `${name}: a nat network works in a zone that the definition names, beside others there`,
    tools: [...backend.tools, ...DHCP_TOOLS],
    body: async (t) => {
      await using topology = await makeTopology([NAT]);
      const { host, secondUplink: second } = topology;
      const [a, b] = [topology.guest("nat-a"), topology.guest("nat-b")];
      await changeSetting(host, "net.ipv4.ip_forward", 1);
      await changeSetting(host, "net.ipv6.conf.all.forwarding", 1);
      const { bridgewall, firewalld } = await openWithFirewalld(topology, backend);
      await firewalld.command("--permanent", `--zone=${ZONE}`, "--change-interface=eth1");
      await firewalld.command("--reload");
      await using _host = await startResponder(host, [ANSWERING_PORT, DNS, SSH]);
      await using _server = startDhcpServer(host, NAT);
      await using _others = startDhcpServer(host, { ...NEIGHBOURS, bridge: "eth1" });
      const listings = await firewalld.listings();
      const others = await trafficOfOthers(topology);
      const lease = (): Promise<string | undefined> => askForLease(second.outside);
      const othersLease = await lease();
      const up = ["up", await bridgewall.write(definitionInZone(NAT, ZONE))];
      const { stderr } = await bridgewall.succeed(up);
      await t.step("the bridge is in that zone, now and for good", async () => {
        const found = await zonesOf(topology, firewalld, NAT.bridge);
        assertEquals(found, { runtime: ZONE, permanent: ZONE });
        await bridgewall.succeed(["check"]);
      });
      await prove(t, claimsOf(topology));
      await t.step(
        "what the program says of the network holds after a reload of firewalld",
        async () => {
          await firewalld.command("--reload");
          await bridgewall.succeed(["check"]);
        },
      );
      await t.step("DHCP and DNS are there, although the zone does not offer them", async () => {
        const address = bare(neighbour(NAT.addresses[0] ?? "", 1));
        assert((await askForLease(b))?.startsWith("192.168.101."));
        for (const probe of [tcp, udp]) {
          assertEquals((await probe(a, address, { port: DNS })).outcome, "passed");
          assertEquals(
            (await probe(a, bare(NAT.addresses[1] ?? ""), { port: DNS })).outcome,
            "passed",
          );
        }
      });
      await t.step("what the zone offers is there as well, and nothing else", async () => {
        const address = bare(NAT.addresses[0] ?? "");
        assertEquals((await tcp(a, address, { port: SSH })).outcome, "passed");
        assertNotEquals((await tcp(a, address)).outcome, "passed");
      });
      await t.step("others in the zone may do what they could before", async () => {
        assertEquals(await trafficOfOthers(topology), others);
        assertEquals(others["SSH of the host"], `passed as ${second.outside.v4}`);
      });
      await t.step("that others in the zone may ask for addresses now is said", async () => {
        assertEquals(othersLease, undefined);
        assert(await lease() !== undefined);
        assertMatch(stderr, /others in it \(eth1\): they too may ask the host for addresses/);
      });
      await t.step("down leaves firewalld as it was", async () => {
        await bridgewall.down(NAT);
        assertEquals(await firewalld.listings(), listings);
        assertEquals(await ourFiles(firewalld), []);
        assertEquals(await trafficOfOthers(topology), others);
      });
    },
  });
}

function claimsOf(
  { guest, uplink, uplink: { outside }, secondUplink }: Topology,
): readonly Claim[] {
  const [a, b] = [guest("nat-a"), guest("nat-b")];
  const second: Place = secondUplink.outside;
  return [
    { says: "out", from: a, to: outside, over: "v4", expect: passedAs(uplink.host4) },
    { says: "out", from: a, to: outside, over: "v6", expect: passedAs(a.v6) },
    { says: "in is refused", from: outside, to: a, over: "v4", expect: REFUSED },
    { says: "in, routed", from: outside, to: a, over: "v6", expect: passedAs(outside.v6) },
    { says: "guest to guest", from: a, to: b, over: "v4", expect: passedAs(a.v4) },
    { says: "guest to guest", from: a, to: b, over: "v6", expect: passedAs(a.v6) },
    {
      says: "to others in the zone",
      from: a,
      to: second,
      over: "v4",
      expect: passedAs(secondUplink.host4),
    },
    { says: "to others in the zone", from: a, to: second, over: "v6", expect: passedAs(a.v6) },
    { says: "from others in the zone", from: second, to: a, over: "v4", expect: REFUSED },
    {
      says: "from others in the zone",
      from: second,
      to: a,
      over: "v6",
      expect: passedAs(second.v6),
    },
  ];
}

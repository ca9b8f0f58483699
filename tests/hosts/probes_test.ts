/**
 * The probes themselves, on rules written here by hand: each kind must be seen to pass, to be refused
 * and to be dropped, or a test that uses it would prove nothing.
 */
import { assert, assertEquals } from "@std/assert";
import { DROPPED, passedAs, prove, type Reached, REFUSED } from "./claims.ts";
import { askForLease, DHCP_TOOLS, startDhcpServer } from "./dhcp.ts";
import { changeSetting, configure } from "./namespace.ts";
import { pingAddress } from "./ping.ts";
import { hostTest } from "./requirements.ts";
import { loadRules } from "./ruleset.ts";
import { testNetwork } from "./test_network.ts";
import { makeTopology, type Topology } from "./topology.ts";
import { sendOneWay, SHORT_PATIENCE, tcp } from "./traffic.ts";
import { arrivals } from "./witness.ts";

const NETWORK = testNetwork(90, "lan");

async function letForward(host: string): Promise<void> {
  await changeSetting(host, "net.ipv4.ip_forward", 1);
  await changeSetting(host, "net.ipv6.conf.all.forwarding", 1);
}

/** Runs the body while a table of this family has one chain with one rule. */
async function withRule(
  host: string,
  family: string,
  chain: string,
  rule: string,
  body: () => Promise<void>,
): Promise<void> {
  await loadRules(host, `table ${family} byhand {\nchain one {\n${chain}; ${rule}\n}\n}\n`);
  await body();
  await loadRules(host, `delete table ${family} byhand\n`);
}

const FORWARD = "type filter hook forward priority 0";

async function proveOutward(
  t: Deno.TestContext,
  topology: Topology,
  says: string,
  expect: { readonly v4: Reached; readonly v6: Reached },
): Promise<void> {
  const [from, to] = [topology.guest("lan-a"), topology.uplink.outside];
  await prove(t, [
    { says, from, to, over: "v4", expect: expect.v4 },
    { says, from, to, over: "v6", expect: expect.v6 },
  ]);
}

hostTest({
  name: "a probe tells passed from refused from dropped",
  body: async (t) => {
    await using topology = await makeTopology([NETWORK]);
    const { host, uplink } = topology;
    const guest = topology.guest("lan-a");
    const says = (sentence: string, v4: Reached, v6: Reached): Promise<void> =>
      proveOutward(t, topology, sentence, { v4, v6 });
    await says("without forwarding everything is dropped", DROPPED, DROPPED);
    await letForward(host);
    await says("without a rule everything passes", passedAs(guest.v4), passedAs(guest.v6));
    await withRule(host, "inet", FORWARD, 'iifname "br90" reject', async () => {
      await says("a reject rule refuses", REFUSED, REFUSED);
    });
    await withRule(host, "inet", FORWARD, 'iifname "br90" drop', async () => {
      await says("a drop rule drops", DROPPED, DROPPED);
    });
    const translate = "type nat hook postrouting priority srcnat";
    await withRule(host, "inet", translate, 'oifname "eth0" masquerade', async () => {
      await says("a translation shows", passedAs(uplink.host4), passedAs(uplink.host6));
    });
  },
});

hostTest({
  name: "a source that no rule forbids is seen outside, also a spoofed one",
  body: async () => {
    await using topology = await makeTopology([NETWORK]);
    const guest = topology.guest("lan-a");
    const { host, uplink: { outside } } = topology;
    await letForward(host);
    await configure(guest.namespace, ["addr add 10.99.0.1/32 dev lo"]);
    await pingAddress(guest, outside.v4, { from: "10.99.0.1", patience: SHORT_PATIENCE });
    const sources = (await arrivals(outside.namespace)).map(({ source }) => source);
    assert(sources.includes("10.99.0.1"), sources.join());
    assertEquals(await tcp(guest, outside.v4, { fromPort: 500 }), {
      outcome: "passed",
      source: { address: guest.v4, port: 500 },
      by: "eth0:7007",
    });
  },
});

hostTest({
  name: "a datagram to a group or a broadcast address is seen only when it arrives",
  body: async (t) => {
    await using topology = await makeTopology([NETWORK]);
    const [sender, other] = [topology.guest("lan-a"), topology.guest("lan-b")];
    for (const group of ["224.0.0.1", "192.168.90.255", "255.255.255.255", "ff02::1%eth0"]) {
      await t.step(group, async () => {
        const before = (await arrivals(other.namespace)).length;
        await withRule(topology.host, "bridge", FORWARD, "drop", () => sendOneWay(sender, group));
        assertEquals((await arrivals(other.namespace)).length, before);
        await sendOneWay(sender, group);
        assertEquals((await arrivals(other.namespace)).length, before + 1);
      });
    }
  },
});

hostTest({
  name: "a DHCP client gets a lease, unless a rule drops its question",
  tools: DHCP_TOOLS,
  body: async () => {
    await using topology = await makeTopology([NETWORK]);
    await using _server = startDhcpServer(topology.host, NETWORK);
    const guest = topology.guest("lan-b");
    assertEquals((await askForLease(guest))?.slice(0, 11), "192.168.90.");
    const input = "type filter hook input priority 0";
    await withRule(topology.host, "inet", input, "udp dport 67 drop", async () => {
      assertEquals(await askForLease(guest), undefined);
    });
  },
});

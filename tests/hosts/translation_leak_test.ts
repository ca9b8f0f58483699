/** Where packets are translated, no guest's own address is ever seen outside. */
import { assert, assertEquals } from "@std/assert";
import { BACKENDS } from "./backends.ts";
import { startInNamespace } from "./background.ts";
import { openBridgewall } from "./bridgewall.ts";
import { ANSWERING_PORT, changeSetting, type Place } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { mustRun } from "./run_program.ts";
import { testNetwork } from "./test_network.ts";
import { makeTopology } from "./topology.ts";
import { arrivals } from "./witness.ts";

const NAT = testNetwork(141, "leak", { forward: '<forward><nat ipv6="yes"/></forward>' });

/** Somebody else's table that makes the kernel track connections before our network is there. */
const TRACKING = `table inet tracking {
  chain forward {
    type filter hook forward priority 10;
    ct state new accept
  }
}
`;

/** Longer than a packet takes, and than TCP waits before it sends again. */
const SETTLED_MILLISECONDS = 700;

function connect(from: Place, to: Place): ReturnType<typeof startInNamespace> {
  return startInNamespace(from.namespace, ["socat", "-", `TCP4:${to.v4}:${ANSWERING_PORT}`]);
}

/** What has arrived from that address since the work began. */
async function arrivedFrom(
  source: Place,
  at: Place,
  work: () => Promise<unknown>,
): Promise<readonly string[]> {
  await mustRun(["nft", "flush", "set", "inet", "witness", "arrivals4"], {
    namespace: at.namespace,
  });
  await work();
  await new Promise((resolve) => setTimeout(resolve, SETTLED_MILLISECONDS));
  return (await arrivals(at.namespace)).filter((one) => one.source === source.v4)
    .map(({ protocol, size }) => `${protocol} with ${size} bytes`);
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: connections from before the network came up end there, untranslated ones too`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([NAT]);
      const { host, uplink: { outside } } = topology;
      const guest = topology.guest("leak-a");
      await changeSetting(host, "net.ipv4.ip_forward", 1);
      await mustRun(["nft", "-f", "-"], { namespace: host, stdin: TRACKING });
      await using outward = connect(guest, outside);
      await using inward = connect(outside, guest);
      for (const stream of [outward, inward]) {
        await stream.write("before");
        assert((await stream.read())?.includes("192.168.141") || stream === inward);
      }
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(NAT);
      await t.step("the guest's own address is not seen outside any more", async () => {
        assertEquals(await arrivedFrom(guest, outside, () => outward.write("after")), []);
      });
      await t.step("what the outside opened does not reach the guest any more", async () => {
        assertEquals(await arrivedFrom(outside, guest, () => inward.write("after")), []);
      });
    },
  });

  hostTest({
    name: `${name}: packets that conntrack cannot place do not leave as they are`,
    tools: [...tools, "conntrack"],
    body: async (t) => {
      await using topology = await makeTopology([NAT]);
      const { host, uplink: { outside } } = topology;
      const guest = topology.guest("leak-a");
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(NAT);
      await using stream = connect(guest, outside);
      await stream.write("before");
      assert((await stream.read())?.startsWith(topology.uplink.host4));
      await changeSetting(host, "net.netfilter.nf_conntrack_tcp_loose", 0);
      await mustRun(["conntrack", "-D", "-p", "tcp"], { namespace: host });
      await t.step("the rest of a forgotten connection stays inside", async () => {
        assertEquals(await arrivedFrom(guest, outside, () => stream.write("after")), []);
      });
      await t.step("a new connection is translated as ever", async () => {
        await using again = connect(guest, outside);
        await again.write("again");
        assert((await again.read())?.startsWith(topology.uplink.host4));
      });
    },
  });
}

/** DHCP replies whose checksum nobody filled: virtual network cards leave that to hardware. */
import { assert, assertEquals } from "@std/assert";
import { IPTABLES, type IptablesUnderTest } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { askForLease, DHCP_TOOLS, startDhcpServer } from "./dhcp.ts";
import { variantProgram } from "./iptables_variant.ts";
import { hostTest } from "./requirements.ts";
import { mustRun } from "./run_program.ts";
import { testNetwork } from "./test_network.ts";
import { makeTopology } from "./topology.ts";

const SERVED = testNetwork(101, "served", { forward: '<forward mode="nat"/>', dhcp: true });
const ALSO = testNetwork(102, "also", { dhcp: true, guests: {} });
const UNSERVED = testNetwork(103, "unserved", { forward: '<forward mode="nat"/>', guests: {} });

/** How many packets each rule that fills a checksum has met, by the bridge they leave by. */
async function checksumRules(
  host: string,
  { variant }: IptablesUnderTest,
): Promise<ReadonlyMap<string, number>> {
  const save = [variantProgram("iptables", variant, "save"), "-c", "-t", "mangle"];
  const rules = (await mustRun(save, { namespace: host })).split("\n")
    .filter((rule) => rule.includes("-j CHECKSUM --checksum-fill"));
  return new Map(rules.map((rule) => {
    const [, packets, bridge] = rule.match(/^\[(\d+):\d+\] -A \S+ .*-o (\S+) .*--dport 68 /) ?? [];
    assert(packets !== undefined && bridge !== undefined, rule);
    return [bridge, Number(packets)];
  }));
}

for (const backend of IPTABLES) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: the checksums of DHCP replies are filled where the host answers DHCP`,
    tools: [...tools, ...DHCP_TOOLS],
    body: async (t) => {
      await using topology = await makeTopology([SERVED, ALSO, UNSERVED]);
      const { host } = topology;
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(SERVED, ALSO, UNSERVED);
      await t.step("one rule for each network with DHCP, and none for others", async () => {
        const rules = await checksumRules(host, backend);
        assertEquals([...rules].sort(), [[SERVED.bridge, 0], [ALSO.bridge, 0]]);
      });
      await t.step("the replies of the server meet it", async () => {
        await using _server = startDhcpServer(host, SERVED);
        assert(await askForLease(topology.guest("served-a")) !== undefined);
        const rules = await checksumRules(host, backend);
        assert((rules.get(SERVED.bridge) ?? 0) >= 2, "an offer and an acknowledgement");
        assertEquals(rules.get(ALSO.bridge), 0);
      });
      await t.step("down takes away its own network's", async () => {
        await bridgewall.down(SERVED);
        assertEquals([...(await checksumRules(host, backend)).keys()], [ALSO.bridge]);
        await bridgewall.succeed(["down", "--all"]);
        assertEquals([...await checksumRules(host, backend)], []);
      });
    },
  });
}

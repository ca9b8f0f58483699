/** Published ports and masqueraded prefixes move from one backend to another. */
import { assertEquals } from "@std/assert";
import { startScript } from "./background.ts";
import {
  BACKENDS,
  type BackendUnderTest,
  IPTABLES_LEGACY,
  IPTABLES_NFT,
  NFTABLES,
} from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { attachContainer } from "./container.ts";
import { startDatagrams } from "./datagrams.ts";
import { NAT66, proveAlone } from "./five_networks.ts";
import { ANSWERING_PORT, setting } from "./namespace.ts";
import { proveLive } from "./prefixes.ts";
import { answered, answerOf, probe, publishing } from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { firewallParts } from "./ruleset.ts";
import { bare } from "./test_network.ts";
import { makeTopology, place } from "./topology.ts";
import { tcp } from "./traffic.ts";

/** In the definition and on 127.0.0.1, and while the network is up. */
const [DEFINED, PORT] = [8000, 8080];

/** Where they move, from iptables-legacy. */
const STAGES = [NFTABLES, IPTABLES_NFT, IPTABLES_LEGACY, NFTABLES] as const;

const PREFIXES = ["10.0.0.0/24", "10.0.0.0/28", "fd00:3::/64"] as const;

const TO = `${bare(NAT66.guests[`${NAT66.name}-a`]?.[0] ?? "")}:${ANSWERING_PORT}`;

hostTest({
  name: "published ports and masqueraded prefixes move from backend to backend without a gap",
  tools: [...new Set(BACKENDS.flatMap(({ tools }) => tools)), "conntrack"],
  body: async (t) => {
    await using topology = await makeTopology([NAT66]);
    const { host, uplink: { outside, host4, host6 } } = topology;
    const container = await attachContainer(topology, ["10.0.0.5", "fd00:3::5"]);
    const bridgewall = await openBridgewall(topology, IPTABLES_LEGACY);
    for (const backend of STAGES) await bridgewall.under(backend);
    const before = await firewallParts(host);
    await bridgewall.up(publishing(NAT66, [
      { proto: "tcp", port: DEFINED, to: TO, localhost: "yes" },
      { proto: "udp", port: DEFINED, to: TO, localhost: "yes" },
    ]));
    await bridgewall.succeed(["publish", NAT66.name, `${PORT}:${TO}/tcp`, `${PORT}:${TO}/udp`]);
    await bridgewall.succeed(["masquerade", "add", ...PREFIXES]);
    const own = place(host, ["127.0.0.1"]);
    const by = (as: string): string => answered(`${NAT66.name}-a`, ANSWERING_PORT, as);
    const prove = async (backend: BackendUnderTest): Promise<void> => {
      await proveAlone(host, before, backend);
      await proveLive(host, backend, bridgewall, PREFIXES);
      for (const proto of ["tcp", "udp"] as const) {
        assertEquals(
          answerOf(await probe(proto, outside, host4, { port: DEFINED })),
          by(outside.v4),
        );
        assertEquals(
          answerOf(await probe(proto, own, "127.0.0.1", { port: DEFINED })),
          by("192.168.105.1"),
        );
      }
      assertEquals((await tcp(container, outside.v4)).source?.address, host4);
      assertEquals((await tcp(container, outside.v6)).source?.address, host6);
      assertEquals(await setting(host, `net.ipv4.conf.${NAT66.bridge}.route_localnet`), "1");
    };
    await t.step("they start with iptables-legacy", () => prove(IPTABLES_LEGACY));
    const asked = [host4, String(PORT)];
    await using stream = await startScript(outside.namespace, "new_connections.ts", asked);
    await using datagrams = startDatagrams(outside, host4, PORT, 40_000);
    for (const stage of STAGES) {
      await t.step(`all move to ${stage.name}`, async () => {
        const next = await bridgewall.under(stage);
        await next.succeed(["reload"]);
        await next.succeed(["check"]);
        await prove(stage);
      });
    }
    await t.step("all the time, whoever asked reached the guest", async () => {
      await stream.write("end");
      const counted: Readonly<Record<string, number>> = JSON.parse(await stream.read() ?? "{}");
      const guest = `${NAT66.name}-a:${ANSWERING_PORT}`;
      assertEquals(Object.keys(counted).sort(), [`tcp ${guest}`, `udp ${guest}`]);
      assertEquals([...datagrams.seen()], [guest]);
    });
    await t.step("nothing is left behind", async () => {
      const last = await bridgewall.under(NFTABLES);
      await last.succeed(["down", "--all"]);
      await last.succeed(["masquerade", "remove", ...PREFIXES]);
      assertEquals(await firewallParts(host), before);
    });
  },
});

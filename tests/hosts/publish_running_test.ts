/** Ports that are published, sent elsewhere and taken back while networks are up. */
import { assert, assertEquals } from "@std/assert";
import { startScript } from "./background.ts";
import { BACKENDS } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { NAT as WITH_DHCP, ROUTE } from "./five_networks.ts";
import { flushEverything } from "./iptables_variant.ts";
import { ANSWERING_PORT, setting } from "./namespace.ts";
import { answered, type PortClaim, provePorts, publishing } from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { mustRun } from "./run_program.ts";
import { bare } from "./test_network.ts";
import { makeTopology, type Topology } from "./topology.ts";
import { trustEveryone } from "./trust_everyone.ts";

/** Where the host answers DHCP, the kernel stops a bridge's queue for a moment (`qdisc_graft`). */
const NAT = { ...WITH_DHCP, dhcp: false };

/** In the definition. */
const DEFINED = 8000;
/** Published while the network is up. */
const PORT = 8080;
const PROTOCOLS = ["tcp", "udp"] as const;

type Letter = "a" | "b";

/** The guest's address, as a SPEC names it. */
function guest(letter: Letter): string {
  return bare(NAT.guests[`${NAT.name}-${letter}`]?.[0] ?? "");
}

/** A port of the host for both protocols. */
function specs(port: number, letter: Letter): readonly string[] {
  return PROTOCOLS.map((proto) => `${port}:${guest(letter)}:${ANSWERING_PORT}/${proto}`);
}

const DEFINITION = publishing(
  NAT,
  PROTOCOLS.map((proto) => ({ proto, port: DEFINED, to: `${guest("a")}:${ANSWERING_PORT}` })),
);

function leads(
  { uplink: { host4, outside } }: Topology,
  port: number,
  to: Letter | "nowhere",
): PortClaim {
  const by = `${NAT.name}-${to}`;
  return {
    says: `port ${port} leads to ${to === "nowhere" ? to : by}`,
    from: outside,
    at: host4,
    port,
    expect: to === "nowhere" ? "refused" : answered(by, ANSWERING_PORT, outside.v4),
  };
}

/** Who answered new connections to the port while something happened, and how often not. */
async function countConnections(
  { uplink: { host4, outside } }: Topology,
  happening: () => Promise<unknown>,
): Promise<Readonly<Record<string, number>>> {
  await using stream = await startScript(outside.namespace, "new_connections.ts", [
    host4,
    String(PORT),
  ]);
  await happening();
  await stream.write("end");
  return JSON.parse(await stream.read() ?? "{}");
}

/** What became of connections but for those that were answered, and who answered. */
function sumUp(counted: Readonly<Record<string, number>>): {
  readonly by: readonly string[];
  readonly others: Readonly<Record<string, number>>;
} {
  const isAnswer = (words: string): boolean => words.includes(":");
  const by = Object.keys(counted).filter(isAnswer).map((words) => words.split(/[ :]/)[1] ?? "");
  const others = Object.fromEntries(Object.entries(counted).filter(([words]) => !isAnswer(words)));
  return { by: [...new Set(by)].sort(), others };
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: ports are published, sent elsewhere and taken back while the network is up`,
    tools: [...tools, "conntrack"],
    body: async (t) => {
      await using topology = await makeTopology([NAT, ROUTE]);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      const before = await firewallState(topology.host);
      await bridgewall.up(DEFINITION, ROUTE);
      const prove = (says: string, ...claims: readonly PortClaim[]): Promise<boolean> =>
        t.step(says, (step) => provePorts(step, claims, PROTOCOLS));
      await prove("at first", leads(topology, DEFINED, "a"), leads(topology, PORT, "nowhere"));
      const { stdout } = await bridgewall.succeed([
        "publish",
        NAT.name,
        ...specs(PORT, "a"),
        "--json",
      ]);
      assertEquals(JSON.parse(stdout), {
        network: NAT.name,
        published: specs(PORT, "a"),
        replaced: [],
      });
      await prove("published", leads(topology, PORT, "a"), leads(topology, DEFINED, "a"));
      await t.step("sent to another guest and back, under a stream of connections", async () => {
        const counted = await countConnections(topology, async () => {
          await bridgewall.succeed(["publish", NAT.name, ...specs(PORT, "b")]);
          // While firewalld reloads nobody new is let in; TCP asks again after a second (RFC 6298).
          await new Promise((resolve) => setTimeout(resolve, 1500));
          await bridgewall.succeed(["publish", NAT.name, ...specs(PORT, "a")]);
        });
        const { by, others } = sumUp(counted);
        assertEquals(by, [`${NAT.name}-a`, `${NAT.name}-b`]);
        // The few that were speaking are ended; none that is new is refused.
        const { "tcp broken": broken = 0, "udp dropped": dropped = 0, ...rest } = others;
        assertEquals(rest, {}, JSON.stringify(counted));
        assert(broken <= 4 && dropped <= 4, JSON.stringify(counted));
      });
      await t.step("up again and reload keep it, and no connection is lost", async () => {
        const counted = await countConnections(topology, async () => {
          await bridgewall.up(DEFINITION);
          await bridgewall.succeed(["reload"]);
          await bridgewall.succeed(["publish", NAT.name, ...specs(PORT, "a")]);
        });
        assertEquals(sumUp(counted), { by: [`${NAT.name}-a`], others: {} });
      });
      await t.step("flushed: check tells it, reload brings it back", async (step) => {
        await flushEverything(topology.host, backend);
        const { code, stdout } = await bridgewall.run(["check"]);
        assertEquals(code, 3, stdout);
        await bridgewall.succeed(["reload"]);
        await bridgewall.succeed(["check"]);
        await provePorts(
          step,
          [leads(topology, PORT, "a"), leads(topology, DEFINED, "a")],
          PROTOCOLS,
        );
      });
      await bridgewall.succeed(["unpublish", NAT.name, `${DEFINED}/tcp`, `${DEFINED}/udp`]);
      await prove(
        "taken back, defined or not",
        leads(topology, DEFINED, "nowhere"),
        leads(topology, PORT, "a"),
      );
      await bridgewall.up(DEFINITION);
      await prove("up brings back what is defined", leads(topology, DEFINED, "a"));
      await bridgewall.succeed(["unpublish", NAT.name, ...specs(PORT, "a")]);
      await prove("taken back", leads(topology, PORT, "nowhere"), leads(topology, DEFINED, "a"));
      await t.step("down leaves nothing behind", async () => {
        await bridgewall.down(NAT, ROUTE);
        assertEquals(await firewallState(topology.host), before);
        const listed = await mustRun(["conntrack", "-L"], { namespace: topology.host });
        const toGuests = listed.split("\n").filter((line) =>
          / dport=80[08]0 .* sport=7007 /.test(line)
        );
        assertEquals(toGuests, [], "connections to published ports");
        assertEquals(
          await setting(topology.host, `net.ipv4.conf.${NAT.bridge}.route_localnet`),
          "0",
        );
      });
    },
  });
}

/** Connections that began before a port led where it leads: what becomes of them, and of all others. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { startResponder } from "./background.ts";
import { BACKENDS } from "./backends.ts";
import { showBridged } from "./bridged_to_firewall.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { NOBODY, startDatagrams } from "./datagrams.ts";
import { NAT66, ROUTE } from "./five_networks.ts";
import { hidePrograms } from "./hidden_programs.ts";
import { flushEverything } from "./iptables_variant.ts";
import { ANSWERING_PORT } from "./namespace.ts";
import { publishing } from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { run } from "./run_program.ts";
import { bare, type TestNetwork } from "./test_network.ts";
import { makeTopology, type Topology } from "./topology.ts";
import { tcp } from "./traffic.ts";
import { trustEveryone } from "./trust_everyone.ts";
import {
  idsOf,
  OF_HOST,
  OF_LOCAL,
  OF_NOBODY,
  OTHER,
  PORT,
  proveNext,
  startAll,
} from "./going_connections.ts";

type Letter = "a" | "b";

function guest(letter: Letter, over: "v4" | "v6"): string {
  const [v4 = "", v6 = ""] = (NAT66.guests[`${NAT66.name}-${letter}`] ?? []).map(bare);
  return over === "v4" ? v4 : `[${v6}]`;
}

/** The ports in both protocols and families, as SPECs. */
function specs(letter: Letter, ...ports: readonly number[]): readonly string[] {
  return ports.flatMap((port) =>
    (["v4", "v6"] as const).flatMap((over) =>
      ["tcp", "udp"].map((proto) => `${port}:${guest(letter, over)}:${ANSWERING_PORT}/${proto}`)
    )
  );
}

function by(letter: Letter): string {
  return `${NAT66.name}-${letter}:${ANSWERING_PORT}`;
}

/** Answers on ports of the host, until the test ends. */
async function answerOnHost({ atEnd, host }: Topology, ports: readonly number[]): Promise<void> {
  atEnd.use(await startResponder(host, ports));
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: connections follow a published port, and no others are touched`,
    tools: [...tools, "conntrack"],
    body: async (t) => {
      await using topology = await makeTopology([NAT66, ROUTE], [ANSWERING_PORT, PORT]);
      await showBridged(topology.host, false);
      await answerOnHost(topology, [PORT, OF_HOST, OF_LOCAL]);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      await bridgewall.up(NAT66, ROUTE);
      const change = (
        command: string,
        ...ports: readonly string[]
      ): ReturnType<Bridgewall["run"]> => bridgewall.succeed([command, NAT66.name, ...ports]);
      await change("publish", ...specs("a", PORT, OTHER));
      const proof = { ...backend, t, host: topology.host };
      await using stack = new AsyncDisposableStack();
      const { stale, broken, ofHost, ofNobody, local, others } = startAll(topology, stack);
      await Promise.all([...others, ...stale].map(({ asks }) => asks.next()));
      const before = await idsOf(topology.host, others);
      assertEquals(before.length, others.length);
      await proveNext(proof, "before", [...stale, ...broken], by("a"));
      await proveNext(proof, "before, the host answers", ofHost, `host:${OF_HOST}`);
      await proveNext(proof, "before, the host answers itself", local, `host:${OF_LOCAL}`);
      await proveNext(proof, "before, nobody answers", ofNobody, NOBODY);
      await change("publish", ...specs("b", PORT));
      await proveNext(proof, "sent to another guest", stale, by("b"));
      await proveNext(
        proof,
        "sent to another guest, which knows no such connection",
        broken,
        NOBODY,
      );
      await change("publish", ...specs("a", OF_HOST, OF_NOBODY));
      await proveNext(proof, "published, where the host had answered", ofHost, by("a"));
      await proveNext(proof, "published, where nobody had answered", ofNobody, by("a"));
      // firewalld: `publish_localhost_test.ts`.
      if (backend.firewalld === undefined) {
        const [, ofLocal = ""] = specs("a", OF_LOCAL);
        await change("publish", ofLocal, "--localhost");
        await proveNext(
          proof,
          "published on 127.0.0.1, where the host had answered",
          local,
          by("a"),
        );
        await change("unpublish", ofLocal);
      }
      await change("unpublish", ...specs("b", PORT), ...specs("a", OF_HOST, OF_NOBODY));
      await proveNext(proof, "taken back", stale, `host:${PORT}`);
      await proveNext(proof, "taken back", ofHost, `host:${OF_HOST}`);
      await proveNext(proof, "taken back", ofNobody, NOBODY);
      await proveNext(proof, "taken back", local, `host:${OF_LOCAL}`);
      await t.step("all others are the connections that they were", async (step) => {
        for (const { says, asks } of others) {
          await step.step(says, async () => assertEquals(await asks.next() === NOBODY, false));
        }
        assertEquals(await idsOf(topology.host, others), before);
      });
    },
  });

  hostTest({
    name: `${name}: connections follow a port that up, reload and down lead elsewhere`,
    tools: [...tools, "conntrack"],
    body: async (t) => {
      await using topology = await makeTopology([NAT66]);
      const { host, uplink: { outside, host4 } } = topology;
      await answerOnHost(topology, [PORT]);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      const leading = (letter: Letter): TestNetwork =>
        publishing(NAT66, [{
          proto: "udp",
          port: PORT,
          to: `${guest(letter, "v4")}:${ANSWERING_PORT}`,
        }]);
      await using stream = startDatagrams(outside, host4, PORT, 40_000);
      const expect = async (says: string, expected: string): Promise<void> => {
        await t.step(says, async () => assertEquals(await stream.next(), expected));
      };
      await expect("before", `host:${PORT}`);
      await bridgewall.up(leading("a"));
      await expect("up with a port", by("a"));
      await bridgewall.up(leading("b"));
      await expect("up again with another guest", by("b"));
      await bridgewall.up(NAT66);
      await expect("up again without the port", `host:${PORT}`);
      await bridgewall.up(leading("a"));
      await flushEverything(host, backend);
      // The kernel may have forgotten it together with the last rule that needed it.
      await run(["conntrack", "-D", "-p", "udp", "--orig-port-dst", String(PORT)], {
        namespace: host,
      });
      await expect("somebody removes all rules", `host:${PORT}`);
      await bridgewall.succeed(["reload"]);
      await expect("reload", by("a"));
      await bridgewall.down(NAT66);
      await expect("down", `host:${PORT}`);
    },
  });

  hostTest({
    name:
      `${name}: without conntrack a port is published all the same, and a warning says what that means`,
    tools,
    body: async () => {
      await using topology = await makeTopology([NAT66]);
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(NAT66);
      await using hidden = await hidePrograms(["conntrack"]);
      const publish = async (letter: Letter): Promise<string> => {
        const argv = hidden.wrap(bridgewall.argv(["publish", NAT66.name, ...specs(letter, PORT)]));
        const { code, stderr } = await run(argv, { namespace: topology.host });
        assertEquals(code, 0, stderr);
        return stderr;
      };
      for (const letter of ["a", "b"] as const) {
        assertStringIncludes(
          await publish(letter),
          "Connections that began before go on as they were",
        );
        const { by: answered } = await tcp(topology.uplink.outside, topology.uplink.host4, {
          port: PORT,
        });
        assertEquals(answered, by(letter));
      }
    },
  });
}

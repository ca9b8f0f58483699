/** Many networks, many processes: how much work an operation is, and that operations take turns. */
import { assert, assertEquals } from "@std/assert";
import { BACKENDS } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { run } from "./run_program.ts";
import { testNetwork } from "./test_network.ts";
import { makeTopology } from "./topology.ts";

const FORWARD = '<forward mode="nat"/>';
const FIFTY = Array.from(
  { length: 50 },
  (_, index) => testNetwork(index + 1, `net${index + 1}`, { forward: FORWARD, guests: {} }),
);
const [ONE, TWO, THREE] = ["one", "two", "three"].map((name, index) =>
  testNetwork(101 + index, name, { forward: FORWARD, guests: {} })
);

for (const { name: backend, tools } of BACKENDS) {
  hostTest({
    name: `${backend}: up runs as many firewall programs for 50 networks as for one`,
    tools: [...tools, "strace"],
    body: async () => {
      await using topology = await makeTopology([]);
      const { host: namespace } = topology;
      const bridgewall = await openBridgewall(topology, backend);
      const files = await Promise.all(FIFTY.map(bridgewall.write));
      const started = async (command: string, networks: readonly string[]): Promise<number> => {
        const log = `${bridgewall.stateDirectory}.strace`;
        const strace = ["strace", "-f", "-qq", "-s", "0", "-e", "trace=execve", "-o", log];
        const argv = [...strace, ...bridgewall.argv([command, ...networks])];
        const { code, stderr } = await run(argv, { namespace });
        assertEquals(code, 0, stderr);
        const calls = (await Deno.readTextFile(log)).split("\n");
        const ran = (program: string): boolean =>
          calls.some((call) => call.includes(`/${program}"`) && call.endsWith(" = 0"));
        assert(tools.every(ran), calls.join("\n"));
        return calls.filter((call) =>
          tools.some((tool) => call.includes(`/${tool}"`)) && call.endsWith(" = 0")
        ).length;
      };
      const forOne = [await started("up", files.slice(0, 1)), await started("down", ["--all"])];
      const forFifty = [await started("up", files), await started("down", ["--all"])];
      assertEquals(forFifty, forOne);
    },
  });

  hostTest({
    name: `${backend}: 20 processes at once leave the rules that the records tell of`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([]);
      const bridgewall = await openBridgewall(topology, backend);
      assert(ONE !== undefined && TWO !== undefined && THREE !== undefined);
      const before = await firewallState(topology.host);
      const [one, two, three] = await Promise.all([ONE, TWO, THREE].map(bridgewall.write));
      assert(one !== undefined && two !== undefined && three !== undefined);
      const commands = [
        ["up", one],
        ["up", two, three],
        ["down", "one"],
        ["reload"],
        ["down", "three", "two"],
      ];
      const finished = await Promise.all(
        Array.from({ length: 20 }, (_, index) => {
          const [command = "", ...rest] = commands[index % commands.length] ?? [];
          return bridgewall.run([command, "--wait", "60", ...rest]);
        }),
      );
      await t.step("each of them succeeds", () => {
        const failures = finished.filter(({ code }) => code !== 0);
        assertEquals(failures.map(({ stderr }) => stderr), []);
      });
      await t.step("nothing has drifted, and what is active is what has rules", async () => {
        await bridgewall.succeed(["check"]);
        const { stdout } = await bridgewall.succeed(["status", "--json"]);
        const state = await firewallState(topology.host);
        for (const { name, bridge } of [ONE, TWO, THREE]) {
          assertEquals(state.includes(`"${bridge}"`), stdout.includes(`"${name}"`), name);
        }
      });
      await t.step("all of it goes away again", async () => {
        await bridgewall.succeed(["down", "--all"]);
        assertEquals(await firewallState(topology.host), before);
      });
    },
  });
}

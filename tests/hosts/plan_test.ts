import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BACKENDS } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { makeOrdinaryUser } from "./ordinary_user.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { type Finished, run } from "./run_program.ts";
import { testNetwork } from "./test_network.ts";
import { makeTopology } from "./topology.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward><nat ipv6="yes"/></forward>' });

/** What `plan --json` prints. */
interface Plan {
  readonly commands: readonly {
    readonly program: string;
    readonly args: readonly string[];
    readonly stdin?: string;
  }[];
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: plan shows an ordinary user exactly the script that up runs`,
    tools: [...tools, "setpriv"],
    body: async (t) => {
      await using topology = await makeTopology([NAT]);
      const { host: namespace } = topology;
      const bridgewall = await openBridgewall(topology, backend);
      const file = await bridgewall.write(NAT);
      // The directory of definitions is the user's own; that of the records stays root's.
      await Deno.chmod(file.replace(/\/[^/]+$/, ""), 0o755);
      const before = await firewallState(namespace);
      await using user = await makeOrdinaryUser();
      const plan = (...more: readonly string[]): Promise<Finished> =>
        run(bridgewall.onHost(user.argv(["plan", ...bridgewall.flags, ...more, file])), {
          namespace,
        });
      const [planned, asJson] = [await plan(), await plan("--json")];
      await t.step("it needs no privilege and changes nothing", async () => {
        assertEquals(planned.code, 0, planned.stderr);
        assertEquals(asJson.code, 0, asJson.stderr);
        assertEquals(await firewallState(namespace), before);
      });
      await t.step("root sees the same plan", async () => {
        const { stdout } = await bridgewall.succeed(["plan", file]);
        assertEquals(stdout, planned.stdout);
      });
      const { stderr } = await bridgewall.succeed(["up", "--verbose", file]);
      const { commands } = JSON.parse(asJson.stdout) as Plan;
      const scripts = commands.flatMap(({ stdin }) => stdin === undefined ? [] : [stdin.trim()]);
      await t.step("each script of the plan is one that up ran", () => {
        assert(scripts.length > 0, asJson.stdout);
        for (const script of scripts) {
          assertStringIncludes(stderr, script);
          assertStringIncludes(planned.stdout, script);
        }
      });
      await t.step("beside scripts the plan is comments", () => {
        const rest = scripts.reduce((text, script) => text.replace(script, ""), planned.stdout);
        const lines = rest.split("\n").filter((line) => line !== "");
        assertEquals(lines.filter((line) => !line.startsWith("#")), []);
      });
    },
  });
}

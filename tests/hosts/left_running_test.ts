/** What a killed command had started goes on: the next one lets it finish before it looks. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { IPTABLES, NFTABLES } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { killingLoads } from "./killed_command.ts";
import { hostTest } from "./requirements.ts";
import { firewallState, loadForeignRules } from "./ruleset.ts";
import { mustRun, run } from "./run_program.ts";
import { makeStandIns } from "./stand_in.ts";
import { testNetwork } from "./test_network.ts";
import { makeHost } from "./topology.ts";

const NAT = testNetwork(86, "nat", { forward: '<forward mode="nat"/>', dhcp: true });

for (const backend of [NFTABLES, ...IPTABLES]) {
  hostTest({
    name: `${backend.name}: rules that a killed command was about to load do not come later`,
    tools: [...backend.tools, "unshare", "mount"],
    body: async () => {
      await using place = await makeHost([NAT]);
      const { host } = place;
      const bridgewall = await openBridgewall(place, backend);
      await loadForeignRules(host, backend);
      const before = await firewallState(host);
      const file = await bridgewall.write(NAT);
      await using standIns = await makeStandIns(killingLoads(backend, "before"), bridgewall);
      const killed = async (...args: readonly string[]): Promise<void> => {
        const { code } = await run(standIns.wrap(bridgewall.argv(args)), { namespace: host });
        assertEquals(code, 128 + 9);
      };
      await killed("up", file);
      const early = await bridgewall.run(["down", "--all", "--wait=0"]);
      assertEquals(early.code, 1);
      assertStringIncludes(early.stderr, "still runs, which a command that was killed had started");
      const { stderr } = await bridgewall.succeed(["down", "--all"]);
      assertStringIncludes(stderr, "Waiting for another bridgewall command to finish\n");
      assertStringIncludes(stderr, 'Took back an interrupted change of network "nat"\n');
      assertEquals(await mustRun(["ip", "netns", "pids", host]), "");
      assertEquals(await firewallState(host), before);

      await bridgewall.succeed(["up", file]);
      const standing = await firewallState(host);
      await killed("down", "nat");
      await bridgewall.succeed(["up", file]);
      assertEquals(await mustRun(["ip", "netns", "pids", host]), "");
      assertEquals(await firewallState(host), standing);
      await bridgewall.succeed(["check"]);
    },
  });
}

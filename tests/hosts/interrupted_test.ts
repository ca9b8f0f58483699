/** A command killed anywhere: the next one puts things right before it does its own work. */
import { assert, assertEquals } from "@std/assert";
import { BACKENDS } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { hostTest } from "./requirements.ts";
import { firewallState, loadForeignRules } from "./ruleset.ts";
import { run } from "./run_program.ts";
import { killing, makeStandIns } from "./stand_in.ts";
import { testNetwork } from "./test_network.ts";
import { makeTopology } from "./topology.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>', dhcp: true, guests: {} });
const ROUTE = testNetwork(102, "route", { forward: '<forward mode="route"/>', guests: {} });

/** More runs of programs than any command has. */
const TOO_MANY = 20;

/**
 * Kills the command when its nth program has done its work; before its first there is nothing to put
 * right. False: the command has fewer programs, and ended by itself.
 */
async function killAfter(
  backend: string,
  programs: readonly string[],
  command: string,
  nth: number,
): Promise<boolean> {
  await using topology = await makeTopology([NAT, ROUTE]);
  const { host } = topology;
  await loadForeignRules(host);
  const bridgewall = await openBridgewall(topology, backend);
  const files = await Promise.all([NAT, ROUTE].map(bridgewall.write));
  const before = await firewallState(host);
  await bridgewall.succeed(["up", ...files]);
  const both = await firewallState(host);
  if (command === "up") await bridgewall.succeed(["down", "--all"]);

  await using standIns = await makeStandIns(programs.map(killing));
  await Deno.writeTextFile(`${standIns.directory}/last`, String(nth));
  const args = { up: ["up", ...files], reload: ["reload"], down: ["down", "--all"] }[command] ?? [];
  const { code } = await run(standIns.wrap(bridgewall.argv(args)), { namespace: host });
  if (code === 0) return false;
  const log = await Deno.readTextFile(`${standIns.directory}/log`);

  await bridgewall.succeed(["up", ...files]);
  assertEquals(await firewallState(host), both, `after "up": ${log}`);
  await bridgewall.succeed(["check"]);
  await bridgewall.succeed(["down", "--all"]);
  assertEquals(await firewallState(host), before, `after "down": ${log}`);
  return true;
}

for (const { name: backend, tools } of BACKENDS) {
  hostTest({
    name: `${backend}: whenever a command is killed, the next one makes an orderly host`,
    tools: [...tools, "unshare", "mount", "tc"],
    body: async (t) => {
      const programs = [...tools, "tc", "sysctl"];
      for (const command of ["up", "reload", "down"]) {
        let killed = true;
        for (let nth = 1; killed; nth++) {
          assert(nth < TOO_MANY, `${command} does not end`);
          await t.step(`${command} killed after program ${nth} of it`, async () => {
            killed = await killAfter(backend, programs, command, nth);
          });
        }
      }
    },
  });
}

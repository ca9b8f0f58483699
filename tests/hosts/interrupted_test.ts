/** A command killed anywhere: the next one puts things right before it does its own work. */
import { assert, assertEquals } from "@std/assert";
import { BACKENDS, type BackendUnderTest } from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { listRuns, NEVER, type ProgramRun, runKilled, turningPoints } from "./killed_command.ts";
import { hostTest } from "./requirements.ts";
import { firewallState, loadForeignRules, loadHandWrittenRules } from "./ruleset.ts";
import { proveSideBySide } from "./side_by_side.ts";
import { testNetwork } from "./test_network.ts";
import { makeHost } from "./topology.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>', dhcp: true });
const ROUTE = testNetwork(102, "route", { forward: '<forward mode="route"/>' });

/** The commands that are killed, on a host where the networks are not up yet, or are. */
const COMMANDS = { up: ["up"], reload: ["reload"], down: ["down", "--all"] } as const;

/** The host after one of the commands. */
interface Remains {
  readonly host: string;
  readonly bridgewall: Bridgewall;
  readonly files: readonly string[];
  readonly runs: readonly ProgramRun[];
}

async function kill(
  backend: BackendUnderTest,
  command: keyof typeof COMMANDS,
  nth: number,
  then: (remains: Remains) => Promise<void>,
): Promise<void> {
  await using place = await makeHost([NAT, ROUTE]);
  const { host } = place;
  const bridgewall = await openBridgewall(place, backend);
  // firewalld 1.3 empties the tables of iptables when it reloads: a command that is killed just then can
  // no longer give back what others had there.
  if (backend.firewalld === undefined) await loadForeignRules(host, backend);
  else await loadHandWrittenRules(host);
  const files = await Promise.all([NAT, ROUTE].map(bridgewall.write));
  if (command !== "up") await bridgewall.succeed(["up", ...files]);
  const args = [...COMMANDS[command], ...(command === "up" ? files : [])];
  const runs = await runKilled({ bridgewall, host, programs: backend.tools }, args, nth);
  await then({ host, bridgewall, files, runs });
}

/** What the command runs when nobody kills it, and what then stands. */
async function undisturbed(
  backend: BackendUnderTest,
  command: keyof typeof COMMANDS,
): Promise<{ readonly runs: readonly ProgramRun[]; readonly state: string }> {
  const seen = { runs: [] as readonly ProgramRun[], state: "" };
  await kill(backend, command, NEVER, async ({ host, runs }) => {
    seen.runs = runs;
    seen.state = await firewallState(host);
  });
  return seen;
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: whenever a command is killed, the next one makes an orderly host`,
    tools: [...tools, "unshare", "mount", "tc"],
    body: async (t) => {
      const [up, reload, down] = await Promise.all([
        undisturbed(backend, "up"),
        undisturbed(backend, "reload"),
        undisturbed(backend, "down"),
      ]);
      assertEquals(reload.state, up.state);
      const prove = async ({ host, bridgewall, files, runs }: Remains): Promise<void> => {
        await bridgewall.succeed(["up", ...files]);
        assertEquals(await firewallState(host), up.state, `after "up": ${listRuns(runs)}`);
        await bridgewall.succeed(["check"]);
        await bridgewall.succeed(["down", "--all"]);
        assertEquals(await firewallState(host), down.state, `after "down": ${listRuns(runs)}`);
      };
      const cases = Object.entries({ up, reload, down }) as [keyof typeof COMMANDS, typeof up][];
      await proveSideBySide(
        t,
        cases.flatMap(([command, { runs }]) => {
          assert(runs.length > 0);
          return turningPoints(runs).map(({ nth }) => ({
            says: `${command} killed after program ${nth} of it`,
            prove: () => kill(backend, command, nth, prove),
          }));
        }),
      );
    },
  });
}

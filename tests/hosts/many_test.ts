/** Many networks, many processes: how much work an operation is, and that operations take turns. */
import { assert, assertEquals } from "@std/assert";
import { BACKENDS, type BackendUnderTest } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { run } from "./run_program.ts";
import { testNetwork } from "./test_network.ts";
import { makeHost } from "./topology.ts";

const FORWARD = '<forward mode="nat"/>';
const FIFTY = Array.from(
  { length: 50 },
  (_, index) => testNetwork(index + 1, `net${index + 1}`, { forward: FORWARD, dhcp: true }),
);
const [ONE, TWO, THREE] = ["one", "two", "three"].map((name, index) =>
  testNetwork(101 + index, name, { forward: FORWARD, guests: {} })
);

/** Writes down each program that is started, by the command and by what it starts. */
const STRACE = ["strace", "-f", "--seccomp-bpf", "-qq", "-s", "0", "-e", "trace=execve"] as const;

/** How often each program was started. */
type Counts = Readonly<Record<string, number>>;

/**
 * How often the program may be started: nft once, for one transaction. iptables only to tell its version.
 * Its restore for each family to test and to load, for IPv4 once more both for the checksums of DHCP
 * replies, which may fail.
 */
function mostRuns(program: string): number {
  if (!program.endsWith("-restore")) return 1;
  return program.startsWith("ip6tables") ? 2 : 4;
}

function countPrograms(log: string, programs: readonly string[]): Counts {
  const started = startedPaths(log);
  return Object.fromEntries(
    programs.map((one) => [one, started.filter((path) => path.endsWith(`/${one}`)).length]),
  );
}

/** What was started, from lines `PID execve("PATH", …) = 0`; two lines where others came between. */
function startedPaths(log: string): readonly string[] {
  const unfinished = new Map<string, string>();
  return log.split("\n").flatMap((line) => {
    const [, process = "", path] = line.match(/^(\d+) +(?:execve\("([^"]*)")?/) ?? [];
    if (line.endsWith("<unfinished ...>")) unfinished.set(process, path ?? "");
    return line.endsWith(" = 0") ? [path ?? unfinished.get(process) ?? ""] : [];
  });
}

/** What firewalld is asked grows with the networks; that it reads its files is what takes time. */
async function proveOneReload(t: Deno.TestContext, backend: BackendUnderTest): Promise<void> {
  const few = FIFTY.slice(0, 4);
  await using place = await makeHost(few);
  const bridgewall = await openBridgewall(place, backend);
  const files = await Promise.all(few.map(bridgewall.write));
  const operations = [
    { args: ["up", ...files], reloads: 1 },
    { args: ["up", ...files], reloads: 0 },
    { args: ["reload"], reloads: 0 },
    { args: ["down", "--all"], reloads: 1 },
  ];
  for (const { args, reloads } of operations) {
    await t.step(`${args[0]} makes firewalld reload ${reloads} times`, async () => {
      const { stderr } = await bridgewall.succeed([...args, "--verbose"]);
      assertEquals(stderr.match(/FirewallD1 reload$/gm)?.length ?? 0, reloads, stderr);
    });
  }
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: an operation runs as many firewall programs for 50 networks as for one`,
    tools: [...tools, "strace"],
    body: async (t) => {
      if (backend.firewalld !== undefined) return await proveOneReload(t, backend);
      await using place = await makeHost(FIFTY);
      const { host: namespace } = place;
      const bridgewall = await openBridgewall(place, backend);
      const files = await Promise.all(FIFTY.map(bridgewall.write));
      const started = async (args: readonly string[]): Promise<Counts> => {
        const log = `${bridgewall.stateDirectory}.strace`;
        const { code, stderr } = await run([...STRACE, "-o", log, ...bridgewall.argv(args)], {
          namespace,
        });
        assertEquals(code, 0, stderr);
        return countPrograms(await Deno.readTextFile(log), tools);
      };
      const commands: Readonly<Record<string, (networks: readonly string[]) => string[]>> = {
        up: (networks) => ["up", ...networks],
        "up again": (networks) => ["up", ...networks],
        reload: () => ["reload"],
        down: () => ["down", "--all"],
      };
      const forOne = new Map<string, Counts>();
      for (const [command, args] of Object.entries(commands)) {
        forOne.set(command, await started(args(files.slice(0, 1))));
      }
      for (const [command, args] of Object.entries(commands)) {
        const forFifty = await started(args(files));
        await t.step(command, () => {
          assertEquals(forFifty, forOne.get(command));
          assert(Object.values(forFifty).some((count) => count > 0));
          for (const [program, count] of Object.entries(forFifty)) {
            assert(count <= mostRuns(program), `${count} runs of ${program}`);
          }
        });
      }
    },
  });

  hostTest({
    name: `${name}: 20 processes at once leave the rules that the records tell of`,
    tools,
    body: async (t) => {
      await using place = await makeHost([]);
      const bridgewall = await openBridgewall(place, backend);
      assert(ONE !== undefined && TWO !== undefined && THREE !== undefined);
      const before = await firewallState(place.host);
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
        const state = await firewallState(place.host);
        for (const { name, bridge } of [ONE, TWO, THREE]) {
          assertEquals(
            new RegExp(`\\b${bridge}\\b`).test(state),
            stdout.includes(`"${name}"`),
            name,
          );
        }
      });
      await t.step("all of it goes away again", async () => {
        await bridgewall.succeed(["down", "--all"]);
        assertEquals(await firewallState(place.host), before);
      });
    },
  });
}

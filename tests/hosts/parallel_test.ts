/** Many commands at the same moment, some of which are killed: as if they came one after the other. */
import { assert, assertEquals, AssertionError } from "@std/assert";
import { fileName } from "../../platform/record_directory.ts";
import { serialOrder, type Told } from "../support/serial_order.ts";
import { type BackendUnderTest, IPTABLES, NFTABLES } from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { stop } from "./child_process.ts";
import { chooseCommands, GROUPS, NETWORKS, type Parallel, TWIN } from "./parallel_commands.ts";
import { keyOf, NOTHING, restrict, type Result, type State, stateOf } from "./parallel_state.ts";
import { type Ending, isImpatience, toldOf } from "./parallel_told.ts";
import { killingLoads } from "./killed_command.ts";
import { hostTest } from "./requirements.ts";
import { firewallState, loadForeignRules } from "./ruleset.ts";
import { inNamespace, mustRun } from "./run_program.ts";
import { makeStandIns } from "./stand_in.ts";
import { definition } from "./test_network.ts";
import { makeHost } from "./topology.ts";

/** How many; `BRIDGEWALL_PARALLEL=SEED` chooses others. */
const COMMANDS = 50;

const SEED = 2026;

/** Nobody waits so long, in milliseconds. */
const FOR_EVER = 280_000;

/** The exit code of who was killed by SIGKILL. */
const KILLED = 128 + 9;

/** A command that has ended. */
interface Ended extends Ending {
  readonly command: Parallel;
  readonly code: number;
  readonly stderr: string;
}

Deno.test("an order is found where there is one, and only there", () => {
  const add = (says: string, needs: string): Told<string> => ({
    says,
    kind: "done",
    after: (state) => state.endsWith(needs) ? state + says : undefined,
  });
  const sees = (what: string): Told<string> => ({
    says: `sees ${what}`,
    kind: "looked",
    after: (state) => state === what ? state : undefined,
  });
  const order = (told: readonly Told<string>[], end: string): string | undefined =>
    serialOrder(told, ["", end], (state) => state)?.join(", ");
  const told = [add("c", "b"), sees("ab"), add("b", "a"), add("a", ""), sees("")];
  assertEquals(order(told, "abc"), "sees , a, b, sees ab, c");
  assertEquals(order([...told, sees("ba")], "abc"), undefined);
  assertEquals(order(told, "ab"), undefined);
  const killed = told.map((one) => one.says === "c" ? { ...one, kind: "killed" as const } : one);
  assertEquals(order(killed, "ab"), "sees , a, b, sees ab");
  assertEquals(order(killed, "abc"), "sees , a, b, sees ab, c");
});

for (const backend of [NFTABLES, ...IPTABLES]) {
  hostTest({
    name: `${backend.name}: ${COMMANDS} commands at once are as good as one after the other`,
    tools: [...backend.tools, "unshare", "mount"],
    body: async () => {
      const seed = Number(Deno.env.get("BRIDGEWALL_PARALLEL") ?? SEED);
      await using place = await makeHost(NETWORKS);
      const bridgewall = await openBridgewall(place, backend);
      const { host } = place;
      await loadForeignRules(host, backend);
      const before = await firewallState(host);
      const files = new Map<string, string>();
      for (const network of [...NETWORKS, TWIN]) {
        files.set(`${network.name}.xml`, await bridgewall.write(definition(network)));
      }
      const start = await openStart(bridgewall, host, backend, files);
      const ended = await Promise.all(chooseCommands(seed, COMMANDS).map(start.run));
      await start.close();
      try {
        for (const one of ended) proveEnding(one);
        await proveHost(bridgewall, ended);
        assertEquals(await mustRun(["ip", "netns", "pids", host]), "", "processes remain");
        await bridgewall.succeed(["down", "--all"]);
        const { masquerade } = JSON.parse((await bridgewall.succeed(["status", "--json"])).stdout);
        const prefixes = masquerade.map(({ prefix }: { prefix: string }) => prefix);
        if (prefixes.length > 0) await bridgewall.succeed(["masquerade", "remove", ...prefixes]);
        assertEquals(await firewallState(host), before);
        assertEquals(listState(bridgewall), ["lock"]);
      } catch (cause) {
        throw new Error(`BRIDGEWALL_PARALLEL=${seed}:\n${ended.map(shown).join("\n")}`, { cause });
      }
    },
  });
}

interface Start {
  run(command: Parallel): Promise<Ended>;
  close(): Promise<void>;
}

async function openStart(
  bridgewall: Bridgewall,
  host: string,
  backend: BackendUnderTest,
  files: ReadonlyMap<string, string>,
): Promise<Start> {
  const killers = (when: "before" | "after"): ReturnType<typeof makeStandIns> =>
    makeStandIns(killingLoads(backend, when), bridgewall);
  const [sooner, later] = await Promise.all([
    killers("before"),
    killers("after"),
  ]);
  return {
    run: async (command) => {
      const args = command.args.map((word) => files.get(word) ?? word);
      const own = bridgewall.argv([...args, "--json", `--wait=${command.wait}`]);
      const argv = command.death === "before the rules"
        ? sooner.wrap(own)
        : command.death === "after the rules"
        ? later.wrap(own)
        : own;
      const dies = command.death === "some time" ? command.milliseconds : FOR_EVER;
      return { command, ...await runUntil(inNamespace(host, argv), dies) };
    },
    close: async () => {
      await sooner[Symbol.asyncDispose]();
      await later[Symbol.asyncDispose]();
    },
  };
}

async function runUntil(
  [program = "", ...args]: readonly string[],
  milliseconds: number,
): Promise<Omit<Ended, "command">> {
  const env = { LC_ALL: "C", NO_COLOR: "1" };
  const options = { args, env, stdin: "null", stdout: "piped", stderr: "piped" } as const;
  const child = new Deno.Command(program, options).spawn();
  const timer = setTimeout(() => stop(child), milliseconds);
  const output = await child.output();
  clearTimeout(timer);
  const [stdout, stderr] = [output.stdout, output.stderr].map((one) =>
    new TextDecoder().decode(one)
  );
  const { code } = output;
  const error = /^\{"error":.*$/m.exec(stderr ?? "")?.[0];
  return {
    code,
    stderr: stderr ?? "",
    ...(code === KILLED ? {} : { printed: stdout ?? "" }),
    ...(error === undefined ? {} : { error: JSON.parse(error).error.message }),
  };
}

/** Whoever was not killed says what it did, or why not, as the documentation has it. */
function proveEnding({ command, code, stderr, printed, error }: Ended): void {
  const says = `${command.args.join(" ")} exited with ${code}: ${stderr}`;
  if (code === KILLED) return assert(command.death !== undefined, says);
  const lines = stderr.split("\n").filter((line) => line !== "");
  for (const line of lines) {
    const [kind = ""] = Object.keys(JSON.parse(line));
    assert(["note", "warning", "error"].includes(kind), says);
  }
  assertEquals(error === undefined, code === 0 || code === 3, says);
  if (code === 3) {
    const { drift = [] }: Result = JSON.parse(printed ?? "");
    assert(
      drift.some(({ difference }) => / was interrupted$/.test(difference)),
      `${says}${printed}`,
    );
  } else assert(code === 0 || code === 1, says);
  assert(error === undefined || !isImpatience(error) || command.wait < 1, says);
}

/** Records, rules and what the commands told are of one mind. */
async function proveHost(bridgewall: Bridgewall, ended: readonly Ended[]): Promise<void> {
  // The next command puts right what killed ones have left.
  await bridgewall.succeed(["down", "nobody"]);
  await bridgewall.succeed(["check"]);
  const state = stateOf((await bridgewall.succeed(["status", "--json"])).stdout) ?? NOTHING;
  const names = [...state.networks.keys(), ...(state.prefixes.length > 0 ? ["/masquerade"] : [])];
  assertEquals(listState(bridgewall), ["lock", ...names.map(fileName)].toSorted());
  for (const group of GROUPS) proveOrder(group, state, ended);
}

function proveOrder(group: readonly string[], state: State, ended: readonly Ended[]): void {
  const ways = [NOTHING, restrict(state, group)] as const;
  const told = ended.flatMap((one) => toldOf(one.command.args, group, one));
  if (serialOrder(told, ways, keyOf) !== undefined) return;
  const lines = told.map(({ says }) => says);
  throw new AssertionError(`no order of these leads to ${keyOf(ways[1])}:\n${lines.join("\n")}`);
}

function listState({ stateDirectory }: Bridgewall): readonly string[] {
  return [...Deno.readDirSync(stateDirectory)].map(({ name }) => name).toSorted();
}

function shown({ command: { args, death }, code, stderr }: Ended): string {
  return `${args.join(" ")}${death === undefined ? "" : ` [dies ${death}]`}: ${code} ${stderr}`;
}

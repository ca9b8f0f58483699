/** Runs the program in the host's namespace as a user would. */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { type Finished, run, type RunOptions } from "./run_program.ts";
import { definition, type TestNetwork } from "./test_network.ts";
import type { Topology } from "./topology.ts";

/** The root of the project. */
export const PROJECT = fromFileUrl(new URL("../../", import.meta.url));

/** What the program may do; `--no-prompt`, or it would wait for an answer on a terminal. */
export const PERMISSIONS: readonly string[] = ["--no-prompt", "--allow-all"];

/** The program on one host. */
export interface Bridgewall {
  /** Where its records are; nothing else of the machine is used. */
  readonly stateDirectory: string;
  /** The flags that each command is given: the records, the configuration and the backend. */
  readonly flags: readonly string[];
  /** Runs it with these arguments. */
  run(args: readonly string[], options?: RunOptions): Promise<Finished>;
  /** Runs it; anything but exit code 0 fails the test with what it said. */
  succeed(args: readonly string[], options?: RunOptions): Promise<Finished>;
  /** `up` with the definitions of the networks, which must succeed. */
  up(...networks: readonly TestNetwork[]): Promise<Finished>;
  /** `down` with their names, which must succeed. */
  down(...networks: readonly TestNetwork[]): Promise<Finished>;
  /** Writes a definition to a file, and returns its path. */
  write(network: TestNetwork | string): Promise<string>;
  /** The whole argv for the arguments, for tests that start it in some other way. */
  argv(args: readonly string[]): readonly string[];
}

/** The program on this host, with a configuration and records of its own until the test ends. */
export async function openBridgewall(topology: Topology, backend: string): Promise<Bridgewall> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-test-" });
  topology.atEnd.defer(() => Deno.remove(directory, { recursive: true }));
  const stateDirectory = `${directory}/state`;
  const configuration = `${directory}/bridgewall.conf`;
  await Deno.mkdir(stateDirectory, { mode: 0o700 });
  await Deno.writeTextFile(configuration, "");
  const flags = ["--state-dir", stateDirectory, "--config", configuration, "--backend", backend];
  const argv = ([command = "", ...rest]: readonly string[]): readonly string[] => [
    ...[Deno.execPath(), "run", "--quiet", ...PERMISSIONS, `${PROJECT}main.ts`],
    ...[command, ...flags, ...rest],
  ];
  const runIt: Bridgewall["run"] = (args, options) =>
    run(argv(args), { namespace: topology.host, ...options });
  const succeed: Bridgewall["succeed"] = async (args, options) => {
    const finished = await runIt(args, options);
    assertEquals(finished.code, 0, `bridgewall ${args.join(" ")}: ${finished.stderr}`);
    return finished;
  };
  let written = 0;
  const write = async (network: TestNetwork | string): Promise<string> => {
    const path = `${directory}/network-${written++}.xml`;
    await Deno.writeTextFile(path, typeof network === "string" ? network : definition(network));
    return path;
  };
  return {
    stateDirectory,
    flags,
    run: runIt,
    succeed,
    up: async (...networks) => succeed(["up", ...await Promise.all(networks.map(write))]),
    down: (...networks) => succeed(["down", ...networks.map(({ name }) => name)]),
    write,
    argv,
  };
}

/** The program as one file, which is how it is shipped, in a namespace. */
import { PROJECT } from "../hosts/bridgewall.ts";
import { permissionFlags, RUN_FLAGS } from "../../dist/launch_flags.ts";
import { mustRun } from "../hosts/run_program.ts";
import { definition, testNetwork } from "../hosts/test_network.ts";

/** Where files are in memory, and open to a program with permissions of its own, as /dev is not. */
export const MEMORY = "/run";

/** The bundled program with records in memory. */
export interface Program extends AsyncDisposable {
  /**
   * Runs it in a namespace; fails when it does.
   *
   * @param onHost Makes the argv that runs it where the host's own files are; absent: the machine's.
   */
  run(
    namespace: string,
    args: readonly string[],
    onHost?: (argv: readonly string[]) => readonly string[],
  ): Promise<string>;
  /** The argv that runs it, for what goes on. */
  argv(args: readonly string[]): readonly string[];
  /** Files with the definitions of so many nat networks. */
  definitions(count: number): Promise<readonly string[]>;
  /** An empty program, for comparison. */
  readonly nothing: readonly string[];
}

/** Bundles the program into a directory of its own, which goes with it. */
export async function bundleProgram(): Promise<Program> {
  const directory = await Deno.makeTempDir({ dir: MEMORY, prefix: "bridgewall-bench-" });
  const bundle = `${directory}/bridgewall.js`;
  await mustRun([
    ...[Deno.execPath(), "bundle", "--quiet", "--config", `${PROJECT}deno.json`],
    ...["--output", bundle, `${PROJECT}main.ts`],
  ]);
  const empty = `${directory}/nothing.js`;
  await Deno.writeTextFile(empty, "");
  const state = ["--state-dir", `${directory}/state`];
  const argv: Program["argv"] = (args) => [
    ...[
      Deno.execPath(),
      "run",
      ...RUN_FLAGS,
      ...permissionFlags("linux", [directory]),
      bundle,
      "--quiet",
      ...state,
      ...args,
    ],
  ];
  return {
    argv,
    run: (namespace, args, onHost = (argv) => argv) => mustRun(onHost(argv(args)), { namespace }),
    definitions: (count) =>
      Promise.all(Array.from({ length: count }, async (_, index) => {
        const path = `${directory}/network-${index}.xml`;
        await Deno.writeTextFile(path, definition(benchNetwork(index)));
        return path;
      })),
    nothing: [Deno.execPath(), "run", ...RUN_FLAGS, empty],
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

/** The nat network with that number, from 0 to 9999. */
export function benchNetwork(index: number): ReturnType<typeof testNetwork> {
  const subnet = `10.${100 + Math.floor(index / 250)}.${index % 250}`;
  return testNetwork(index, `bench${index}`, {
    forward: '<forward mode="nat"/>',
    addresses: [`${subnet}.1/24`],
    guests: {},
  });
}

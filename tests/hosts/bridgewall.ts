/** Runs the program in the host's namespace as a user would. */
import { assertEquals } from "@std/assert";
import type { BackendUnderTest } from "./backends.ts";
import { programArgv } from "./bundle.ts";
import { type FirewalldHost, startFirewalld } from "./firewalld_host.ts";
import { chooseVariant, makeBuiltInTables } from "./iptables_variant.ts";
import { type Finished, run, type RunOptions } from "./run_program.ts";
import { definition, type TestNetwork } from "./test_network.ts";
import type { TestHost } from "./topology.ts";

export { PROJECT } from "./bundle.ts";

/** The program on one host, with one backend. */
export interface Bridgewall {
  /** Where its records are; nothing else of the machine is used. */
  readonly stateDirectory: string;
  /** The flags that each command is given: the records, the configuration and the backend. */
  readonly flags: readonly string[];
  /** The host's firewalld; absent where no backend of the host needed one so far. */
  readonly firewalld?: FirewalldHost;
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
  /** The argv that runs any program where the host's iptables is the variant under test. */
  onHost(argv: readonly string[]): readonly string[];
  /**
   * The same records and networks with another backend; where that is not iptables, the host's
   * iptables stays what it was. A host that has firewalld keeps it.
   */
  under(backend: BackendUnderTest): Promise<Bridgewall>;
}

/** What all backends on one host share. */
interface Home {
  readonly directory: string;
  /** How many definitions were written, so that each has a file of its own. */
  written: number;
  /** What all backends have beside them once one of them asked for it. */
  firewalld?: FirewalldHost;
}

/** The program on this host, with a configuration and records of its own until the test ends. */
export async function openBridgewall(
  host: TestHost,
  backend: BackendUnderTest,
): Promise<Bridgewall> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-test-" });
  host.atEnd.defer(() => Deno.remove(directory, { recursive: true }));
  await Deno.mkdir(`${directory}/state`, { mode: 0o700 });
  await Deno.writeTextFile(`${directory}/bridgewall.conf`, "");
  return await openWith(host, { directory, written: 0 }, backend);
}

async function openWith(
  host: TestHost,
  home: Home,
  backend: BackendUnderTest,
  otherwise: Bridgewall["onHost"] = (argv) => argv,
): Promise<Bridgewall> {
  const { directory } = home;
  const stateDirectory = `${directory}/state`;
  const configuration = `${directory}/bridgewall.conf`;
  const flags = [
    ...["--state-dir", stateDirectory, "--config", configuration],
    ...["--backend", backend.backend],
  ];
  const onHost = await findWrapper(host, home, backend, otherwise);
  await makeBuiltInTables(host.host, backend);
  const program = await programArgv();
  const argv: Bridgewall["argv"] = ([command = "", ...rest]) =>
    onHost([...program, command, ...flags, ...rest]);
  const runIt: Bridgewall["run"] = (args, options) =>
    run(argv(args), { namespace: host.host, ...options });
  const succeed: Bridgewall["succeed"] = async (args, options) => {
    const finished = await runIt(args, options);
    assertEquals(finished.code, 0, `bridgewall ${args.join(" ")}: ${finished.stderr}`);
    return finished;
  };
  const write: Bridgewall["write"] = async (network) => {
    const path = `${directory}/network-${home.written++}.xml`;
    await Deno.writeTextFile(path, typeof network === "string" ? network : definition(network));
    return path;
  };
  return {
    stateDirectory,
    flags,
    ...(home.firewalld === undefined ? {} : { firewalld: home.firewalld }),
    run: runIt,
    succeed,
    up: async (...networks) => succeed(["up", ...await Promise.all(networks.map(write))]),
    down: (...networks) => succeed(["down", ...networks.map(({ name }) => name)]),
    write,
    argv,
    onHost,
    under: (other) => openWith(host, home, other, onHost),
  };
}

/** Where programs find the iptables and the firewalld that the backend asks for. */
async function findWrapper(
  host: TestHost,
  home: Home,
  { variant, firewalld }: BackendUnderTest,
  otherwise: Bridgewall["onHost"],
): Promise<Bridgewall["onHost"]> {
  if (firewalld !== undefined) {
    const runs = home.firewalld ??= await startFirewalld(host, home.directory, firewalld);
    if (runs.rules === firewalld) return runs.onHost;
    throw new Error(`the host's firewalld makes rules of ${runs.rules}, not of ${firewalld}`);
  }
  if (variant === undefined) return otherwise;
  const chosen = await chooseVariant(home.directory, variant);
  return (argv) =>
    home.firewalld === undefined ? chosen(argv) : home.firewalld.onHost(chosen(argv));
}

/**
 * A host whose firewall is firewalld: a daemon of its own, on a D-Bus of its own, without systemd.
 *
 * Both take part by files alone: the socket of the bus and the configuration of firewalld are in a
 * directory of the test, which is mounted where programs look for them. So nobody has to enter the
 * mount namespace of anybody, and mounts of a test (`stand_in.ts`) hold beside these.
 */
import type { FirewalldRules } from "./backends.ts";
import { type Background, startInNamespace } from "./background.ts";
import { chooseVariant } from "./iptables_variant.ts";
import { answers, startBus, startPolkit } from "./private_bus.ts";
import { withMounts } from "./private_mounts.ts";
import { mustRun } from "./run_program.ts";
import type { TestHost } from "./topology.ts";

/** The firewalld of one host. */
export interface FirewalldHost {
  /** What its rules are made with. */
  readonly rules: FirewalldRules;
  /** The directory that is `/etc/firewalld` there: the permanent configuration. */
  readonly configuration: string;
  /** The argv that runs a program where it finds this firewalld, and the host's iptables is nft's. */
  onHost(argv: readonly string[]): readonly string[];
  /**
   * Runs firewall-cmd, and returns what it said.
   *
   * @throws {Error} With its own words when it fails.
   */
  command(...args: readonly string[]): Promise<string>;
  /** Ends it as systemd does, and waits until it is gone; the bus stays. */
  stop(): Promise<void>;
  /**
   * Starts it again, and waits until its rules stand.
   *
   * @throws {Error} With its log when it does not run.
   */
  start(): Promise<void>;
  /** All that it holds, at run time and permanently, as one text to compare. */
  listings(): Promise<string>;
}

/** Where firewalld keeps what an administrator configured (firewalld.dirs(5)). */
const CONFIGURATION = "/etc/firewalld";

/** The directories in it; a pristine one has them, and nothing in them. */
const PARTS = ["helpers", "icmptypes", "ipsets", "policies", "services", "zones"] as const;

/** What tells all: zones and policies that are not in use, too. */
const LISTINGS: readonly (readonly string[])[] = [
  ["--get-default-zone"],
  ...["--get-zones", "--get-policies", "--get-ipsets", "--list-all-zones", "--list-all-policies"]
    .flatMap((listing) => [[listing], ["--permanent", listing]]),
];

/**
 * Runs firewall-cmd with each line of standard input. It takes a third of a second to begin, for its
 * modules, to be compiled and to be introduced to the daemon: so all are run in one Python, as one client.
 */
const RUN_EACH = `import sys, firewall.client
client = firewall.client.FirewallClient()
firewall.client.FirewallClient = lambda *args, **named: client
with open("/usr/bin/firewall-cmd") as file:
    program = compile(file.read(), "firewall-cmd", "exec")
for line in sys.stdin.read().splitlines():
    print("#", line, flush=True)
    sys.argv = ["firewall-cmd", *line.split()]
    try:
        exec(program, {"__name__": "__main__"})
    except SystemExit as end:
        if end.code: sys.exit(end.code)
`;

const BUS_NAME = "org.fedoraproject.FirewallD1";

/** Asks for the state, as `firewall-cmd --state` does, which takes ten times as long. */
const ASK_STATE = [
  ...["busctl", "--system", "get-property"],
  ...[BUS_NAME, `/${BUS_NAME.replaceAll(".", "/")}`, BUS_NAME, "state"],
];

/**
 * Starts a firewalld for the host, with the machine's `firewalld.conf` and nothing else that somebody
 * configured. It ends with the host, before the directory may go.
 */
export async function startFirewalld(
  host: TestHost,
  directory: string,
  rules: FirewalldRules,
): Promise<FirewalldHost> {
  const home = `${directory}/firewalld`;
  const configuration = `${home}/configuration`;
  const onHost = await makeWorld(home, configuration, rules);
  host.atEnd.use(await startBus(host.host, home, onHost));
  // Without it firewalld tells ordinary users nothing, as no host does: Debian's depends on it.
  host.atEnd.use(await startPolkit(host.host, onHost));
  const start = (): Promise<Background> => startDaemon(host.host, home, onHost);
  let daemon: Background | undefined = await start();
  host.atEnd.defer(() => daemon?.[Symbol.asyncDispose]());
  const command: FirewalldHost["command"] = async (...args) =>
    (await mustRun(onHost(["firewall-cmd", ...args]), { namespace: host.host })).trim();
  return {
    rules,
    configuration,
    onHost,
    command,
    stop: async () => {
      if (daemon !== undefined) await end(daemon);
      daemon = undefined;
    },
    start: async () => {
      daemon ??= await start();
    },
    listings: () =>
      mustRun(onHost(["/usr/bin/python3", "-c", RUN_EACH]), {
        namespace: host.host,
        stdin: LISTINGS.map((args) => args.join(" ")).join("\n"),
      }),
  };
}

/** Makes the files, and the argv that runs a program where they are the machine's. */
async function makeWorld(
  home: string,
  configuration: string,
  rules: FirewalldRules,
): Promise<FirewalldHost["onHost"]> {
  // What is below /run of the machine is its own: the bus, firewalld's files, the lock of iptables.
  const files = `${home}/run`;
  await mustRun(["mkdir", "-p", ...PARTS.map((part) => `${configuration}/${part}`)]);
  await mustRun(["mkdir", "-p", `${files}/dbus`, `${files}/lock`]);
  const settings = await Deno.readTextFile(`${CONFIGURATION}/firewalld.conf`);
  await Deno.writeTextFile(
    `${configuration}/firewalld.conf`,
    `${settings.replaceAll(/^FirewallBackend=.*\n/gm, "")}\nFirewallBackend=${rules}\n`,
  );
  const mounts = [
    `mount --bind '${configuration}' ${CONFIGURATION}`,
    `mount --bind '${files}' /run`,
  ];
  const variant = await chooseVariant(home, "nft");
  return (argv) => withMounts(mounts, variant(argv));
}

/** Starts the daemon as its unit does, but for the log, and waits until its rules stand. */
async function startDaemon(
  host: string,
  home: string,
  onHost: FirewalldHost["onHost"],
): Promise<Background> {
  const log = `${home}/log`;
  const argv = ["firewalld", "--nofork", "--nopid", "--log-target=file", `--log-file=${log}`];
  const daemon = startInNamespace(host, onHost(argv));
  // Before it has its name there is no answer; after that, it answers once it has started.
  if (await answers(host, onHost(ASK_STATE), (state) => state.includes('"RUNNING"'))) return daemon;
  await daemon[Symbol.asyncDispose]();
  throw new Error(`firewalld does not run in ${host}: ${await Deno.readTextFile(log)}`);
}

async function end(daemon: Background): Promise<void> {
  Deno.kill(daemon.pid, "SIGTERM");
  // It prints nothing: its output ends when it does.
  while (await daemon.read() !== undefined);
  await daemon[Symbol.asyncDispose]();
}

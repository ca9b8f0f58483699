/** A system bus of D-Bus for one host, which starts nothing by itself, and who asks whom there. */
import { type Background, startInNamespace } from "./background.ts";
import { run } from "./run_program.ts";

/**
 * Debian's `/usr/share/dbus-1/system.conf`, without its user, its log, and what starts services when
 * they are called: polkitd and others would outlive the test. Who may do what is said by the services'
 * own files, as on a real host (dbus-daemon(1)).
 */
const CONFIGURATION =
  `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <includedir>/usr/share/dbus-1/system.d</includedir>
</busconfig>
`;

/** How often a name is asked for: many seconds, on a machine that has much to do. */
const PATIENCE = 300;

/** Where programs find the bus of a host. */
type OnHost = (argv: readonly string[]) => readonly string[];

/**
 * Starts the bus, and waits until it listens.
 *
 * @param directory Where its configuration is written.
 * @param onHost Runs it where `/run/dbus` is the host's own.
 */
export async function startBus(
  namespace: string,
  directory: string,
  onHost: OnHost,
): Promise<Background> {
  const file = `${directory}/bus.conf`;
  await Deno.writeTextFile(file, CONFIGURATION);
  const flags = ["--nofork", "--nopidfile", "--print-address"];
  const bus = startInNamespace(
    namespace,
    onHost(["dbus-daemon", `--config-file=${file}`, ...flags]),
  );
  if (await bus.read() !== undefined) return bus;
  await bus[Symbol.asyncDispose]();
  throw new Error(`no bus listens in ${namespace}`);
}

/** How the bus would start polkitd; where that lives differs from release to release. */
const POLKIT_SERVICE = "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service";

/** Starts the daemon that services ask what a user may (polkit(8)), and waits until it answers. */
export async function startPolkit(namespace: string, onHost: OnHost): Promise<Background> {
  const [, line = ""] = (await Deno.readTextFile(POLKIT_SERVICE)).match(/^Exec=(.*)$/m) ?? [];
  const polkit = startInNamespace(namespace, onHost(line.split(" ")));
  const bus = ["org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"];
  const question = ["NameHasOwner", "s", "org.freedesktop.PolicyKit1"];
  const ask = onHost(["busctl", "--system", "call", ...bus, ...question]);
  if (await answers(namespace, ask, (answer) => answer.includes("true"))) return polkit;
  await polkit[Symbol.asyncDispose]();
  throw new Error(`no polkitd runs in ${namespace}`);
}

/** Asks until the answer is the one that is waited for; false when patience is at its end. */
export async function answers(
  namespace: string,
  ask: readonly string[],
  isRight: (answer: string) => boolean,
): Promise<boolean> {
  for (let patience = PATIENCE; patience > 0; patience--) {
    const { code, stdout } = await run(ask, { namespace });
    if (code === 0 && isRight(stdout)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

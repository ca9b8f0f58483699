/** A system bus of D-Bus for one host, which starts nothing by itself. */
import { type Background, startInNamespace } from "./background.ts";

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

/**
 * Starts the bus, and waits until it listens.
 *
 * @param directory Where its configuration is written.
 * @param onHost Runs it where `/run/dbus` is the host's own.
 */
export async function startBus(
  namespace: string,
  directory: string,
  onHost: (argv: readonly string[]) => readonly string[],
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

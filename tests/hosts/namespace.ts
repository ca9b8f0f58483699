/** One network namespace: made, set up so that nothing waits, and removed. */
import { mustRun } from "./run_program.ts";

/** Somewhere packets come from or go to: a guest, or a machine outside. */
export interface Place {
  readonly namespace: string;
  /** Its address that probes go to; empty when it has none of that family. */
  readonly v4: string;
  readonly v6: string;
}

/** The port where every place answers, see `responder.ts`. */
export const ANSWERING_PORT = 7007;

/**
 * IPv6 addresses usable at once, no addresses or routes from router advertisements, no ICMP
 * redirects, replies to broadcast pings. Forwarding stays off: switching it on is the program's job.
 */
const SETTINGS: readonly string[] = [
  ...["all", "default"].flatMap((scope) => [
    `net.ipv6.conf.${scope}.accept_dad=0`,
    `net.ipv6.conf.${scope}.dad_transmits=0`,
    `net.ipv6.conf.${scope}.accept_ra=0`,
    `net.ipv6.conf.${scope}.accept_redirects=0`,
    `net.ipv4.conf.${scope}.accept_redirects=0`,
    `net.ipv4.conf.${scope}.send_redirects=0`,
    `net.ipv4.conf.${scope}.rp_filter=0`,
  ]),
  "net.ipv4.ip_forward=0",
  "net.ipv6.conf.all.forwarding=0",
  "net.ipv4.icmp_echo_ignore_broadcasts=0",
  // The kernel sends few rejections a second, which a test would take for dropped packets.
  "net.ipv4.icmp_ratemask=0",
  "net.ipv6.icmp.ratelimit=0",
  // The only type that counts then is one that nobody sends.
  "net.ipv6.icmp.ratemask=255",
];

let made = 0;

/** Makes a namespace; its name is of this process alone, so that test runs side by side do not meet. */
export async function makeNamespace(label: string): Promise<string> {
  const namespace = `bw-${Deno.pid}-${made++}-${label}`;
  await mustRun(["ip", "netns", "add", namespace]);
  await mustRun(["sysctl", "-q", "-w", ...SETTINGS], { namespace });
  await configure(namespace, ["link set lo up"]);
  return namespace;
}

/** What it was called when it was made: `lan-a` of `bw-1234-5-lan-a`. */
export function labelOf(namespace: string): string {
  return namespace.replace(/^bw-\d+-\d+-/, "");
}

/** Removes it, and with it every interface and rule inside. */
export async function removeNamespace(namespace: string): Promise<void> {
  await mustRun(["ip", "netns", "del", namespace]);
}

/** Runs lines of `ip`, such as `link set lo up`, in one process. */
export async function configure(namespace: string, lines: readonly string[]): Promise<void> {
  await mustRun(["ip", "-n", namespace, "-batch", "-"], { stdin: lines.join("\n") + "\n" });
}

/** A sysctl's value, such as `1` of `net.ipv4.ip_forward`. */
export async function setting(namespace: string, name: string): Promise<string> {
  return (await mustRun(["sysctl", "-n", name], { namespace })).trim();
}

/** Sets a sysctl of the namespace. */
export async function changeSetting(
  namespace: string,
  name: string,
  value: string | number,
): Promise<void> {
  await mustRun(["sysctl", "-q", "-w", `${name}=${value}`], { namespace });
}

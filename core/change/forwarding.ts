/** The kernel's forwarding settings: on where a network needs them, never off again. */
import type { Family } from "../address.ts";
import { HostError, type HostFacts, type Platform } from "../host.ts";
import { forwardedFamilies, type Policy } from "../policy/policy.ts";
import { quoted } from "../quoted.ts";
import type { Step } from "./change.ts";

const LINUX_KEYS: Readonly<Record<Family, string>> = {
  ipv4: "net.ipv4.ip_forward",
  ipv6: "net.ipv6.conf.all.forwarding",
};

/** inet(4), inet6(4). */
const FREEBSD_KEYS: Readonly<Record<Family, string>> = {
  ipv4: "net.inet.ip.forwarding",
  ipv6: "net.inet6.ip6.forwarding",
};

/** What sysctl calls the setting. */
export function forwardingKey(platform: Platform, family: Family): string {
  return (platform === "freebsd" ? FREEBSD_KEYS : LINUX_KEYS)[family];
}

/** The families that a network needs forwarded and the host does not forward yet. */
export function missingForwarding(
  policies: readonly Policy[],
  { forwarding }: HostFacts,
): readonly Family[] {
  const needed = new Set(policies.flatMap(forwardedFamilies));
  return (["ipv4", "ipv6"] as const).filter((family) => needed.has(family) && !forwarding[family]);
}

/**
 * The one step that switches on what is missing. It is not taken back with the network: others may
 * rely on it by then, and libvirt leaves it on too.
 *
 * @throws {HostError} When the host itself lives on router advertisements that the kernel would no
 * longer accept: with `accept_ra` 1 it stops as soon as it forwards (Linux, ip-sysctl; FreeBSD,
 * inet6(4)).
 */
export function forwardingSteps(
  policies: readonly Policy[],
  facts: HostFacts,
): readonly Step[] {
  const missing = missingForwarding(policies, facts);
  if (missing.length === 0) return [];
  if (missing.includes("ipv6")) refuseLostAdvertisements(facts);
  const { platform } = facts;
  const settings = missing.map((family) => `${forwardingKey(platform, family)}=1`);
  return [{
    purpose: `switch on forwarding (${settings.join(", ")})`,
    // FreeBSD's sysctl sets without being told to.
    command: {
      program: "sysctl",
      args: platform === "freebsd" ? settings : ["-q", "-w", ...settings],
    },
  }];
}

function refuseLostAdvertisements({ advertised, platform }: HostFacts): void {
  const lost = advertised.find(({ acceptRa }) => acceptRa === 1);
  if (lost === undefined) return;
  const freebsd = platform === "freebsd";
  const key = freebsd ? "net.inet6.ip6.rfc6204w3" : `net/ipv6/conf/${lost.device}/accept_ra`;
  throw new HostError(
    `Cannot switch on IPv6 forwarding: the host has its own IPv6 routes on ` +
      `${quoted(lost.device)} from router advertisements, and with ` +
      `${freebsd ? "rfc6204w3 0" : "accept_ra 1"} the kernel ignores them once it forwards`,
    `Run \`sysctl ${freebsd ? `${key}=1` : `-w ${key}=2`}\` first, or use \`--no-sysctl\` ` +
      "to leave forwarding as it is",
  );
}

/** The firewall of a host as text, to compare byte for byte. */
import type { BackendUnderTest } from "./backends.ts";
import { comparableListing, comparableSaved } from "./firewalld_rules.ts";
import { makeBuiltInTables, variantProgram } from "./iptables_variant.ts";
import { mustRun } from "./run_program.ts";

/** The firewall of a host by the program that tells of it. */
export interface FirewallParts {
  /** All tables of nftables: ours, those of iptables' nft variant, and those of others. */
  readonly nft: string;
  /** Both families of iptables' legacy variant. */
  readonly legacy: string;
  /** Both families as iptables' nft variant shows them. */
  readonly iptablesNft: string;
  /** Queueing disciplines and filters of all interfaces. */
  readonly tc: string;
}

/**
 * All programs in one process of the namespace, since tests look often. A hook without a queueing discipline
 * has no filters, which tc reports as an error; a variant of iptables may not be installed.
 */
const LOOK = `nft -s list ruleset || exit 1
echo "$1"
iptables-legacy-save; ip6tables-legacy-save
echo "$1"
iptables-nft-save; ip6tables-nft-save
echo "$1"
for device in $(ls /sys/class/net); do
  for hook in root ingress egress; do echo "filter show dev $device $hook"; done
done | { echo "qdisc show"; cat; } | tc -force -batch -
exit 0
`;

/** A line that no program prints. */
const BETWEEN = "==== the next part ====";

/** Everything that a firewall program could leave behind in the namespace. */
export async function firewallParts(namespace: string): Promise<FirewallParts> {
  const seen = await mustRun(["sh", "-c", LOOK, "sh", BETWEEN], { namespace });
  const [nft = "", legacy = "", iptablesNft = "", tc = ""] = seen.split(`${BETWEEN}\n`);
  return {
    nft: comparableListing(nft),
    legacy: withoutCounters(legacy),
    iptablesNft: comparableSaved(withoutCounters(iptablesNft)),
    tc,
  };
}

/** The parts as one text, to compare byte for byte. */
export async function firewallState(namespace: string): Promise<string> {
  return Object.values(await firewallParts(namespace)).join("\n");
}

/** Feeds rules of somebody else to nft. */
export async function loadRules(namespace: string, rules: string): Promise<void> {
  await mustRun(["nft", "-f", "-"], { namespace, stdin: rules });
}

/**
 * Rules as a host with Docker has them, in the variant of iptables that the backend uses, and a table
 * that an administrator wrote by hand.
 */
export async function loadForeignRules(
  namespace: string,
  backend: BackendUnderTest,
): Promise<void> {
  await loadDockerRules(namespace, backend);
  await loadHandWrittenRules(namespace);
}

/** Only the table that an administrator wrote by hand. */
export async function loadHandWrittenRules(namespace: string): Promise<void> {
  await loadRules(namespace, HAND_WRITTEN);
}

/** Only those of Docker. */
export async function loadDockerRules(
  namespace: string,
  backend: BackendUnderTest,
): Promise<void> {
  const restore = variantProgram("iptables", backend.variant ?? "nft", "restore");
  // Tables that are replaced lose the rules that firewalld may have there.
  const flags = backend.firewalld === undefined ? [] : ["--noflush"];
  await mustRun([restore, "--wait=60", ...flags], { namespace, stdin: DOCKER_LIKE });
  // Tables that were replaced have only the chains that they were given.
  await makeBuiltInTables(namespace, backend);
}

const DOCKER_LIKE = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
`;

const HAND_WRITTEN = `table inet site {
  set trusted { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 } }
  chain input {
    type filter hook input priority filter; policy accept;
    ip saddr @trusted counter accept comment "the office"
  }
}
table ip shaping {
  chain tagging { type filter hook postrouting priority mangle; oifname "wlan0" meta mark set 7; }
}
`;

/** What iptables-save or a sibling prints, without the time it ran and the counters. */
function withoutCounters(saved: string): string {
  return saved.replaceAll(/^# (Generated|Completed).*$/gm, "").replaceAll(/\[\d+:\d+\]/g, "");
}

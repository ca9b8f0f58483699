/** The firewall of a host as text, to compare byte for byte. */
import { mustRun, run } from "./run_program.ts";

/** Everything that a firewall program could leave behind in the namespace. */
export async function firewallState(namespace: string): Promise<string> {
  const devices = JSON.parse(await mustRun(["ip", "-j", "link"], { namespace })) as Device[];
  const filters = devices.flatMap(({ ifname }) =>
    ["root", "ingress", "egress"].map((hook) => `filter show dev ${ifname} ${hook}`)
  );
  const parts = await Promise.all([
    nftRuleset(namespace),
    savedRules("iptables-save", namespace),
    savedRules("ip6tables-save", namespace),
    // A hook without a queueing discipline has no filters, which tc reports as an error.
    run(["tc", "-force", "-batch", "-"], {
      namespace,
      stdin: ["qdisc show", ...filters, ""].join("\n"),
    }).then(({ stdout }) => stdout),
  ]);
  return parts.join("\n");
}

/** `nft list ruleset` without the counters' values. */
export function nftRuleset(namespace: string): Promise<string> {
  return mustRun(["nft", "-s", "list", "ruleset"], { namespace });
}

/** Feeds rules of somebody else to nft. */
export async function loadRules(namespace: string, rules: string): Promise<void> {
  await mustRun(["nft", "-f", "-"], { namespace, stdin: rules });
}

/** Rules as a host with Docker has them, and a table that an administrator wrote by hand. */
export async function loadForeignRules(namespace: string): Promise<void> {
  await mustRun(["iptables-nft-restore"], { namespace, stdin: DOCKER_LIKE });
  await loadRules(namespace, HAND_WRITTEN);
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

interface Device {
  readonly ifname: string;
}

/** `iptables-save` or its sibling, without the time it ran and the counters. */
async function savedRules(program: string, namespace: string): Promise<string> {
  const { stdout } = await run([program], { namespace });
  return stdout.replaceAll(/^# (Generated|Completed).*$/gm, "").replaceAll(/\[\d+:\d+\]/g, "");
}

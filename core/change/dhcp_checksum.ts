/**
 * The repair of DHCP replies whose UDP checksum was left to hardware that a guest does not have.
 *
 * The host answers DHCP with a checksum to be filled in by the network card; a packet that goes to
 * a guest meets no card, and some clients drop it. iptables has the target CHECKSUM for that,
 * nftables and firewalld have nothing, so the packet scheduler does it: tc-csum(8) on the way out of
 * the bridge. It sits in `clsact`, which leaves the bridge's root queue to others (libvirt's bandwidth
 * limits).
 */
import { commandsOf, type NetworkChange, type Step } from "./change.ts";
import type { Command } from "../command.ts";
import type { Drift, Facts } from "../firewall_backend.ts";
import type { HostFacts } from "../host.ts";
import type { FilteredPolicy } from "../policy/policy.ts";
import { quoted } from "../quoted.ts";

/** A preference of our own, so that nobody else's filter is replaced or removed. */
const PREFERENCE = 49152;

const LOSS = "DHCP replies may reach guests with a bad UDP checksum, which some clients drop";

/** Names that a batch line of tc takes as one word: `#` and quotes mean something to it. */
const BATCH_WORD = /^[A-Za-z0-9_.@+\-=,~^]+$/;

/** The repair, the way back, and why there is none where `steps` is empty. */
export type Repair = Pick<NetworkChange, "removal" | "warnings"> & {
  readonly steps: readonly Step[];
};

/** Nothing for a network without DHCP over IPv4; a warning where the repair cannot be put in place. */
export function checksumRepair(policy: FilteredPolicy, facts: Facts): Repair {
  const { bridge, network } = policy;
  if (!policy.services.dhcp) return { steps: [], removal: [], warnings: [] };
  if (!facts.host.interfaces.includes(bridge)) {
    return without(
      `Bridge ${quoted(bridge)} of network ${quoted(network)} does not exist yet, so the ` +
        `repair of DHCP checksums waits for the next "up" or "reload"`,
    );
  }
  if (!BATCH_WORD.test(bridge)) {
    return without(
      `tc cannot be given the interface name ${quoted(bridge)}: ${LOSS}`,
    );
  }
  const device = `dev ${bridge}`;
  const filter = `${device} egress protocol ip pref ${PREFERENCE}`;
  const removeFilter = `filter del ${filter}`;
  const removeQueue = `qdisc del ${device} clsact`;
  const remove = batch([
    removeFilter,
    ...(isOurs(bridge, facts, removeQueue) ? [removeQueue] : []),
  ]);
  return {
    steps: [{
      purpose: `repair DHCP checksums on ${quoted(bridge)}`,
      command: batch([
        `qdisc replace ${device} clsact`,
        `filter replace ${filter} handle 1 flower ip_proto udp dst_port 68 action csum ip and udp`,
      ]),
      optional: { loss: LOSS, undo: remove },
    }],
    removal: [{ commands: [remove], ignoreErrors: true }],
    warnings: [],
  };
}

/** Bridges on which replies are not repaired, and could be. */
export interface Unrepaired {
  /** The repair was there: a bridge that is made again has lost its queue. */
  readonly lost: readonly Drift[];
  /** There was none, since there was no bridge, or since the kernel cannot do it. */
  readonly untried: readonly Drift[];
}

/**
 * What of the repair is missing for a network.
 *
 * @param removal The way back of the network, which tells whether there was a repair.
 */
export function missingRepair(
  { bridge, network, services }: FilteredPolicy,
  removal: NetworkChange["removal"],
  { interfaces, clsact }: Pick<HostFacts, "interfaces" | "clsact">,
): Unrepaired {
  const isThere = !services.dhcp || !interfaces.includes(bridge) || clsact.includes(bridge);
  if (isThere) return { lost: [], untried: [] };
  const say = (what: string): readonly Drift[] => [
    { network, difference: `DHCP checksums ${what} on bridge ${quoted(bridge)}` },
  ];
  const wasThere = commandsOf([{ removal }]).some(({ program }) => program === "tc");
  return wasThere
    ? { lost: say("are not repaired"), untried: [] }
    : { lost: [], untried: say("may be repaired") };
}

/** Whether the queue is ours to remove: nobody had one there, or we remember having made it. */
function isOurs(bridge: string, facts: Facts, removeQueue: string): boolean {
  if (!facts.host.clsact.includes(bridge)) return true;
  return commandsOf(facts.records).some(({ program, stdin }) =>
    program === "tc" && stdin?.split("\n").includes(removeQueue)
  );
}

function without(warning: string): Repair {
  return { steps: [], removal: [], warnings: [warning] };
}

function batch(lines: readonly string[]): Command {
  return {
    program: "tc",
    // -force: go on after a line that fails, as a removal must.
    args: ["-force", "-batch", "-"],
    stdin: lines.map((line) => `${line}\n`).join(""),
  };
}

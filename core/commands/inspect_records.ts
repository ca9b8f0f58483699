/** What is live for the networks on record: for `status` and `check`. */
import { missingRepair } from "../change/dhcp_checksum.ts";
import { localRoutingDrift } from "../change/local_routing.ts";
import { forwardingKey, missingForwarding } from "../change/forwarding.ts";
import type { Subnet } from "../address.ts";
import type { Drift, NetworkInspection, Traffic } from "../firewall_backend.ts";
import type { Network } from "../network/network.ts";
import { HostError, type Platform } from "../host.ts";
import { derivePolicy } from "../policy/derive_policy.ts";
import { isMasquerade, masqueradePolicy, recordedPrefixes } from "../policy/masquerade.ts";
import {
  forwardedFamilies,
  isFiltered,
  MASQUERADE,
  type MasqueradePolicy,
  type NetworkPolicy,
} from "../policy/policy.ts";
import type { Record } from "../record/record.ts";
import { quoted } from "../quoted.ts";
import type { Context } from "./context.ts";
import { WAITING } from "./locked.ts";
import { isCompiled, NO_FACTS } from "./prepare.ts";
import { recordedNetwork } from "./recorded_networks.ts";

/** What is on record, and what became of it. */
export interface Inspected {
  /** As it was found, an interrupted change included. */
  readonly record: Record;
  /** What each published port or prefix has carried, as in {@linkcode NetworkInspection}. */
  readonly counted: ReadonlyMap<string, Traffic>;
}

/** One network on record and what became of it. */
export interface InspectedNetwork extends Inspected {
  /** What the record holds, whatever the definition's file says by now. */
  readonly network: Network;
  /** Derived from `network`: what the live rules are compared with. */
  readonly policy: NetworkPolicy;
  /** Undefined when nothing counts: no rules (mode `open`), or none that still stand. */
  readonly traffic: NetworkInspection["traffic"];
}

/** The prefixes of no network, and what became of them. */
export interface InspectedPrefixes extends Inspected {
  /** As they were wanted, sorted. */
  readonly prefixes: readonly Subnet[];
  /** Derived from `prefixes`. */
  readonly policy: MasqueradePolicy;
}

/** All that is on record, and what differs from what it promises. */
export interface InspectedRecords {
  /** Sorted by name. */
  readonly networks: readonly InspectedNetwork[];
  /** Absent when no prefix is masqueraded. */
  readonly masquerade?: InspectedPrefixes;
  /** Interrupted changes, then rules, then forwarding that is off. Empty: all is well. */
  readonly drift: readonly Drift[];
  /** What could not be done when a network came up, and may be possible now. */
  readonly untried: readonly Drift[];
}

/**
 * Changes nothing. One question to each backend, however many networks there are; asked while no other
 * command is halfway through a change. Without any record there may be no place for a lock, and none is
 * made: then it is asked without, and once more with it when the first network came up meanwhile.
 *
 * @throws {HostError} When the user may not look, or the host does not answer.
 */
export async function inspectRecords(context: Context): Promise<InspectedRecords> {
  const { host, options, messages } = context;
  if (!host.privileged) {
    throw new HostError("Cannot look at the firewall: only root may", "Run it again as root");
  }
  if (await hasNoRecords(context)) {
    const inspected = await inspectUnderLock(context);
    if (await hasNoRecords(context)) return inspected;
  }
  using _lock = await host.records.lock(
    options.wait,
    () => messages.note(WAITING),
  );
  return await inspectUnderLock(context);
}

async function hasNoRecords({ host }: Context): Promise<boolean> {
  return (await host.records.readAll()).length === 0;
}

/** Like {@linkcode inspectRecords}, for who has the lock already. */
export async function inspectUnderLock(
  { host, backends, options }: Context,
): Promise<InspectedRecords> {
  const records = await host.records.readAll();
  const mayRepair = records.some((record) => hasRepair(record, host.platform));
  const facts = await host.facts({
    ...NO_FACTS,
    forwarding: true,
    interfaces: mayRepair,
    clsact: mayRepair,
  });
  const networks = records.filter((record) => !isMasquerade(record)).map((record) => {
    const placed = recordedNetwork(record);
    return { record, network: placed.network, policy: derivePolicy(placed) };
  });
  const masquerade = records.filter(isMasquerade).map((record) => {
    const prefixes = recordedPrefixes(record);
    return { record, prefixes, policy: masqueradePolicy(prefixes) };
  })[0];
  const all = [...networks, ...(masquerade === undefined ? [] : [masquerade])];
  const inspections = await Promise.all(
    backends.filter(({ platform }) => platform === host.platform).map((backend) =>
      backend.inspect(
        host,
        all.filter(({ record }) => record.backend === backend.name).flatMap(({ policy, record }) =>
          isCompiled(policy) ? [{ policy, removal: record.removal }] : []
        ),
      )
    ),
  );
  const local = host.platform === "linux"
    ? await localRoutingDrift(host, networks.map(({ policy }) => policy).filter(isFiltered))
    : [];
  const repairs = networks.flatMap(({ record, policy }) =>
    isFiltered(policy) && hasRepair(record, host.platform)
      ? [missingRepair(policy, record.removal, facts)]
      : []
  );
  const live = new Map(inspections.flatMap((one) => one.networks).map((one) => [one.network, one]));
  const countedOf = ({ name }: Record): ReadonlyMap<string, Traffic> =>
    live.get(name)?.counted ?? new Map();
  const missing = options.sysctl ? missingForwarding(all.map((one) => one.policy), facts) : [];
  return {
    networks: networks.map((one) => ({
      ...one,
      traffic: live.get(one.record.name)?.traffic,
      counted: countedOf(one.record),
    })),
    ...(masquerade === undefined
      ? {}
      : { masquerade: { ...masquerade, counted: countedOf(masquerade.record) } }),
    untried: repairs.flatMap(({ untried }) => untried),
    drift: [
      ...records.flatMap(interruption),
      ...records.flatMap(leftBehind),
      ...inspections.flatMap(({ drift }) => drift),
      ...local,
      ...repairs.flatMap(({ lost }) => lost),
      ...missing.flatMap((family) =>
        all.filter(({ policy }) => forwardedFamilies(policy).includes(family))
          .map(({ record }) => ({
            network: record.name,
            difference: `${forwardingKey(host.platform, family)} is 0 instead of 1`,
          }))
      ),
    ],
  };
}

/** Whether its backend has DHCP checksums repaired beside its rules; iptables has a rule for it. */
function hasRepair({ backend }: Record, platform: Platform): boolean {
  return platform === "linux" && (backend === "nftables" || backend === "firewalld");
}

function interruption({ name, state }: Record): readonly Drift[] {
  if (state === "active") return [];
  const what = state === "removing" ? "Taking it down" : "Bringing it up";
  return [{ network: name, difference: `${what} was interrupted` }];
}

function leftBehind({ name, left = [] }: Record): readonly Drift[] {
  return left.map(({ backend }) => ({
    network: name,
    difference: `Rules of the backend "${backend}" were left behind, because its program was gone`,
  }));
}

/** One line for people. */
export function driftSentence({ network, difference }: Drift): string {
  if (network === MASQUERADE) return `Masqueraded prefixes: ${difference}`;
  return network === undefined ? difference : `Network ${quoted(network)}: ${difference}`;
}

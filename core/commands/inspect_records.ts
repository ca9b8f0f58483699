/** What is live for the networks on record: for `status` and `check`. */
import { forwardingKey, missingForwarding } from "../change/forwarding.ts";
import type { Drift, NetworkInspection } from "../firewall_backend.ts";
import type { Network } from "../network/network.ts";
import { HostError } from "../host.ts";
import { derivePolicy } from "../policy/derive_policy.ts";
import { forwardedFamilies, type Policy } from "../policy/policy.ts";
import type { Record } from "../record/record.ts";
import { quoted } from "../quoted.ts";
import type { Context } from "./context.ts";
import { WAITING } from "./locked.ts";
import { NO_FACTS, recordedNetwork } from "./prepare.ts";

/** One network on record and what became of it. */
export interface InspectedRecord {
  /** As it was found, an interrupted change included. */
  readonly record: Record;
  /** What the record holds, whatever the definition's file says by now. */
  readonly network: Network;
  /** Derived from `network`: what the live rules are compared with. */
  readonly policy: Policy;
  /** Undefined when nothing counts: no rules (mode `open`), or none that still stand. */
  readonly traffic: NetworkInspection["traffic"];
}

/** All networks on record, and what differs from what they promise. */
export interface InspectedRecords {
  /** Sorted by name. */
  readonly networks: readonly InspectedRecord[];
  /** Interrupted changes, then rules, then forwarding that is off. Empty: all is well. */
  readonly drift: readonly Drift[];
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
    const inspected = await inspectNow(context);
    if (await hasNoRecords(context)) return inspected;
  }
  using _lock = await host.records.lock(
    options.wait,
    () => messages.note(WAITING),
  );
  return await inspectNow(context);
}

async function hasNoRecords({ host }: Context): Promise<boolean> {
  return (await host.records.readAll()).length === 0;
}

async function inspectNow({ host, backends, options }: Context): Promise<InspectedRecords> {
  const [records, facts] = await Promise.all([
    host.records.readAll(),
    host.facts({ ...NO_FACTS, forwarding: true }),
  ]);
  const networks = records.map((record) => {
    const placed = recordedNetwork(record);
    return { record, network: placed.network, policy: derivePolicy(placed) };
  });
  const inspections = await Promise.all(
    backends.filter(({ platform }) => platform === host.platform).map((backend) =>
      backend.inspect(
        host,
        networks.filter(({ record }) => record.backend === backend.name).flatMap((one) =>
          one.policy.kind === "filtered"
            ? [{ policy: one.policy, removal: one.record.removal }]
            : []
        ),
      )
    ),
  );
  const live = new Map(inspections.flatMap((one) => one.networks).map((one) => [one.network, one]));
  const missing = options.sysctl ? missingForwarding(networks.map((one) => one.policy), facts) : [];
  return {
    networks: networks.map((one) => ({ ...one, traffic: live.get(one.record.name)?.traffic })),
    drift: [
      ...records.flatMap(interruption),
      ...records.flatMap(leftBehind),
      ...inspections.flatMap(({ drift }) => drift),
      ...missing.flatMap((family) =>
        networks.filter(({ policy }) => forwardedFamilies(policy).includes(family))
          .map(({ record }) => ({
            network: record.name,
            difference: `${forwardingKey(host.platform, family)} is 0 instead of 1`,
          }))
      ),
    ],
  };
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
  return network === undefined ? difference : `Network ${quoted(network)}: ${difference}`;
}

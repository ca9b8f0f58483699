/** An active network → the same with other published ports, in one step. */
import type { Family } from "../address.ts";
import { forwardingSteps } from "../change/forwarding.ts";
import { portsBeyond } from "../network/compare_ports.ts";
import type { Network } from "../network/network.ts";
import type { PublishedPort } from "../network/published_port.ts";
import { checkPublishedCollisions } from "../policy/check_published.ts";
import { derivePolicy, type PlacedNetwork } from "../policy/derive_policy.ts";
import { ownPortWarnings } from "../policy/own_ports.ts";
import { isFiltered } from "../policy/policy.ts";
import type { Record } from "../record/record.ts";
import type { Context } from "./context.ts";
import { lockedFor } from "./locked.ts";
import { compilePolicies, factsFor, forwardingWarnings, wantedNetwork } from "./prepare.ts";
import { publishing, recordedNetworks } from "./recorded_networks.ts";
import { refuseInactive } from "./read_definitions.ts";
import { runTransition } from "./transition.ts";

/** How published ports have changed. */
export interface ChangedPorts {
  /** Published before, and now not, or not in the same way. */
  readonly gone: readonly PublishedPort[];
}

/**
 * Changes what an active network publishes. Where nothing differs its rules are made anew, as `up` does it.
 *
 * @param families Those of the ports that it shall publish and may not have published before.
 * @param choose What it shall publish, told from what it is.
 * @throws {HostError} When it is not active, or another network publishes one of the ports.
 */
export async function changePorts(
  context: Context,
  name: string,
  families: readonly Family[],
  choose: (network: Network) => readonly PublishedPort[],
): Promise<ChangedPorts> {
  const networkOf = (records: readonly Record[]): PlacedNetwork => {
    const placed = recordedNetworks(records.filter((record) => record.name === name)).get(name);
    return placed ?? refuseInactive(name);
  };
  return await lockedFor(
    context,
    name,
    (records) => {
      const { network } = networkOf(records);
      const wanted = { ...wantedNetwork(network), publishes: families };
      return { facts: factsFor([network]), networks: [wanted] };
    },
    async (snapshot, backend) => {
      const before = networkOf(snapshot.records);
      const published = choose(before.network);
      const gone = portsBeyond(before.network.published, published);
      const isSame = gone.length === 0 && published.length === before.network.published.length;
      const after = publishing(before, published);
      const others = recordedNetworks(snapshot.records.filter((record) => record.name !== name));
      checkPublishedCollisions([after], [...others.values()]);
      const [policy, standing] = [derivePolicy(after), derivePolicy(before)];
      const { entering, warnings, drifted } = compilePolicies([after.network.source], [policy], {
        ...snapshot,
        backend,
        ...(isFiltered(standing) && !isSame ? { before: new Map([[name, standing]]) } : {}),
      });
      const { sysctl } = context.options;
      await runTransition(context, snapshot, {
        leaving: [],
        entering,
        settings: sysctl ? forwardingSteps([policy], snapshot.facts) : [],
        drifted,
      });
      const missing = sysctl ? [] : forwardingWarnings([policy], snapshot.facts);
      const own = ownPortWarnings(name, portsBeyond(published, before.network.published));
      [...warnings, ...missing, ...own].forEach((warning) => context.messages.warn(warning));
      return { gone };
    },
  );
}

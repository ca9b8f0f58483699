/** Networks on record → their steps once more, without asking anybody again. */
import type { Entering, Rebuild } from "../change/operation.ts";
import { type Installation, installationsOf, type Record } from "../record/record.ts";
import { compilePolicies } from "./prepare.ts";
import { recordedPolicy } from "./recorded_networks.ts";
import { involvedBackends, type Snapshot } from "./snapshot.ts";

/** An installation and whose it is. */
export type NamedInstallation = Installation & Pick<Record, "name">;

/**
 * All rules of all backends that have any, for a host on which what stands is unknown.
 *
 * @param standing What shall stand afterwards.
 * @param tried What has been tried beside what is on record, and may stand in part.
 */
export function rebuildOf(
  snapshot: Snapshot,
  standing: readonly NamedInstallation[],
  tried: readonly Installation[] = [],
): Rebuild {
  const { backends, facts: host, answers, records } = snapshot;
  const anything = [...records.flatMap(installationsOf), ...tried, ...standing];
  const known = { host, answers, records: anything, standing: [] };
  const changes = involvedBackends(backends, records, [...standing, ...tried])
    .map((backend) => backend.compile([], known));
  return {
    reset: changes.flatMap(({ reset }) => reset),
    unseen: changes.flatMap(({ unseen }) => unseen),
    entering: recompile(snapshot, standing, []),
  };
}

/**
 * Installations once more, each in its own backend.
 *
 * @param standing What the rules that stand when the commands run are.
 */
export function recompile(
  { backends, facts, answers, records }: Snapshot,
  installations: readonly NamedInstallation[],
  standing: readonly Installation[],
): readonly Entering[] {
  const again = new Map(installations.map((one) => [one.name, one]));
  const withoutRules = installations.filter(({ backend }) => backend === undefined);
  return [
    ...backends.flatMap((backend) => {
      const own = installations.filter((one) => one.backend === backend.name);
      const situation = { backend, facts, answers, records, standing, again };
      return own.length === 0
        ? []
        : compilePolicies(own.map(({ network }) => network), own.map(recordedPolicy), situation)
          .entering;
    }),
    ...withoutRules.map(({ name, network }): Entering => ({
      name,
      installation: { network, removal: [] },
      steps: [],
    })),
  ];
}

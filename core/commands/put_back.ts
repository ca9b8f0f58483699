/** What stands → what the records say, where the two differ. */
import type { Drift } from "../firewall_backend.ts";
import type { Installation, Record } from "../record/record.ts";
import { groupKey } from "../change/change.ts";
import type { Entering } from "../change/operation.ts";
import { runOperation } from "../change/run_operation.ts";
import { activeRecord } from "./active_record.ts";
import { endConnectionsOf } from "./end_connections.ts";
import type { Context } from "./context.ts";
import { settingsFor } from "./forwarding_settings.ts";
import { inspectUnderLock } from "./inspect_records.ts";
import { lockedOnRecord } from "./locked.ts";
import { recordedPolicy } from "./recorded_networks.ts";
import { rebuildOf, recompile } from "./recompile.ts";
import { lookAtAll, type Snapshot } from "./snapshot.ts";
import { runTransition } from "./transition.ts";

/** What was found, and what became of it. */
export interface PutBack {
  /** What is on record afterwards, sorted by name. */
  readonly records: readonly Record[];
  /** What differed from the records; empty: nothing, and nothing was done. */
  readonly found: readonly Drift[];
  /** What could not be done when a network came up. */
  readonly untried: readonly Drift[];
  /** Whether all was made anew. */
  readonly isTried: boolean;
  /** What differs still after that. */
  readonly left: readonly Drift[];
}

/**
 * Makes all rules anew in one step where they are not what the records say, in the backends that hold
 * them. Changes that were interrupted are put right first.
 *
 * @param isKnown Whether nothing can be done about it for now: then nothing is tried.
 * @throws {StepFailedError} When the host refuses.
 * @throws {LockError} When another command does not finish in time.
 */
export async function putBack(
  context: Context,
  isKnown: (seen: Pick<PutBack, "found" | "untried">) => boolean,
): Promise<PutBack> {
  return await lockedOnRecord(context, async ({ records }) => {
    if (records.length === 0) {
      return { records, found: [], untried: [], isTried: false, left: [] };
    }
    const { drift: found, untried } = await inspectUnderLock(context);
    if (found.length + untried.length === 0 || isKnown({ found, untried })) {
      return { records, found, untried, isTried: false, left: found };
    }
    await makeAnew(context, await lookAtAll(context.host, context.backends, records));
    const { drift: left } = await inspectUnderLock(context);
    return { records, found, untried, isTried: true, left };
  });
}

/**
 * Rules first: nothing is filtered until they stand. Records that stay as they are need not say that
 * something is being changed, since a check finds what is missing as well.
 */
async function makeAnew(context: Context, snapshot: Snapshot): Promise<void> {
  const { host, messages } = context;
  const { records } = snapshot;
  const entering = recompile(snapshot, records, []);
  const settings = settingsFor(context, records.map(recordedPolicy), snapshot);
  if (entering.some((one) => isChanged(one, records))) {
    return await runTransition(context, snapshot, {
      leaving: [],
      entering,
      settings,
      drifted: true,
    });
  }
  const outcome = await runOperation(host, {
    leaving: [],
    staying: records,
    entering: [],
    settings,
    drifted: true,
    rebuild: () => Promise.resolve(rebuildOf(snapshot, records)),
  });
  const stale = await endConnectionsOf(host, [], records, true);
  for (const one of outcome.rebuilt ?? []) {
    const now = activeRecord(one, outcome, records.filter(({ name }) => name === one.name));
    if (isChanged({ name: now.name, installation: now }, records)) await host.records.write(now);
  }
  [...outcome.warnings, ...stale].forEach((warning) => messages.warn(warning));
}

/** Whether it is removed otherwise than the record says. */
function isChanged(
  { name, installation }: Pick<Entering, "name" | "installation">,
  records: readonly Record[],
): boolean {
  const record = records.find((one) => one.name === name);
  const keys = ({ removal, left = [] }: Installation): string =>
    JSON.stringify([removal.map(groupKey), left]);
  return record === undefined || keys(record) !== keys(installation);
}

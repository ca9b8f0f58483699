/** Moves the host from one set of active networks to another, and keeps the records true. */
import type { Step } from "../change/change.ts";
import type { Entering, Operation } from "../change/operation.ts";
import { NotRestoredError, type Outcome, runOperation, takeBack } from "../change/run_operation.ts";
import type { CommandRunner } from "../command.ts";
import type { RecordStore } from "../host.ts";
import { type Installation, type Record, RecordError } from "../record/record.ts";
import type { Context } from "./context.ts";
import { activeRecord } from "./active_record.ts";
import { adjusted, isAdjustment } from "./adjusted.ts";
import { endConnectionsOf } from "./end_connections.ts";
import type { Prepared } from "./prepare.ts";
import { type NamedInstallation, rebuildOf, recompile } from "./recompile.ts";
import { lookAtAll, type Snapshot } from "./snapshot.ts";

/** What is to change. */
export interface Transition {
  /** Names of networks that go for good. */
  readonly leaving: readonly string[];
  /** Networks to install; one that has a record is refreshed. */
  readonly entering: readonly Entering[];
  /** Made once the rules stand, and not taken back with them. */
  readonly settings: Prepared["settings"];
  /** True when what stands is seen not to be what was recorded: then all is made anew. */
  readonly drifted?: boolean;
}

/**
 * The operation behind a transition: what `plan` shows and {@linkcode runTransition} runs.
 *
 * @param whole Gives the snapshot with all facts, for the case that more than was planned is needed.
 */
export function operationOf(
  snapshot: Snapshot,
  transition: Transition,
  whole: () => Promise<Snapshot> = () => Promise.resolve(snapshot),
): Operation {
  const { moving, staying } = splitRecords(snapshot, transition);
  const { settings, entering, drifted = false } = adjusted(snapshot, transition);
  const isAdjusted = isAdjustment(transition);
  const standing = [
    ...staying,
    ...entering.map(({ name, installation }) => ({ name, ...installation })),
  ];
  return {
    // What is adjusted stands, and what differs is in the steps.
    leaving: isAdjusted ? moving.filter(({ name }) => transition.leaving.includes(name)) : moving,
    staying,
    entering,
    settings,
    drifted,
    rebuild: async () => rebuildOf(await whole(), standing),
  };
}

/** The records that a transition touches, and the others. */
function splitRecords(
  { records }: Snapshot,
  { leaving, entering }: Transition,
): Readonly<globalThis.Record<"moving" | "staying", readonly Record[]>> {
  const names = new Set([...leaving, ...entering.map(({ name }) => name)]);
  return {
    moving: records.filter(({ name }) => names.has(name)),
    staying: records.filter(({ name }) => !names.has(name)),
  };
}

/**
 * Writes the records as being changed, runs the operation, and writes them as they then are. Killed
 * anywhere, the records tell the next command what to put right; failed, host and records are as before.
 *
 * @throws {StepFailedError} When the host refused.
 * @throws {NotRestoredError} When it could not be made as before: the records then still tell so.
 * @throws {RecordError} When a record could not be written.
 */
export async function runTransition(
  context: Context,
  snapshot: Snapshot,
  transition: Transition,
): Promise<void> {
  const { host, backends, messages } = context;
  const entering = transition.entering.map(({ installation }) => installation);
  const whole = (): Promise<Snapshot> => lookAtAll(host, backends, snapshot.records, entering);
  const operation = operationOf(snapshot, transition, whole);
  const announced = adjusted(snapshot, transition);
  const progress = { touched: false, installed: false };
  try {
    await announce(host.records, snapshot, announced);
    const first = await runOperation(host, withSteps(operation, false), progress);
    progress.installed = true;
    const stale = await endStale(context, snapshot, transition, first);
    const outcome = await close(host, operation, first);
    await confirm(host.records, snapshot, announced, outcome);
    if (operation.drifted === true) {
      messages.note("All rules were made anew: somebody had changed what stood");
    }
    [...outcome.warnings, ...stale].forEach((warning) => messages.warn(warning));
  } catch (error) {
    if (error instanceof NotRestoredError || !(error instanceof Error)) throw error;
    if (progress.installed) await announceAgain(host.records, snapshot, transition, error);
    const restored = progress.touched ? await bringBack(context, whole, transition, error) : [];
    await restoreRecords(host.records, snapshot, transition, restored);
    throw error;
  }
}

/** The operation with the steps that are late alone, or without them. */
function withSteps(operation: Operation, areLate: boolean): Operation {
  const isWanted = ({ isLate = false }: Step): boolean => isLate === areLate;
  const settings = operation.settings.filter(isWanted);
  const entering = operation.entering.map(({ name, installation, steps }) => ({
    name,
    installation,
    steps: steps.filter(isWanted),
  }));
  return { ...operation, entering, settings, ...(areLate ? { leaving: [], drifted: false } : {}) };
}

/** Takes away what let connections through that have ended, where it was not made anew with all. */
async function close(
  runner: CommandRunner,
  operation: Operation,
  first: Outcome,
): Promise<Outcome> {
  const late = withSteps(operation, true);
  if (first.rebuilt !== undefined || late.entering.every(({ steps }) => steps.length === 0)) {
    return first;
  }
  const second = await runOperation(runner, late);
  return {
    warnings: [...first.warnings, ...second.warnings],
    undone: [...first.undone, ...second.undone],
    gone: [...new Set([...first.gone, ...second.gone])],
    ...(second.rebuilt === undefined ? {} : { rebuilt: second.rebuilt }),
  };
}

/** Where all was made anew, what stood may not have led where it should. */
async function endStale(
  { host }: Context,
  snapshot: Snapshot,
  transition: Transition,
  { rebuilt }: Outcome,
): Promise<readonly string[]> {
  return await endConnectionsOf(
    host,
    splitRecords(snapshot, transition).moving,
    (rebuilt ?? transition.entering).map(named),
    rebuilt !== undefined,
  );
}

function named({ name, installation }: Entering): NamedInstallation {
  return { name, ...installation };
}

/** Before anything runs: what stands, what will stand, and how to take either back. */
async function announce(
  store: RecordStore,
  { records }: Snapshot,
  { leaving, entering }: Transition,
): Promise<void> {
  for (const record of records.filter(({ name }) => leaving.includes(name))) {
    await store.write({ ...record, state: "removing" });
  }
  for (const { name, installation } of entering) {
    const previous = records.find((record) => record.name === name);
    await store.write({
      name,
      state: "applying",
      ...installation,
      ...(previous === undefined ? {} : { previous: installationOf(previous) }),
    });
  }
}

/** A part of the records may say already that all is done: killed on the way back, they must not. */
async function announceAgain(
  store: RecordStore,
  snapshot: Snapshot,
  transition: Transition,
  cause: Error,
): Promise<void> {
  try {
    await announce(store, snapshot, transition);
  } catch (second) {
    throw second instanceof RecordError ? new NotRestoredError(cause, second) : second;
  }
}

async function confirm(
  store: RecordStore,
  { records }: Snapshot,
  { leaving, entering }: Transition,
  outcome: Outcome,
): Promise<void> {
  for (const one of outcome.rebuilt ?? entering) {
    await store.write(activeRecord(one, outcome, records.filter(({ name }) => name === one.name)));
  }
  for (const name of leaving) await store.remove(name);
}

/** Installs what stood before an operation that failed halfway. */
async function bringBack(
  { host, messages }: Context,
  whole: () => Promise<Snapshot>,
  failed: Transition,
  error: Error,
): Promise<readonly Record[]> {
  const snapshot = await whole();
  const { moving, staying } = splitRecords(snapshot, failed);
  const leaving = failed.entering.map(({ installation }) => installation);
  const entering = recompile(snapshot, moving, [...staying, ...leaving]);
  const outcome = await takeBack(host, {
    leaving,
    staying,
    entering,
    settings: [],
    rebuild: async () => rebuildOf(await whole(), [...staying, ...moving], leaving),
  }, error);
  const stale = await endConnectionsOf(
    host,
    failed.entering.map(named),
    (outcome.rebuilt ?? entering).map(named),
    true,
  );
  stale.forEach((warning) => messages.warn(warning));
  return (outcome.rebuilt ?? entering).map((one) => {
    const before = snapshot.records.find(({ name }) => name === one.name);
    return activeRecord(one, outcome, [], before?.left);
  });
}

async function restoreRecords(
  store: RecordStore,
  { records }: Snapshot,
  { leaving, entering }: Transition,
  restored: readonly Record[],
): Promise<void> {
  const touched = [...leaving, ...entering.map(({ name }) => name)];
  for (const name of new Set([...touched, ...restored.map((record) => record.name)])) {
    const named = (record: Record): boolean => record.name === name;
    const record = restored.find(named) ?? records.find(named);
    if (record === undefined) await store.remove(name);
    else await store.write(record);
  }
}

function installationOf({ network, backend, removal, left }: Record): Installation {
  return {
    network,
    removal,
    ...(backend === undefined ? {} : { backend }),
    ...(left === undefined ? {} : { left }),
  };
}

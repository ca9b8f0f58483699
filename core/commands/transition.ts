/** Moves the host from one set of active networks to another, and keeps the records true. */
import { commandKey, type Step } from "../change/change.ts";
import type { Command } from "../command.ts";
import type { Entering, Operation } from "../change/operation.ts";
import { NotRestoredError, runOperation, takeBack } from "../change/run_operation.ts";
import type { FirewallBackend } from "../firewall_backend.ts";
import type { HostFacts, RecordStore } from "../host.ts";
import { quoted } from "../quoted.ts";
import { derivePolicy } from "../policy/derive_policy.ts";
import type { Installation, Record } from "../record/record.ts";
import type { Context } from "./context.ts";
import { ALL_FACTS, compileNetworks, type Prepared, recordedNetwork } from "./prepare.ts";

/** The machine as it was found, under the lock. */
export interface Snapshot {
  /** The one that installs; to remove, the commands in the records are enough. */
  readonly backend: FirewallBackend;
  /** As far as the command asked for them: the rest is empty. */
  readonly facts: HostFacts;
  /** Sorted by name; {@linkcode settle} makes all of them active. */
  readonly records: readonly Record[];
}

/** What is to change. */
export interface Transition {
  /** Names of networks that go for good. */
  readonly leaving: readonly string[];
  /** Networks to install; one that has a record is refreshed. */
  readonly entering: readonly Entering[];
  /** Made once the rules stand, and not taken back with them. */
  readonly settings: Prepared["settings"];
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
  const { records } = snapshot;
  const moving = new Set([...transition.leaving, ...transition.entering.map(({ name }) => name)]);
  const staying = records.filter(({ name }) => !moving.has(name));
  return {
    leaving: records.filter(({ name }) => moving.has(name)),
    staying,
    entering: transition.entering,
    settings: transition.settings,
    rebuild: async () => rebuildSteps(await whole(), staying),
  };
}

function rebuildSteps(snapshot: Snapshot, staying: readonly Record[]): readonly Step[] {
  const { backend, facts, records } = snapshot;
  const { reset } = backend.compile([], { host: facts, records });
  return [
    ...reset.map((command) => ({ purpose: "make all rules anew", command })),
    ...recompile(snapshot, staying).flatMap(({ steps }) => steps),
  ];
}

/** The installations of records once more, with their steps. */
function recompile(
  { backend, facts, records }: Snapshot,
  installations: readonly (Installation & { readonly name: string })[],
): readonly Entering[] {
  const placed = installations.map(recordedNetwork);
  return compileNetworks(placed, placed.map(derivePolicy), { backend, facts, records }).entering;
}

/**
 * Writes the records as being changed, runs the operation, and writes them as they then are. Killed
 * anywhere, the records tell {@linkcode settle} what to do; failed, host and records are as before.
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
  const { host, messages } = context;
  const whole = async (): Promise<Snapshot> => ({
    ...snapshot,
    facts: await host.facts(ALL_FACTS),
  });
  const operation = operationOf(snapshot, transition, whole);
  const restore = async (): Promise<Operation> => restoreOperation(await whole(), operation);
  let installed = false;
  try {
    await announce(host.records, snapshot, transition);
    const { warnings, undone } = await runOperation(host, operation, restore);
    installed = true;
    await confirm(host.records, transition, undone);
    warnings.forEach((warning) => messages.warn(warning));
  } catch (error) {
    if (error instanceof NotRestoredError || !(error instanceof Error)) throw error;
    if (installed) await takeBack(host, await restore(), error);
    await restoreRecords(host.records, snapshot, transition);
    throw error;
  }
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

async function confirm(
  store: RecordStore,
  { leaving, entering }: Transition,
  undone: readonly Command[],
): Promise<void> {
  const nothing = new Set(undone.map(commandKey));
  for (const { name, installation } of entering) {
    const removal = installation.removal.filter(({ commands }) =>
      !commands.every((command) => nothing.has(commandKey(command)))
    );
    await store.write({ name, state: "active", ...installation, removal });
  }
  for (const name of leaving) await store.remove(name);
}

function restoreOperation(snapshot: Snapshot, failed: Operation): Operation {
  const names = new Set(failed.entering.map(({ name }) => name));
  const previous = snapshot.records.filter((record) =>
    failed.leaving.includes(record) || names.has(record.name)
  );
  return {
    ...failed,
    leaving: failed.entering.map(({ installation }) => installation),
    entering: recompile(snapshot, previous),
    settings: [],
  };
}

async function restoreRecords(
  store: RecordStore,
  { records }: Snapshot,
  { leaving, entering }: Transition,
): Promise<void> {
  for (const name of [...leaving, ...entering.map((one) => one.name)]) {
    const record = records.find((one) => one.name === name);
    if (record === undefined) await store.remove(name);
    else await store.write(record);
  }
}

function installationOf({ network, backend, removal }: Record): Installation {
  return backend === undefined ? { network, removal } : { network, backend, removal };
}

/**
 * Puts right what an interrupted command left: a network that was being brought up is as before, one
 * that was being taken down is gone.
 *
 * @returns The snapshot as it then is: every record is active.
 */
export async function settle(context: Context, snapshot: Snapshot): Promise<Snapshot> {
  const { records } = snapshot;
  const interrupted = records.filter(({ state }) => state !== "active");
  if (interrupted.length === 0) return snapshot;
  const staying = records.filter(({ state }) => state === "active");
  const previous = interrupted.flatMap(({ name, state, previous }) =>
    state === "applying" && previous !== undefined ? [{ name, ...previous }] : []
  );
  const entering = recompile(snapshot, previous);
  await runOperation(context.host, {
    leaving: interrupted.flatMap((record) =>
      record.previous === undefined ? [record] : [record, record.previous]
    ),
    staying,
    entering,
    settings: [],
    rebuild: () => Promise.resolve(rebuildSteps(snapshot, staying)),
  });
  const restored = previous.map(({ name, ...installation }): Record => ({
    name,
    state: "active",
    ...installation,
  }));
  for (const record of restored) await context.host.records.write(record);
  for (const { name, state } of interrupted) {
    const back = restored.some((record) => record.name === name);
    if (!back) await context.host.records.remove(name);
    context.messages.note(
      state === "removing"
        ? `Finished taking down network ${quoted(name)}: an earlier command was interrupted`
        : `Took back an interrupted change of network ${quoted(name)}`,
    );
  }
  const settled = [...staying, ...restored].toSorted((one, other) =>
    one.name < other.name ? -1 : 1
  );
  return { ...snapshot, records: settled };
}

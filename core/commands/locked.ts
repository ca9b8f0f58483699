/** The frame of every command that changes the host: lock, look, put right, work. */
import { chooseBackend, explainUnusable } from "../choose_backend.ts";
import { StepFailedError } from "../change/step_error.ts";
import { type FirewallBackend, NoBackendError } from "../firewall_backend.ts";
import { HostError } from "../host.ts";
import type { Context } from "./context.ts";
import { NO_FACTS } from "./prepare.ts";
import { quoted } from "../quoted.ts";
import type { Record } from "../record/record.ts";
import { settle } from "./settle.ts";
import { lookAt, lookAtAll, type Snapshot, type Wanted } from "./snapshot.ts";

/** Said once by a command that has to wait. */
export const WAITING = "Waiting for another bridgewall command to finish";

/**
 * Runs work that installs while no other command changes this host, on records that are all active.
 *
 * @param wanted What the work has to know.
 * @throws {HostError} When the user may not change the firewall.
 * @throws {LockError} When another command does not finish in time.
 * @throws {NoBackendError} When there is no backend to install with, or the work failed because this
 * host cannot use the one that was asked for.
 */
export async function locked<Result>(
  context: Context,
  wanted: Wanted,
  work: (snapshot: Snapshot, backend: FirewallBackend) => Promise<Result>,
): Promise<Result> {
  const { host, backends, options } = context;
  refuseUnprivileged(context);
  const choice = chooseBackend(backends, options.backend, host);
  // Looked at further down, where it is waited for; until then it must not end the process.
  choice.catch(() => {});
  try {
    return await underLock(context, () => wanted, () => choice, async (snapshot) => {
      return await work(snapshot, await choice);
    });
  } catch (error) {
    if (!(error instanceof StepFailedError || error instanceof NoBackendError)) throw error;
    const chosen = await choice.catch(() => undefined);
    throw chosen === undefined ? error : await explainUnusable(backends, chosen, host) ?? error;
  }
}

/**
 * Like {@linkcode locked}, for work on one record: with the backend that holds it, as long as there is one.
 *
 * @param wanted What the work has to know, told from the records.
 * @throws {HostError} When another backend than that was asked for with `--backend`.
 */
export async function lockedFor<Result>(
  context: Context,
  name: string,
  wanted: (records: readonly Record[]) => Wanted,
  work: (snapshot: Snapshot, backend: FirewallBackend) => Promise<Result>,
): Promise<Result> {
  const { host, backends, options } = context;
  refuseUnprivileged(context);
  let chosen: FirewallBackend | undefined;
  const choose = async (records: readonly Record[]): Promise<FirewallBackend> => {
    const held = records.find((record) => record.name === name)?.backend;
    if (options.insists) refuseOther(held, options.backend);
    return chosen = await chooseBackend(backends, held ?? options.backend, host);
  };
  try {
    return await underLock(context, wanted, choose, async (snapshot, backend) => {
      return await work(snapshot, await backend);
    });
  } catch (error) {
    if (!(error instanceof StepFailedError || error instanceof NoBackendError)) throw error;
    throw chosen === undefined ? error : await explainUnusable(backends, chosen, host) ?? error;
  }
}

function refuseOther(held: string | undefined, asked: string | undefined): void {
  if (held === undefined || asked === undefined || held === asked) return;
  throw new HostError(
    `Cannot use the backend ${quoted(asked)}: the rules are in ${quoted(held)}`,
    `Use \`--backend ${held}\`, or move all networks: \`bridgewall reload --backend ${asked}\``,
  );
}

/** Like {@linkcode locked}, for work of which the records say all, in whatever backend. */
export async function lockedOnRecord<Result>(
  context: Context,
  work: (snapshot: Snapshot) => Promise<Result>,
): Promise<Result> {
  refuseUnprivileged(context);
  return await underLock(context, () => ({ facts: NO_FACTS }), () => undefined, work);
}

function refuseUnprivileged({ host }: Context): void {
  if (host.privileged) return;
  throw new HostError(
    "Cannot change the firewall: only root may",
    "Run it again as root, or see what would be done with `bridgewall plan`",
  );
}

async function underLock<Result, Choice extends Promise<FirewallBackend> | undefined>(
  context: Context,
  wanted: (records: readonly Record[]) => Wanted,
  choose: (records: readonly Record[]) => Choice,
  work: (snapshot: Snapshot, backend: Choice) => Promise<Result>,
): Promise<Result> {
  const { host, backends, options, messages } = context;
  using _lock = await host.records.lock(
    options.wait,
    () => messages.note(WAITING),
  );
  let records = await host.records.readAll();
  if (records.some(({ state }) => state !== "active")) {
    // What has to be put right first may need to know anything.
    records = await settle(context, await lookAtAll(host, backends, records));
  }
  // First: it may refuse, and a choice that nobody waits for would end the process when it fails.
  const facts = wanted(records);
  const backend = choose(records);
  const snapshot = await lookAt(host, backends, records, facts, backend);
  return await work(snapshot, backend);
}

/** The frame of every command that changes the host: lock, look, put right, work. */
import { chooseBackend, explainUnusable } from "../choose_backend.ts";
import { StepFailedError } from "../change/step_error.ts";
import { type FirewallBackend, NoBackendError } from "../firewall_backend.ts";
import { HostError } from "../host.ts";
import type { Context } from "./context.ts";
import { NO_FACTS } from "./prepare.ts";
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
    return await underLock(context, wanted, choice, async (snapshot) => {
      return await work(snapshot, await choice);
    });
  } catch (error) {
    if (!(error instanceof StepFailedError || error instanceof NoBackendError)) throw error;
    const chosen = await choice.catch(() => undefined);
    throw chosen === undefined ? error : await explainUnusable(backends, chosen, host) ?? error;
  }
}

/** Like {@linkcode locked}, for work that only removes: the records say how, in whatever backend. */
export async function lockedForRemoval<Result>(
  context: Context,
  work: (snapshot: Snapshot) => Promise<Result>,
): Promise<Result> {
  refuseUnprivileged(context);
  return await underLock(context, { facts: NO_FACTS }, undefined, work);
}

function refuseUnprivileged({ host }: Context): void {
  if (host.privileged) return;
  throw new HostError(
    "Cannot change the firewall: only root may",
    "Run it again as root, or see what would be done with `bridgewall plan`",
  );
}

async function underLock<Result>(
  context: Context,
  wanted: Wanted,
  backend: Promise<FirewallBackend> | undefined,
  work: (snapshot: Snapshot) => Promise<Result>,
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
  return await work(await lookAt(host, backends, records, wanted, backend));
}

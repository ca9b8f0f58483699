/** The frame of every command that changes the host: lock, look, put right, work. */
import { chooseBackend, explainUnusable } from "../choose_backend.ts";
import { StepFailedError } from "../change/step_error.ts";
import { type FactsWanted, HostError } from "../host.ts";
import type { Context } from "./context.ts";
import { ALL_FACTS } from "./prepare.ts";
import { settle, type Snapshot } from "./transition.ts";

/** Said once by a command that has to wait. */
export const WAITING = "Waiting for another bridgewall command to finish";

/**
 * Runs the work while no other command changes this host, on records that are all active.
 *
 * @param wanted What the work has to know about the host.
 * @throws {HostError} When the user may not change the firewall.
 * @throws {LockError} When another command does not finish in time.
 * @throws {NoBackendError} When the work failed because this host cannot use the backend.
 */
export async function locked<Result>(
  context: Context,
  wanted: FactsWanted,
  work: (snapshot: Snapshot) => Promise<Result>,
): Promise<Result> {
  const { host, options, messages } = context;
  const backend = chooseBackend(context.backends, options.backend);
  if (!host.privileged) {
    throw new HostError(
      "Cannot change the firewall: only root may",
      "Run it again as root, or see what would be done with `bridgewall plan`",
    );
  }
  using _lock = await host.records.lock(
    options.wait,
    () => messages.note(WAITING),
  );
  const records = await host.records.readAll();
  // What has to be put right first may need to know anything.
  const whole = records.every(({ state }) => state === "active");
  const found = { backend, facts: await host.facts(whole ? wanted : ALL_FACTS), records };
  try {
    const settled = await settle(context, found);
    // Putting things right changes what there is to know.
    return await work(whole ? settled : { ...settled, facts: await host.facts(wanted) });
  } catch (error) {
    if (!(error instanceof StepFailedError)) throw error;
    throw await explainUnusable(context.backends, backend, host) ?? error;
  }
}

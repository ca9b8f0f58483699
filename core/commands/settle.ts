/** Puts right what an interrupted command left, before the next one does its own work. */
import type { Program } from "../command.ts";
import { commandsOf } from "../change/change.ts";
import { holdsRules, takesTables } from "../change/join_scripts.ts";
import { runOperation } from "../change/run_operation.ts";
import { StepFailedError } from "../change/step_error.ts";
import { isZoneWork } from "../change/zone_work.ts";
import { NoBackendError } from "../firewall_backend.ts";
import { isMasquerade } from "../policy/masquerade.ts";
import { quoted } from "../quoted.ts";
import { type Installation, installationsOf, type Record } from "../record/record.ts";
import { activeRecord } from "./active_record.ts";
import type { Context } from "./context.ts";
import { type NamedInstallation, rebuildOf, recompile } from "./recompile.ts";
import { endConnectionsOf } from "./end_connections.ts";
import { lookAtAll, type Snapshot } from "./snapshot.ts";

/**
 * A network that was being taken down is gone; one that was on its way to another backend arrives
 * there, or where that fails is back; one that was being brought up is as before.
 *
 * @param snapshot With all facts: what it takes is not known beforehand.
 * @returns The records as they then are: all active.
 * @throws {StepFailedError} When the host does not let it: the records still tell what is to be done.
 */
export async function settle(context: Context, snapshot: Snapshot): Promise<readonly Record[]> {
  const interrupted = snapshot.records.filter(({ state }) => state !== "active");
  const back = interrupted.flatMap(wayBack);
  if (!interrupted.some(isMove)) return await settleAs(context, snapshot, interrupted, back);
  const onward = interrupted.flatMap((record) =>
    isMove(record) ? [arrival(record)] : wayBack(record)
  );
  try {
    return await settleAs(context, snapshot, interrupted, onward);
  } catch (error) {
    if (!(error instanceof StepFailedError || error instanceof NoBackendError)) throw error;
    context.messages.warn(`${error.message}\nSo the move to another backend is taken back`);
    return await settleAs(context, snapshot, interrupted, back);
  }
}

function wayBack({ name, state, previous }: Record): readonly NamedInstallation[] {
  return state === "applying" && previous !== undefined ? [{ name, ...previous }] : [];
}

function arrival({ name, network, backend, removal }: Record): NamedInstallation {
  return { name, network, removal, ...(backend === undefined ? {} : { backend }) };
}

/** Whether the network was on its way to another backend, or to another variant of one. */
function isMove({ state, previous, ...installation }: Record): boolean {
  if (state !== "applying" || previous?.backend === undefined) return false;
  if (installation.backend === undefined) return false;
  if (installation.backend !== previous.backend) return true;
  const [old, now] = [rulePrograms(previous), rulePrograms(installation)];
  return now.length > 0 && !now.some((program) => old.includes(program));
}

function rulePrograms(installation: Pick<Installation, "removal">): readonly Program[] {
  return commandsOf([installation]).map(({ program }) => program).filter(holdsRules);
}

/**
 * Up to version 1.3 firewalld empties the tables of iptables when it reloads, ours too; a command that was
 * interrupted just then has not put them back.
 */
function mayLackRules(leaving: readonly Installation[], staying: readonly Record[]): boolean {
  return commandsOf(leaving).some(isZoneWork) &&
    commandsOf(staying).some(({ program }) => takesTables(program));
}

async function settleAs(
  context: Context,
  snapshot: Snapshot,
  interrupted: readonly Record[],
  targets: readonly NamedInstallation[],
): Promise<readonly Record[]> {
  const { host, backends, messages } = context;
  const staying = snapshot.records.filter(({ state }) => state === "active");
  const leaving = interrupted.flatMap(installationsOf);
  const entering = recompile(snapshot, targets, [...staying, ...leaving]);
  const outcome = await runOperation(host, {
    leaving,
    staying,
    entering,
    settings: [],
    drifted: mayLackRules(leaving, staying),
    // Looked at again: the first attempt may have come halfway.
    rebuild: async () =>
      rebuildOf(await lookAtAll(host, backends, snapshot.records), [...staying, ...targets]),
  });
  const active = (outcome.rebuilt ?? entering).map((one) => {
    const record = interrupted.find(({ name }) => name === one.name);
    return activeRecord(one, outcome, record === undefined ? [] : installationsOf(record));
  });
  const stale = await endConnectionsOf(
    host,
    interrupted.flatMap((record) =>
      installationsOf(record).map((one) => ({ ...one, name: record.name }))
    ),
    active,
    true,
  );
  for (const record of active) await host.records.write(record);
  stale.forEach((warning) => messages.warn(warning));
  outcome.warnings.forEach((warning) => messages.warn(warning));
  for (const record of interrupted) {
    const now = active.find(({ name }) => name === record.name);
    if (now === undefined) await host.records.remove(record.name);
    messages.note(sentence(record, now));
  }
  const untouched = staying.filter(({ name }) => !active.some((record) => record.name === name));
  return [...untouched, ...active].toSorted((one, other) => one.name < other.name ? -1 : 1);
}

function sentence(interrupted: Record, now: Record | undefined): string {
  const network = isMasquerade(interrupted)
    ? "masqueraded prefixes"
    : `network ${quoted(interrupted.name)}`;
  if (interrupted.state === "removing") {
    return `Finished taking down ${network}: an earlier command was interrupted`;
  }
  if (now !== undefined && isMove(interrupted) && now.backend === interrupted.backend) {
    return `Finished moving ${network} to the backend ${now.backend}: an earlier command was ` +
      "interrupted";
  }
  return `Took back an interrupted change of ${network}`;
}

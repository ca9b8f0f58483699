/** `bridgewall down`: takes the firewall of networks back, from their records alone. */
import { StepFailedError } from "../change/step_error.ts";
import { HostError } from "../host.ts";
import { isMasquerade } from "../policy/masquerade.ts";
import { quoted } from "../quoted.ts";
import type { Record } from "../record/record.ts";
import type { CommandOutput, Context } from "./context.ts";
import { lockedOnRecord } from "./locked.ts";
import { namedRecords, type NetworkArguments } from "./read_definitions.ts";
import type { Snapshot } from "./snapshot.ts";
import { runTransition } from "./transition.ts";

/**
 * A network that is not active is no error.
 *
 * @param mayGo False for networks that are none of the command's: they count as not active.
 * @throws {HostError} When rules could not be removed, after all others were.
 */
export async function down(
  context: Context,
  names: NetworkArguments,
  mayGo: (record: Record) => boolean = () => true,
): Promise<CommandOutput> {
  const { messages } = context;
  const result = await lockedOnRecord(context, async (snapshot) => {
    const networks = snapshot.records.filter((record) => !isMasquerade(record) && mayGo(record));
    const { found, missing } = await namedRecords(context, networks, names);
    const leaving = found.map(({ name }) => name);
    if (leaving.length > 0) await removeNetworks(context, snapshot, leaving);
    return { removed: leaving, inactive: missing };
  });
  result.removed.forEach((name) => messages.note(`Network ${quoted(name)} is down`));
  result.inactive.forEach((name) => messages.note(`Network ${quoted(name)} was not active`));
  return { text: [], json: result, exitCode: 0 };
}

/** All in one step; where that fails one by one, so that one network does not hold up the others. */
async function removeNetworks(
  context: Context,
  snapshot: Snapshot,
  leaving: readonly string[],
): Promise<void> {
  try {
    return await runTransition(context, snapshot, { leaving, entering: [], settings: [] });
  } catch (error) {
    if (!(error instanceof StepFailedError) || leaving.length === 1) throw error;
  }
  const failures: string[] = [];
  let records = snapshot.records;
  for (const name of leaving) {
    try {
      const one = { leaving: [name], entering: [], settings: [] };
      await runTransition(context, { ...snapshot, records }, one);
      records = records.filter((record) => record.name !== name);
    } catch (error) {
      if (!(error instanceof StepFailedError)) throw error;
      failures.push(`${quoted(name)}: ${error.message}`);
    }
  }
  if (failures.length > 0) {
    throw new HostError([
      `Cannot take down ${failures.length} of ${leaving.length} networks:`,
      ...failures,
    ].join("\n"));
  }
}

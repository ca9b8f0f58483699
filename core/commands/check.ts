/** `bridgewall check`: is what stands what the records promise? */
import type { CommandOutput, Context } from "./context.ts";
import { driftSentence, inspectRecords } from "./inspect_records.ts";
import { namedRecords, type NetworkArguments, refuseMissing } from "./read_definitions.ts";

/**
 * Exit code 3 when it is not. What belongs to no network (a missing table) counts for all.
 *
 * @throws {HostError} When a network that was named is not active.
 */
export async function check(context: Context, names: NetworkArguments): Promise<CommandOutput> {
  const { networks, masquerade, drift } = await inspectRecords(context);
  const records = networks.map(({ record }) => record);
  const all = names.all || names.names.length === 0;
  const { found, missing } = await namedRecords(context, records, { ...names, all });
  refuseMissing(missing);
  const asked = new Set(found.map(({ name }) => name));
  const differences = drift.filter(({ network }) =>
    all || network === undefined || asked.has(network)
  );
  if (differences.length === 0) {
    const count = found.length + (all && masquerade !== undefined ? 1 : 0);
    context.messages.note(
      count === 0 ? "No network is active" : `All as it should be: ${count} checked`,
    );
  }
  return {
    text: differences.map(driftSentence),
    json: { checked: [...asked], drift: differences },
    exitCode: differences.length === 0 ? 0 : 3,
  };
}

/** How an operation went → the record of a network that stands. */
import { commandKey, groupKey } from "../change/change.ts";
import type { Entering } from "../change/operation.ts";
import type { Outcome } from "../change/run_operation.ts";
import type { Program } from "../command.ts";
import type { Installation, Leftover, Record } from "../record/record.ts";

/**
 * The record of a network whose steps were run.
 *
 * @param before What it was installed as until then.
 * @param untried What had been left behind even before, and nobody has tried to remove.
 */
export function activeRecord(
  { name, installation }: Entering,
  { undone, gone }: Outcome,
  before: readonly Installation[],
  untried: readonly Leftover[] = [],
): Record {
  const nothing = new Set(undone.map(commandKey));
  const removal = installation.removal.filter(({ commands }) =>
    !commands.every((command) => nothing.has(commandKey(command)))
  );
  const kept = new Set(removal.map(groupKey));
  const left = [...before.flatMap((one) => leftovers(one, gone, kept)), ...untried];
  const record: Record = { name, state: "active", ...installation, removal };
  return left.length === 0 ? record : { ...record, left };
}

/** Groups that were to go and did not, because their program is gone. */
function leftovers(
  { backend, removal, left = [] }: Installation,
  gone: readonly Program[],
  kept: ReadonlySet<string>,
): readonly Leftover[] {
  return [...(backend === undefined ? [] : [{ backend, removal }]), ...left]
    .map((one): Leftover => ({
      ...one,
      removal: one.removal.filter((group) =>
        !kept.has(groupKey(group)) && group.commands.some(({ program }) => gone.includes(program))
      ),
    }))
    .filter((one) => one.removal.length > 0);
}

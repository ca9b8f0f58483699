/** Networks that come once more, with no more than what differs. */
import { groupKey, type RemovalGroup, type Step } from "../change/change.ts";
import { carriesRules } from "../change/join_scripts.ts";
import type { Command, Program } from "../command.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Transition } from "./transition.ts";

/** Whether nothing but what a backend can tell apart differs, in all networks that come. */
export function isAdjustment({ entering }: Pick<Transition, "entering">): boolean {
  return entering.length > 0 && entering.every(({ adjustment }) => adjustment !== undefined);
}

/** A transition that only adjusts what stands, with the steps of that. */
export function adjusted({ records }: Snapshot, transition: Transition): Transition {
  if (!isAdjustment(transition)) return transition;
  return {
    ...transition,
    entering: transition.entering.map(({ name, installation, adjustment = [] }) => {
      const before = records.find((record) => record.name === name)?.removal ?? [];
      const removal = adjustedRemoval(before, installation.removal, adjustment);
      return { name, installation: { ...installation, removal }, steps: adjustment };
    }),
  };
}

/**
 * What is beside the rules and not in the steps stays, and is removed as was recorded: what of it could not
 * be had when the network came up is still not there.
 */
function adjustedRemoval(
  before: readonly RemovalGroup[],
  after: readonly RemovalGroup[],
  steps: readonly Step[],
): readonly RemovalGroup[] {
  const programsOf = (commands: readonly Command[]): readonly Program[] =>
    commands.filter((command) => !carriesRules(command)).map(({ program }) => program);
  const [known, made] = [
    new Set(before.map(groupKey)),
    new Set(programsOf(steps.map(({ command }) => command))),
  ];
  const groups = after.flatMap((group) => {
    const [program] = programsOf(group.commands);
    if (program === undefined || made.has(program) || known.has(groupKey(group))) return [group];
    return before.filter(({ commands }) => programsOf(commands)[0] === program);
  });
  return [...new Map(groups.map((group) => [groupKey(group), group])).values()];
}

/** What is to become of all networks of a host → the runs of programs that make it so. Pure. */
import type { Command, Program, RuleProgram } from "../command.ts";
import type { Installation } from "../record/record.ts";
import {
  commandKey,
  type NetworkChange,
  type RemovalGroup,
  removalOf,
  type Step,
} from "./change.ts";
import { carriesRules, RULE_PROGRAMS } from "./join_scripts.ts";
import { combineTasks, mergeTasks, type Task } from "./task.ts";
import { arrangeZoneWork, isZoneWork } from "./zone_work.ts";

/** A network that gets in. */
export interface Entering {
  /** The network's name, which its record has too. */
  readonly name: string;
  /** What its record will hold: the definition and the way back. */
  readonly installation: Installation;
  /** Empty for a network without rules (mode `open`). */
  readonly steps: readonly Step[];
  /** As in {@linkcode NetworkChange}. */
  readonly adjustment?: NetworkChange["adjustment"];
}

/** What is to become of all networks of this host. */
export interface Operation {
  /** What stands now and goes; a network that is refreshed leaves and enters. */
  readonly leaving: readonly Installation[];
  /** What stands now and stays. */
  readonly staying: readonly Installation[];
  /** What stands afterwards beside `staying`: all of it or, after an error, nothing. */
  readonly entering: readonly Entering[];
  /** Settings of the host itself, made once the rules stand. */
  readonly settings: readonly Step[];
  /** True when it is known beforehand that all has to be made anew. */
  readonly drifted?: boolean;
  /**
   * Takes everything away and installs what stays and what enters: for a host on which what stands is
   * not what was recorded, so that taking it away piece by piece fails.
   */
  readonly rebuild: () => Promise<Rebuild>;
}

/** All rules made anew. */
export interface Rebuild {
  /** Takes away whatever is there. */
  readonly reset: readonly Command[];
  /** Programs that are gone: what they hold stays. */
  readonly unseen: readonly Program[];
  /** What stands afterwards: `staying` and `entering`, compiled for a host without them. */
  readonly entering: readonly Entering[];
}

/** The commands of an operation in the order and the grouping in which they are run. */
export function operationCommands(operation: Operation): readonly Command[] {
  return planTasks(operation).map(({ command }) => command);
}

/** The same where it is known beforehand that all has to be made anew. */
export async function rebuildCommands(operation: Operation): Promise<readonly Command[]> {
  return rebuildTasks(await operation.rebuild(), operation).map(({ command }) => command);
}

/** The runs of programs that an operation comes to, in their order. */
export function planTasks(operation: Operation): readonly Task[] {
  const { entering, settings } = operation;
  return arrangeTasks(
    leavingTasks(operation),
    [...entering.flatMap(({ steps }) => steps), ...settings],
  );
}

function leavingTasks({ leaving, staying, entering }: Operation): readonly Task[] {
  const kept = [...staying, ...entering.map(({ installation }) => installation)]
    .map(({ removal }) => removal);
  const groups = removalOf(leaving.map(({ removal }) => removal), kept);
  const left = removalOf(leaving.map(leftGroups), [...kept, ...staying.map(leftGroups)])
    .map((group) => ({ ...group, ignoreErrors: true }));
  return [...groups, ...left].flatMap(removalTasks);
}

function leftGroups({ left = [] }: Installation): readonly RemovalGroup[] {
  return left.flatMap(({ removal }) => removal);
}

/** The runs of programs that make all rules anew, and then the settings. */
export function rebuildTasks(
  { reset, unseen, entering }: Rebuild,
  operation: Operation,
): readonly Task[] {
  // What cannot be reset is taken away as it would be without: anchors of pf, each by itself, files of
  // firewalld, settings beside the rules, and rules whose program is gone, so that it is told what they
  // leave behind.
  const apart = leavingTasks(operation).filter(({ command }) =>
    command.program === "pfctl" || !carriesRules(command) || unseen.includes(command.program)
  );
  return arrangeTasks(
    [...removalTasks({ commands: reset, ignoreErrors: false }), ...apart],
    [...entering.flatMap(({ steps }) => steps), ...operation.settings],
  );
}

/**
 * Rules come before rules go, so that a network that moves from one program to another is never
 * without: while both stand, a packet has to please both. Where one program has to do both, it does
 * so in one run. So does firewalld, between those that come and those that go. What is beside the rules
 * (queues, settings) goes before them and comes after them; anchors of pf go after the rules have come,
 * and connections end when no rule begins them again.
 */
function arrangeTasks(removals: readonly Task[], steps: readonly Step[]): readonly Task[] {
  const [zonesCome, installations] = partition(
    withoutRepetition(steps).map(stepTask),
    ({ command }) => isZoneWork(command),
  );
  const [zonesGo, others] = partition(removals, ({ command }) => isZoneWork(command));
  const [rulesGo, besides] = partition(others, ({ command }) => carriesRules(command));
  const [anchorsGo, othersGo] = partition(besides, ({ command }) => command.program === "pfctl");
  const [rulesCome, othersCome] = partition(
    installations,
    ({ command }) => carriesRules(command),
  );
  const [optional, required] = partition(rulesCome, (task) => task.optional !== undefined);
  const ofProgram = (tasks: readonly Task[], program: RuleProgram): readonly Task[] =>
    tasks.filter(({ command }) => command.program === program);
  const exchange = (program: RuleProgram): readonly Task[] => {
    const [mayFail, mustNot] = partition(ofProgram(rulesGo, program), (task) => task.mayFail);
    return [
      ...combineTasks(
        [...mustNot, ...ofProgram(required, program)],
        ofProgram(optional, program),
      ),
      ...mergeTasks(mayFail),
    ];
  };
  const comes = (program: RuleProgram): boolean => ofProgram(rulesCome, program).length > 0;
  return [
    ...mergeTasks(sortOthers(othersGo, -1)),
    ...RULE_PROGRAMS.filter(comes).flatMap(exchange),
    ...arrangeZoneWork([...zonesGo, ...zonesCome]),
    ...RULE_PROGRAMS.filter((program) => !comes(program)).toReversed().flatMap(exchange),
    ...anchorsGo,
    ...mergeTasks(sortOthers(othersCome, 1)),
  ];
}

function partition(
  tasks: readonly Task[],
  belongs: (task: Task) => boolean,
): readonly [readonly Task[], readonly Task[]] {
  return [tasks.filter(belongs), tasks.filter((task) => !belongs(task))];
}

/** Steps that several networks need are run once, where the first of them needs it. */
function withoutRepetition(steps: readonly Step[]): readonly Step[] {
  const first = new Map<string, Step>();
  for (const step of steps) {
    const key = commandKey(step.command);
    if (!first.has(key)) first.set(key, step);
  }
  return [...first.values()];
}

function removalTasks({ commands, ignoreErrors }: RemovalGroup): readonly Task[] {
  return commands.map((command) => ({
    purpose: "remove the rules",
    command,
    kind: "removal",
    mayFail: ignoreErrors,
  }));
}

function stepTask({ purpose, command, optional }: Step): Task {
  const task = { purpose, command, kind: "installation", mayFail: false } as const;
  if (optional === undefined) return task;
  const { undo } = optional;
  return { ...task, optional: { ...optional, undone: undo === undefined ? [] : [undo] } };
}

/** Programs beside the rules, in the order in which they run while networks come up. */
const OTHERS: readonly Program[] = ["sysctl", "pfctl", "tc", "ip", "conntrack"];

/** By program, in the order given where the program is the same (sorting is stable). */
function sortOthers(tasks: readonly Task[], direction: 1 | -1): readonly Task[] {
  const rank = ({ command }: Task): number => OTHERS.indexOf(command.program);
  return tasks.toSorted((one, other) => direction * (rank(one) - rank(other)));
}

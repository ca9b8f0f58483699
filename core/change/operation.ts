/** What is to become of all networks of a host → the runs of programs that make it so. Pure. */
import type { Command, Program } from "../command.ts";
import type { Installation } from "../record/record.ts";
import { commandKey, type RemovalGroup, removalOf, type Step } from "./change.ts";

/** A network that gets in. */
export interface Entering {
  /** The network's name, which its record has too. */
  readonly name: string;
  /** What its record will hold: the definition and the way back. */
  readonly installation: Installation;
  /** Empty for a network without rules (mode `open`). */
  readonly steps: readonly Step[];
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
  /**
   * Takes everything away and installs what stays: for a host on which what stands is not what was
   * recorded, so that taking it away piece by piece fails. The first step is the one that clears.
   */
  readonly rebuild: () => Promise<readonly Step[]>;
}

/**
 * The order in which programs run while rules come in; while they go out it is the other way
 * round. So the rules' own program runs last on the way out and first on the way in, and what it
 * takes away and what it installs meet in one run: one transaction.
 */
const ORDER: readonly Program[] = ["nft", "sysctl", "tc", "ip"];

/** One run of a program, for one or more steps. */
export interface Task {
  /** As that of a step. */
  readonly purpose: string;
  /** The program, with the scripts of all its steps. */
  readonly command: Command;
  /** Whether it takes away or brings in. */
  readonly kind: "removal" | "installation";
  /** True: a failure is passed over. */
  readonly mayFail: boolean;
  /** As that of a step; `undo` takes back all its steps, `undone` has what takes back each. */
  readonly optional?: {
    readonly loss: string;
    readonly undo: Command;
    readonly undone: readonly Command[];
  };
}

/** The commands of an operation in the order and the grouping in which they are run. */
export function operationCommands(operation: Operation): readonly Command[] {
  return planTasks(operation).map(({ command }) => command);
}

/** The runs of programs that an operation comes to, in their order. */
export function planTasks({ leaving, staying, entering, settings }: Operation): readonly Task[] {
  const groups = removalOf(
    leaving.map(({ removal }) => removal),
    [...staying, ...entering.map(({ installation }) => installation)].map(({ removal }) => removal),
  );
  const removal = groups.flatMap(removalTasks);
  const steps = [...entering.flatMap((one) => one.steps), ...settings];
  return mergeTasks([...sortTasks(removal, -1), ...installationTasks(steps)]);
}

/** The runs of programs that install these steps. */
export function installationTasks(steps: readonly Step[]): readonly Task[] {
  return mergeTasks(sortTasks(withoutRepetition(steps).map(stepTask), 1));
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
  return optional === undefined
    ? task
    : { ...task, optional: { ...optional, undone: [optional.undo] } };
}

/** By program, in the order given where the program is the same (sorting is stable). */
function sortTasks(tasks: readonly Task[], direction: 1 | -1): readonly Task[] {
  const rank = ({ command }: Task): number => ORDER.indexOf(command.program);
  return tasks.toSorted((one, other) => direction * (rank(one) - rank(other)));
}

/**
 * Neighbours that give a script to the same program become one run, with the scripts one after
 * the other. Such a program applies its input whole or not at all, so this makes one transaction of
 * many, removal and installation included.
 */
function mergeTasks(tasks: readonly Task[]): readonly Task[] {
  const merged: Task[] = [];
  for (const task of tasks) {
    const last = merged.at(-1);
    if (last !== undefined && canMerge(last, task)) {
      merged[merged.length - 1] = joinTasks(last, task);
    } else {
      merged.push(task);
    }
  }
  return merged;
}

function canMerge(one: Task, other: Task): boolean {
  return one.command.stdin !== undefined && other.command.stdin !== undefined &&
    one.mayFail === other.mayFail &&
    (one.optional === undefined) === (other.optional === undefined) &&
    one.command.program === other.command.program &&
    one.command.args.join("\0") === other.command.args.join("\0");
}

function joinTasks(one: Task, other: Task): Task {
  const purpose = one.purpose === other.purpose || other.kind === "removal"
    ? one.purpose
    : one.kind === "removal"
    ? other.purpose
    : `${one.purpose.split(", ", 1).join("")}, and of more networks`;
  const joined = {
    ...other,
    purpose,
    command: joinCommands(one.command, other.command),
  };
  return one.optional === undefined || other.optional === undefined ? joined : {
    ...joined,
    optional: {
      ...one.optional,
      undo: joinCommands(one.optional.undo, other.optional.undo),
      undone: [...one.optional.undone, ...other.optional.undone],
    },
  };
}

function joinCommands(one: Command, other: Command): Command {
  return { ...one, stdin: `${one.stdin ?? ""}${other.stdin ?? ""}` };
}

/** Runs one operation on the host: rules out, rules in, as few programs as possible. */
import type { Command, CommandRunner, Program } from "../command.ts";
import { HostError } from "../host.ts";
import type { Installation } from "../record/record.ts";
import { type RemovalGroup, removalOf, type Step } from "./change.ts";
import { outcome, StepFailedError } from "./step_error.ts";

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
  readonly rebuild: () => readonly Step[];
}

/** What was noticed on the way, as sentences without a period. */
export type Warnings = readonly string[];

/**
 * The order in which programs run while rules come in; while they go out it is the other way
 * round. So the rules' own program runs last on the way out and first on the way in, and what it
 * takes away and what it installs meet in one run: one transaction.
 */
const ORDER: readonly Program[] = ["nft", "sysctl", "tc", "ip"];

/** One run of a program, for one or more steps. */
interface Task {
  readonly purpose: string;
  readonly command: Command;
  readonly kind: "removal" | "installation";
  readonly mayFail: boolean;
  readonly optional?: { readonly loss: string; readonly undo: Command };
}

/**
 * Runs the operation. When a command fails, what has been done is taken back as far as it can be:
 * the caller sees an error and a host that is as before.
 *
 * @param restore Operation that brings back what stood before, for the case that only a part of
 * this one could be done.
 * @throws {StepFailedError} When a command that the networks need failed.
 * @throws {NotRestoredError} When what stood before could not be restored either.
 */
export async function runOperation(
  runner: CommandRunner,
  operation: Operation,
  restore?: () => Operation,
): Promise<Warnings> {
  const tasks = planTasks(operation);
  const progress = { done: 0 };
  try {
    return await runTasks(runner, tasks, progress);
  } catch (error) {
    if (!(error instanceof StepFailedError)) throw error;
    const rebuilt = await tryRebuild(runner, operation, error, progress);
    if (rebuilt !== undefined) return rebuilt;
    if (progress.done > 0 && restore !== undefined) await takeBack(runner, restore(), error);
    throw error;
  }
}

/** The operation failed, and so did the attempt to restore what stood before. Exit code 1. */
export class NotRestoredError extends HostError {
  /** Tells both: why the operation failed, and why the way back did. */
  constructor(cause: Error, second: Error) {
    super(
      `${cause.message}\nWhat stood before could not be restored either: ${second.message}`,
      "Mend what the messages speak of: the next bridgewall command tries again before it works",
    );
  }
}

/**
 * Restores what stood before a failure.
 *
 * @throws {NotRestoredError} When that fails too.
 */
export async function takeBack(
  runner: CommandRunner,
  restore: Operation,
  cause: Error,
): Promise<void> {
  try {
    await runTasks(runner, planTasks(restore), { done: 0 });
  } catch (second) {
    if (second instanceof StepFailedError) throw new NotRestoredError(cause, second);
    throw second;
  }
}

/** The commands of an operation in the order and the grouping in which they are run. */
export function operationCommands(operation: Operation): readonly Command[] {
  return planTasks(operation).map(({ command }) => command);
}

function planTasks({ leaving, staying, entering, settings }: Operation): readonly Task[] {
  const groups = removalOf(
    leaving.map(({ removal }) => removal),
    [...staying, ...entering.map(({ installation }) => installation)].map(({ removal }) => removal),
  );
  const removal = groups.flatMap(removalTasks);
  const steps = [...entering.flatMap((one) => one.steps), ...settings];
  return mergeTasks([...sortTasks(removal, -1), ...installationTasks(steps)]);
}

function installationTasks(steps: readonly Step[]): readonly Task[] {
  return mergeTasks(sortTasks(withoutRepetition(steps).map(stepTask), 1));
}

/** Steps that several networks need are run once, where the first of them needs it. */
function withoutRepetition(steps: readonly Step[]): readonly Step[] {
  const first = new Map<string, Step>();
  for (const step of steps) {
    const { program, args, stdin } = step.command;
    const key = JSON.stringify([program, args, stdin ?? null]);
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
  return optional === undefined ? task : { ...task, optional };
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
    optional: { ...one.optional, undo: joinCommands(one.optional.undo, other.optional.undo) },
  };
}

function joinCommands(one: Command, other: Command): Command {
  return { ...one, stdin: `${one.stdin ?? ""}${other.stdin ?? ""}` };
}

async function runTasks(
  runner: CommandRunner,
  tasks: readonly Task[],
  progress: { done: number },
): Promise<Warnings> {
  const warnings: string[] = [];
  for (const task of tasks) {
    const result = await runner.run(task.command);
    if (result.status === 0 || task.mayFail) {
      progress.done++;
    } else if (task.optional !== undefined) {
      const said = firstLine(result.stderr);
      const why = outcome(task.command, result) + (said === "" ? "" : `: ${said}`);
      warnings.push(`${task.optional.loss} (${why})`);
      await runner.run(task.optional.undo);
    } else {
      throw new StepFailedError(task.purpose, task.command, result);
    }
  }
  return warnings;
}

/**
 * Where rules were there before, the failure may come from what stands not being what was recorded
 * (somebody edited the table). Then everything is made anew, in one transaction where the program
 * has such. Undefined: that did not work either, so the first error is the one to tell.
 */
async function tryRebuild(
  runner: CommandRunner,
  operation: Operation,
  error: StepFailedError,
  progress: { done: number },
): Promise<Warnings | undefined> {
  const rebuild = operation.rebuild();
  const { command, result } = error;
  if (rebuild[0]?.command.program !== command.program || result.status === 127) return undefined;
  const steps = [
    ...rebuild,
    ...operation.entering.flatMap((one) => one.steps),
    ...operation.settings,
  ];
  try {
    return [
      `All rules were made anew, because the first attempt failed (${firstLine(result.stderr)})`,
      ...await runTasks(runner, installationTasks(steps), progress),
    ];
  } catch (second) {
    if (second instanceof StepFailedError) return undefined;
    throw second;
  }
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1).join("");
}

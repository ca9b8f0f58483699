/** A run of a program, and how the runs of many steps become few. */
import type { Command } from "../command.ts";
import { joinScripts } from "./join_scripts.ts";

/** One run of a program, for one or more steps. */
export interface Task {
  /** As that of a step. */
  readonly purpose: string;
  /** The program, with the scripts of all its steps. */
  readonly command: Command;
  /** `installation` also for a run that takes away and brings in. */
  readonly kind: "removal" | "installation";
  /** True: a failure is passed over. */
  readonly mayFail: boolean;
  /** As that of a step; `undo` takes back all its steps, `undone` has what takes back each. */
  readonly optional?: {
    readonly loss: string;
    readonly undo?: Command;
    readonly undone: readonly Command[];
  };
  /** Present when not all of it has to work: where the whole fails, these are tried one by one. */
  readonly parts?: readonly Task[];
}

/**
 * What one program has to do and what it should do, in one run where that works: nearly always it does,
 * and a second run would cost as much as the first.
 */
export function combineTasks(
  required: readonly Task[],
  optional: readonly Task[],
): readonly Task[] {
  const [main, ...others] = mergeTasks(required);
  const [extra, ...more] = mergeTasks(optional);
  const apart = [main, ...others, extra, ...more].filter((task) => task !== undefined);
  if (main === undefined || extra === undefined || apart.length > 2) return apart;
  if (!isAlike(main, extra)) return apart;
  const { optional: _, ...whole } = joinTasks(main, [...required, ...optional]);
  return [{ ...whole, purpose: main.purpose, parts: apart }];
}

/**
 * Neighbours that give a script to the same program become one run. Such a program takes its input
 * whole (nft) or table by table (iptables), so this makes one transaction of many, removal and
 * installation included.
 */
export function mergeTasks(tasks: readonly Task[]): readonly Task[] {
  const runs: Task[][] = [];
  for (const task of tasks) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run !== undefined && last !== undefined && canMerge(last, task)) run.push(task);
    else runs.push([task]);
  }
  return runs.flatMap((run) => {
    const [first, ...more] = run;
    return first === undefined ? [] : [more.length === 0 ? first : joinTasks(first, run)];
  });
}

function canMerge(one: Task, other: Task): boolean {
  return isAlike(one, other) && one.mayFail === other.mayFail &&
    (one.optional === undefined) === (other.optional === undefined);
}

/** Whether both give a script to the same program in the same way. */
function isAlike(one: Task, other: Task): boolean {
  return one.command.stdin !== undefined && other.command.stdin !== undefined &&
    one.command.program === other.command.program &&
    one.command.args.join("\0") === other.command.args.join("\0");
}

function joinTasks(first: Task, tasks: readonly Task[]): Task {
  const installations = tasks.filter(({ kind }) => kind === "installation");
  const optional = tasks.flatMap((task) => task.optional ?? []);
  const [promise] = optional;
  return {
    purpose: joinPurposes(installations.map(({ purpose }) => purpose)) ?? first.purpose,
    command: joinCommands(first.command, tasks),
    kind: installations.length === 0 ? "removal" : "installation",
    mayFail: first.mayFail,
    ...(promise === undefined ? {} : { optional: joinPromises(promise, optional) }),
  };
}

function joinPromises(
  { loss, undo }: NonNullable<Task["optional"]>,
  all: readonly NonNullable<Task["optional"]>[],
): NonNullable<Task["optional"]> {
  const undone = all.flatMap((one) => one.undone);
  if (undo === undefined) return { loss, undone };
  const scripts = all.map((one) => one.undo?.stdin ?? "");
  return { loss, undone, undo: { ...undo, stdin: joinScripts(undo.program, scripts, []) } };
}

function joinPurposes(purposes: readonly string[]): string | undefined {
  const [first] = purposes;
  return new Set(purposes).size < 2 ? first : `${first}, and of more networks`;
}

function joinCommands(command: Command, tasks: readonly Task[]): Command {
  const scripts = (kind: Task["kind"]): readonly string[] =>
    tasks.filter((task) => task.kind === kind).map((task) => task.command.stdin ?? "");
  return {
    ...command,
    stdin: joinScripts(command.program, scripts("removal"), scripts("installation")),
  };
}

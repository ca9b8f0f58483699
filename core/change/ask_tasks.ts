/** Asks the programs whether they would take what they are to be given, before anything is changed. */
import type { CommandResult, CommandRunner } from "../command.ts";
import { questionOf } from "./join_scripts.ts";
import { StepFailedError } from "./step_error.ts";
import type { Task } from "./task.ts";

/** A task that was asked about. */
export interface AskedTask {
  /** What is to be run. */
  readonly task: Task;
  /** Present when it need not be tried: it may fail, or its program is gone. */
  readonly refusal?: CommandResult;
}

/**
 * Asks about all tasks at once.
 *
 * @param isFresh True when nothing stands that could be the reason of a refusal.
 * @returns The tasks in their order; those that are refused as a whole in their parts.
 * @throws {StepFailedError} For the first task that has to work and would not.
 */
export async function askTasks(
  runner: CommandRunner,
  tasks: readonly Task[],
  isFresh: boolean,
): Promise<readonly AskedTask[]> {
  const asked = await Promise.all(tasks.map((task) => askTask(runner, task)));
  return asked.flat().map(({ task, refusal }) => {
    if (refusal === undefined) return { task };
    if (isBearable(task, refusal, isFresh)) return { task, refusal };
    throw new StepFailedError(task.purpose, task.command, refusal);
  });
}

async function askTask(runner: CommandRunner, task: Task): Promise<readonly AskedTask[]> {
  const question = questionOf(task.command);
  const refusal = question === undefined ? undefined : await runner.run(question);
  if (refusal === undefined || refusal.status === 0) return [{ task }];
  if (task.parts === undefined || refusal.status === 127) return [{ task, refusal }];
  return (await Promise.all(task.parts.map((part) => askTask(runner, part)))).flat();
}

/** What is optional is refused because of what stands, unless nothing does. */
function isBearable(
  { kind, mayFail, optional }: Task,
  { status }: CommandResult,
  isFresh: boolean,
): boolean {
  if (mayFail) return true;
  if (status === 127) return kind === "removal" || optional !== undefined;
  return optional !== undefined && isFresh;
}

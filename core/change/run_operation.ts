/** Runs one operation on the host, and takes it back where it fails. */
import { type Command, type CommandRunner, firstLine } from "../command.ts";
import { HostError } from "../host.ts";
import { installationTasks, type Operation, planTasks, type Task } from "./operation.ts";
import { outcome, StepFailedError } from "./step_error.ts";

/** How an operation went. */
export interface Outcome {
  /** What was noticed on the way, as sentences without a period. */
  readonly warnings: readonly string[];
  /** Removals of optional steps that failed: there is nothing that they would have to remove. */
  readonly undone: readonly Command[];
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
  restore?: () => Promise<Operation>,
): Promise<Outcome> {
  const tasks = planTasks(operation);
  const progress = { done: 0 };
  try {
    return await runTasks(runner, tasks, progress);
  } catch (error) {
    if (!(error instanceof StepFailedError)) throw error;
    const rebuilt = await tryRebuild(runner, operation, error, progress);
    if (rebuilt !== undefined) return rebuilt;
    if (progress.done > 0 && restore !== undefined) {
      await takeBack(runner, await restore(), error);
    }
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

async function runTasks(
  runner: CommandRunner,
  tasks: readonly Task[],
  progress: { done: number },
): Promise<Outcome> {
  const warnings: string[] = [];
  const undone: Command[] = [];
  for (const task of tasks) {
    const result = await runner.run(task.command);
    if (result.status === 0 || task.mayFail) {
      progress.done++;
    } else if (task.optional !== undefined) {
      const said = firstLine(result.stderr);
      const why = outcome(task.command, result) + (said === "" ? "" : `: ${said}`);
      warnings.push(`${task.optional.loss} (${why})`);
      undone.push(...task.optional.undone);
      await runner.run(task.optional.undo);
    } else {
      throw new StepFailedError(task.purpose, task.command, result);
    }
  }
  return { warnings, undone };
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
): Promise<Outcome | undefined> {
  const { command, result } = error;
  const rebuild = result.status === 127 ? [] : await operation.rebuild();
  if (rebuild[0]?.command.program !== command.program) return undefined;
  const steps = [
    ...rebuild,
    ...operation.entering.flatMap((one) => one.steps),
    ...operation.settings,
  ];
  try {
    const rebuilt = await runTasks(runner, installationTasks(steps), progress);
    const warning = `All rules were made anew, because the first attempt failed (${
      firstLine(result.stderr)
    })`;
    return { ...rebuilt, warnings: [warning, ...rebuilt.warnings] };
  } catch (second) {
    if (second instanceof StepFailedError) return undefined;
    throw second;
  }
}

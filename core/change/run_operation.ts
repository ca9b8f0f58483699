/** Runs one operation on the host, and takes it back where it fails. */
import {
  type Command,
  type CommandResult,
  type CommandRunner,
  firstLine,
  type Program,
} from "../command.ts";
import { NoBackendError } from "../firewall_backend.ts";
import { HostError } from "../host.ts";
import { carriesRules, takesTables } from "./join_scripts.ts";
import {
  type Entering,
  type Operation,
  planTasks,
  type Rebuild,
  rebuildTasks,
} from "./operation.ts";
import { isAlreadySo } from "./already_so.ts";
import { type AskedTask, askTasks } from "./ask_tasks.ts";
import { lossOf, outcome, StepFailedError } from "./step_error.ts";
import type { Task } from "./task.ts";
import { isZoneWork } from "./zone_work.ts";

/** How an operation went. */
export interface Outcome {
  /** What was noticed on the way, as sentences without a period. */
  readonly warnings: readonly string[];
  /** Removals of optional steps that failed: there is nothing that they would have to remove. */
  readonly undone: readonly Command[];
  /** Programs that are no longer there to take their rules away: those rules still stand. */
  readonly gone: readonly Program[];
  /** Present when all was made anew: how the networks that stand are removed from now on. */
  readonly rebuilt?: readonly Entering[];
}

/** How far a run has come; shared with the caller, who has to know when it fails. */
export interface Progress {
  /** True as soon as the host may differ from what it was. */
  touched: boolean;
}

/**
 * Runs the operation. Where rules were there before, a failure may come from what stands not being
 * what was recorded (somebody edited the table): then everything is made anew.
 *
 * @param progress Tells after a failure whether there is anything to take back.
 * @throws {StepFailedError} When a command that the networks need failed.
 */
export async function runOperation(
  runner: CommandRunner,
  operation: Operation,
  progress: Progress = { touched: false },
): Promise<Outcome> {
  if (operation.drifted === true) {
    return await runRebuild(runner, await operation.rebuild(), operation, progress);
  }
  try {
    return await runTasks(runner, planTasks(operation), progress);
  } catch (error) {
    if (!(error instanceof StepFailedError)) throw error;
    const rebuilt = await tryRebuild(runner, operation, error, progress);
    if (rebuilt === undefined) throw error;
    return rebuilt;
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
): Promise<Outcome> {
  try {
    return await runOperation(runner, restore);
  } catch (second) {
    if (second instanceof StepFailedError) throw new NotRestoredError(cause, second);
    throw second;
  }
}

/** Undefined: that did not work either, so the first error is the one to tell. */
async function tryRebuild(
  runner: CommandRunner,
  operation: Operation,
  { command, result }: StepFailedError,
  progress: Progress,
): Promise<Outcome | undefined> {
  if (!carriesRules(command) || result.status === 127 || isLocked(result)) return undefined;
  try {
    const rebuild = await operation.rebuild();
    const rebuilt = await runRebuild(runner, rebuild, operation, progress);
    if (operation.leaving.length + operation.staying.length === 0) return rebuilt;
    const what = command.program === "pfctl"
      ? "The rules were loaded at the second attempt"
      : "All rules were made anew, because the first attempt failed";
    const why = firstLine(result.stderr) || outcome(command, result.status);
    const warning = `${what} (${why})`;
    return { ...rebuilt, warnings: [warning, ...rebuilt.warnings] };
  } catch (second) {
    if (second instanceof StepFailedError || second instanceof NoBackendError) return undefined;
    throw second;
  }
}

/** Another program has had the lock of iptables for all the time that we waited. */
function isLocked({ stderr }: CommandResult): boolean {
  return stderr.includes("holding the xtables lock");
}

async function runRebuild(
  runner: CommandRunner,
  rebuild: Rebuild,
  operation: Operation,
  progress: Progress,
): Promise<Outcome> {
  const outcome = await runTasks(runner, rebuildTasks(rebuild, operation), progress, true);
  return {
    ...outcome,
    gone: [...new Set([...outcome.gone, ...rebuild.unseen])],
    rebuilt: rebuild.entering,
  };
}

/**
 * @param isFresh True when nothing stands that an optional step could stumble over: then its failure
 * is for good.
 */
async function runTasks(
  runner: CommandRunner,
  tasks: readonly Task[],
  progress: Progress,
  isFresh = false,
): Promise<Outcome> {
  const waiting = [...await askTasks(runner, tasks, isFresh)];
  const warnings: string[] = [];
  const undone: Command[] = [];
  const gone: Program[] = [];
  for (let asked = waiting.shift(); asked !== undefined; asked = waiting.shift()) {
    const { task, refusal } = asked;
    const { command, optional } = task;
    const result = refusal ?? await runner.run(command);
    if (refusal === undefined && mayHaveWorked(command, result)) progress.touched = true;
    switch (judge(asked, result, isFresh)) {
      case "done":
        break;
      case "try its parts":
        waiting.unshift(...(task.parts ?? []).map((part) => ({ task: part })));
        break;
      case "gone":
        gone.push(command.program);
        warnings.push(leftBehind(command, result));
        break;
      case "forgotten":
        warnings.push(leftBehind(command, result));
        break;
      case "not ended":
        warnings.push(lossOf(CONNECTIONS_GO_ON, command, result));
        break;
      case "not switched off":
        warnings.push(lossOf(STILL_OPEN, command, result));
        break;
      case "not returned":
        warnings.push(lossOf(ZONE_NOT_RESTORED, command, result));
        break;
      case "lost":
        warnings.push(lossOf(optional?.loss ?? "", command, result));
        undone.push(...optional?.undone ?? []);
        if (optional?.undo !== undefined && refusal === undefined) await runner.run(optional.undo);
        break;
      case "failed":
        throw new StepFailedError(task.purpose, command, result);
    }
  }
  return { warnings: [...new Set(warnings)], undone, gone };
}

/** Of a script that iptables refuses, the tables before the one that it complains of stand. */
function mayHaveWorked({ program }: Command, { status }: CommandResult): boolean {
  return status === 0 || (takesTables(program) && status !== 127);
}

const ZONE_NOT_RESTORED = "A bridge could not be put back into the firewalld zone that it was in";

const CONNECTIONS_GO_ON = "Connections of guests may go on that the rules do not allow any more";

const STILL_OPEN = "Guests of a bridge may reach 127.0.0.0/8 of the host";

type Verdict =
  | "done"
  | "try its parts"
  /** Its rules stay until the program is there again. */
  | "gone"
  /** Rules that were left behind, which the program does not find as they were. */
  | "forgotten"
  /** Connections go on that no rule would let begin. */
  | "not ended"
  /** A bridge still leads to 127.0.0.0/8, and nobody stops what comes. */
  | "not switched off"
  /** A bridge does not get its old zone back. */
  | "not returned"
  | "lost"
  | "failed";

function judge(
  { task: { command, kind, optional, parts, mayFail }, refusal }: AskedTask,
  result: CommandResult,
  isFresh: boolean,
): Verdict {
  const { status } = result;
  const ofRules = carriesRules(command);
  if (status === 0 || isAlreadySo(command, kind, result)) return "done";
  if (parts !== undefined) return "try its parts";
  if (kind === "removal" && status === 127 && ofRules) return "gone";
  if (mayFail && command.program === "pfctl") return "not ended";
  if (mayFail && command.program === "sysctl") return "not switched off";
  if (mayFail && isZoneWork(command)) return "not returned";
  // Beside the rules a failure says nothing: what is to go may be gone with its interface.
  if (mayFail) return !ofRules ? "done" : isLocked(result) ? "gone" : "forgotten";
  if (optional === undefined) return "failed";
  // Rules that are refused may be so because of what stands: then all is made anew, and they with it.
  return refusal !== undefined || isFresh || !ofRules ? "lost" : "failed";
}

/** What a program would have removed, so that somebody else can. */
function leftBehind({ program, args, stdin }: Command, { status }: CommandResult): string {
  const install = status === 127 ? "install it and " : "";
  return [
    `Rules were left behind, because ${outcome({ program }, status)}. To remove them, ${install}` +
    `run \`${[program, ...args].join(" ")}\` with this input:`,
    ...(stdin ?? "").trimEnd().split("\n").map((line) => `  ${line}`),
  ].join("\n");
}

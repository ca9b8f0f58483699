/** Which programs a run of ours has started, seen by the next one. */
import { runWhereverItIs } from "./run_command.ts";
import { isMark, RUN_VARIABLE } from "./run_mark.ts";

/** One that runs. */
export interface StartedProgram {
  /** Without its directory. */
  readonly name: string;
  /** The number of its process. */
  readonly process: string;
}

/**
 * The programs of a run that go on, also when the run itself was killed. No kernel lists what a process
 * has left behind, but ps(1) shows the environment of each to root, on Linux and on FreeBSD, and needs no
 * permission for `/proc`. None where there is no ps.
 *
 * @param run What {@linkcode RUN} was there; what no run has is of no program.
 */
export async function startedPrograms(run: string): Promise<readonly StartedProgram[]> {
  if (!isMark(run)) return [];
  const args = ["axeww", "-o", "pid=", "-o", "args="];
  const { stdout } = await runWhereverItIs({ program: "ps", args });
  return stdout.split("\n").filter((line) => line.includes(`${RUN_VARIABLE}=${run}`))
    .map((line) => {
      const [process = "", path = ""] = line.trim().split(/ +/);
      return { name: path.replace(/^.*\//, ""), process };
    });
}

/** Which programs a run of ours has started, seen by the next one. */

/** Tells this run of bridgewall from all others; its programs have it in their environment. */
export const RUN: string = crypto.randomUUID();

/** The variable that holds it. */
export const RUN_VARIABLE = "BRIDGEWALL_RUN";

/** One that runs. */
export interface StartedProgram {
  /** As the kernel shortens it. */
  readonly name: string;
  /** The number of its process. */
  readonly process: string;
}

/**
 * The programs of a run that go on, also when the run itself was killed. `/proc` has no list of what a
 * process has left behind (proc(5)), but the environment of each process. None where there is no
 * `/proc`, or where it stays closed to us (it needs `--allow-all`).
 *
 * @param run What {@linkcode RUN} was there; what no run has is of no program.
 */
export function programsOf(run: string): readonly StartedProgram[] {
  if (!/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(run)) return [];
  const variable = `${RUN_VARIABLE}=${run}`;
  return processes().flatMap((process) => {
    const isOfRun = read(`/proc/${process}/environ`).split("\0").includes(variable);
    return isOfRun ? [{ name: read(`/proc/${process}/comm`).trim(), process }] : [];
  });
}

function processes(): readonly string[] {
  try {
    return [...Deno.readDirSync("/proc")].map(({ name }) => name)
      .filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Empty for a process that has ended meanwhile, and for one that is none of ours to look at. */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** A command that is killed at a chosen moment: when its nth program has done its work. */
import { assertEquals } from "@std/assert";
import type { Bridgewall } from "./bridgewall.ts";
import { run } from "./run_program.ts";
import type { BackendUnderTest } from "./backends.ts";
import { killing, makeStandIns, type StandIn } from "./stand_in.ts";

/** For a command that shall live: more runs of programs than any has. */
export const NEVER = 1000;

/** One run of a program. */
export interface ProgramRun {
  /** Its place among all runs, from 1. */
  readonly nth: number;
  /** The program and its arguments. */
  readonly line: string;
  /** False for what only asks or tests. */
  readonly changes: boolean;
}

/** What is run to ask: to test a script, to tell a version, to list. */
const ASKING =
  / (--test|--version|-e|-j|get-property|get[A-Z]\w+|checkPermanentConfig) |-save |^iptables /;

/**
 * Runs the command on the host. Before its first program there is nothing to put right, so `nth` counts
 * from 1.
 *
 * @param programs Those that are counted, beside tc and sysctl.
 * @returns The programs that it ran.
 */
export async function runKilled(
  { bridgewall, host, programs }: {
    readonly bridgewall: Bridgewall;
    readonly host: string;
    readonly programs: readonly string[];
  },
  args: readonly string[],
  nth: number,
): Promise<readonly ProgramRun[]> {
  const counted = [...new Set([...programs, "tc", "sysctl"])].map(killing);
  await using standIns = await makeStandIns(counted, bridgewall);
  await Deno.writeTextFile(`${standIns.directory}/last`, String(nth));
  const argv = standIns.wrap(bridgewall.argv(args));
  const { code, stderr } = await run(argv, { namespace: host });
  assertEquals(code === 0, nth === NEVER, stderr);
  const log = await Deno.readTextFile(`${standIns.directory}/log`);
  return log.trim().split("\n").map((text, index) => {
    const line = text.replace(/^\d+: /, "");
    return { nth: index + 1, line, changes: !ASKING.test(`${line} `) };
  });
}

/** The runs as lines, for messages. */
export function listRuns(runs: readonly ProgramRun[]): string {
  return runs.map(({ nth, line }) => `${nth}: ${line}`).join("\n");
}

/**
 * The runs after which a kill leaves something of its own: each that changes something, and of those that
 * only ask the first and the last, which are before and after the records are written.
 */
export function turningPoints(runs: readonly ProgramRun[]): readonly ProgramRun[] {
  const asking = runs.filter(({ changes }) => !changes);
  return runs.filter((one) => one.changes || one === asking[0] || one === asking.at(-1));
}

/**
 * The programs that load the backend's rules: they kill the command that started them, and do their work
 * a while later, or have done it before.
 */
export function killingLoads(
  { tools }: BackendUnderTest,
  when: "before" | "after",
): readonly StandIn[] {
  const work = when === "before"
    ? 'kill -KILL $PPID; sleep 0.4; exec "$real" "$@"'
    : '"$real" "$@"; kill -KILL $PPID; exit';
  return tools.filter((tool) => tool === "nft" || tool.endsWith("-restore")).map((program) => ({
    program,
    script: `case " $* " in
  *" --test "*|*" -c "*|*" --check "*) ;;
  *" ${program === "nft" ? "-f" : "--noflush"} "*) ${work} ;;
esac
`,
  }));
}

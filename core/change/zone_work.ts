/** What is done to firewalld, in the order that keeps its configuration valid at every moment. */
import type { Command, Program } from "../command.ts";
import { commandKey } from "./change.ts";
import type { Task } from "./task.ts";

const ZONE_PROGRAMS: readonly Program[] = ["busctl", "firewall-cmd", "install", "rm"];

/** Whether the command is about zones and policies of firewalld, or the files that hold them. */
export function isZoneWork({ program }: Pick<Command, "program">): boolean {
  return ZONE_PROGRAMS.includes(program);
}

/** The words of a command that makes firewalld read its files (firewall-cmd(1), `--reload`). */
export const RELOAD_METHOD = "reload";

/** Methods and options that take an interface out of a zone; those that put it into one come late. */
const RELEASES: readonly string[] = ["removeInterface", "--remove-interface"];

/**
 * Files come before files go, so that no policy ever names a zone without a file: a firewalld that
 * starts at that moment would leave all of the user's configuration aside. An interface leaves its old
 * zone before a file puts it into another, since it cannot be in two, and goes back once firewalld has
 * read what it is not in any more. firewalld reads its files once, whatever was changed.
 */
export function arrangeZoneWork(tasks: readonly Task[]): readonly Task[] {
  const once = new Map<string, Task>();
  for (const task of tasks) {
    const key = commandKey(task.command);
    const known = once.get(key);
    if (known === undefined || known.kind === "removal") once.set(key, task);
  }
  const sorted = [...once.values()]
    .toSorted((one, other) => stageOf(one.command) - stageOf(other.command));
  return joinInterfaces(sorted);
}

/**
 * firewall-cmd takes many interfaces as well as one, and most of its time is for itself. Its words are
 * `--permanent --zone=ZONE --VERB-interface=NAME`.
 */
function joinInterfaces(tasks: readonly Task[]): readonly Task[] {
  const joined = new Map<string, Task>();
  for (const task of tasks) {
    const { command, kind, mayFail } = task;
    const [verb = ""] = command.args.at(-1)?.split("=") ?? [];
    const same = JSON.stringify([kind, mayFail, command.args.slice(0, -1), verb]);
    const key = command.program === "firewall-cmd" ? same : commandKey(command);
    const first = joined.get(key);
    if (first === undefined) joined.set(key, task);
    else {
      const args = [...first.command.args, ...command.args.slice(-1)];
      joined.set(key, { ...first, command: { ...first.command, args } });
    }
  }
  return [...joined.values()];
}

function stageOf({ program, args }: Command): number {
  if (RELEASES.some((word) => args.some((arg) => arg === word || arg.startsWith(`${word}=`)))) {
    return 0;
  }
  if (program === "install") return 1;
  if (program === "rm") return 2;
  return program === "busctl" && args.at(-1) === RELOAD_METHOD ? 3 : 4;
}

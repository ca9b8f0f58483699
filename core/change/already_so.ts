/** Failures that are none: what was to be done was done before. */
import type { Command, CommandResult } from "../command.ts";
import type { Task } from "./task.ts";
import { isZoneWork } from "./zone_work.ts";

/** Whether there was nothing left to do. */
export function isAlreadySo(
  command: Command,
  kind: Task["kind"],
  result: CommandResult,
): boolean {
  const { stderr } = result;
  if (command.program === "conntrack") return isNothingTracked(result);
  if (command.program === "sysctl") return kind === "removal" && NO_SETTING.test(stderr);
  if (command.program === "pfctl") return kind === "removal" && NO_ANCHOR.test(stderr);
  if (!isZoneWork(command)) return false;
  return ZONE_SET.test(stderr) ||
    (kind === "removal" && (NOT_RUNNING.test(stderr) || TAKEN.test(stderr)));
}

/** Whether busctl had nobody to speak with, or is not there itself. */
export function isNobodyThere({ status, stderr }: CommandResult): boolean {
  return status === 127 || (status !== 0 && NOT_RUNNING.test(stderr));
}

/** Whether conntrack(8) failed because it found no connection to end. */
export function isNothingTracked({ stderr }: CommandResult): boolean {
  return NOTHING_TRACKED.test(stderr);
}

/** sysctl(8) says so of an interface that is gone, and its settings with it. */
const NO_SETTING = /\bcannot stat .*: No such file or directory/;

const NOTHING_TRACKED = /\b0 flow entries have been deleted/;

/**
 * To flush an anchor that is not there is an error since FreeBSD 15, and without its module pf holds
 * nothing at all: what is to go is gone.
 */
const NO_ANCHOR = /\bAnchor (or Ruleset )?does not exist|\/dev\/pf: No such file/;

/** firewalld says so of an interface that is in no zone, or in that zone already. */
const ZONE_SET = /\b(UNKNOWN_INTERFACE|NOT_ENABLED|ALREADY_ENABLED|ZONE_ALREADY_SET)\b/;

/** firewalld says so of an interface that somebody else has put into another zone since. */
const TAKEN = /\bZONE_CONFLICT\b/;

/**
 * busctl says so where no firewalld runs, in the words of dbus-daemon, of dbus-broker, and without a bus:
 * then it has no rules, and starts from its files.
 */
const NOT_RUNNING =
  /was not provided by any \.service|(Name ".*"|Destination) does not exist|does not have an owner|is not activatable|Failed to connect to .*(bus|transport)/;

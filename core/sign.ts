/** Where a change shows that may have been made to what stands. */
import type { Command } from "./command.ts";

/** Something to be looked at; what it shows is only a reason to compare all with the records. */
export type Sign =
  /** A program that goes on and prints a line for each change on the host; some may be of ours. */
  | {
    readonly kind: "lines";
    readonly command: Command;
    readonly mayBeOurs: (line: string) => boolean;
  }
  /** Commands to be run again and again: as long as what they print is the same, nothing has changed. */
  | {
    readonly kind: "listings";
    readonly commands: readonly Command[];
    /** What is compared of an output: without what changes by itself, such as counters. */
    readonly comparable: (output: string) => string;
  };

/** Prints each change of each table as it happens, and then who made it (nft(8), MONITOR). */
export const NFT_MONITOR: Command = { program: "nft", args: ["monitor"] };

/** A line of it that tells who made what the lines before it say. */
const AUTHOR = /^# new generation \d+ by process (\d+) \((.*)\)$/;

/** `nft, process 4711`, of the line that tells it; undefined for all others. */
export function authorOf(line: string): string | undefined {
  const [, process, name] = AUTHOR.exec(line) ?? [];
  return process === undefined ? undefined : `${name}, process ${process}`;
}

/** Links that come and go, and forwarding that is switched on or off (ip-monitor(8)). */
const IP_MONITOR: Command = {
  program: "ip",
  args: ["-o", "monitor", "link", "address", "netconf"],
};

/**
 * Bridges that are made again, forwarding that is switched off, and addresses that the host loses.
 *
 * @param bridges Those of the networks on record.
 */
export function linkSigns(bridges: readonly string[]): readonly Sign[] {
  const ours = new Set(bridges);
  return [{
    kind: "lines",
    command: IP_MONITOR,
    mayBeOurs: (line) => {
      if (/^inet6? all forwarding off/.test(line)) return true;
      const [, , link] = /^(Deleted )?\d+: ([^\s:@]+)/.exec(line) ?? [];
      return link !== undefined && ours.has(link);
    },
  }];
}

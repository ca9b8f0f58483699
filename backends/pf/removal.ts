/** How anchors go, and how it is told from their removal which there are. */
import { commandsOf, type RemovalGroup } from "../../core/change/change.ts";
import type { Command } from "../../core/command.ts";

/** Rules, translation and tables of an anchor, not states, nor anchors below it. */
const FLUSH = ["-F", "all"];

/** Takes each away by itself. */
export function flushGroups(paths: readonly string[]): readonly RemovalGroup[] {
  return paths.map((path): Command => ({ program: "pfctl", args: ["-a", path, ...FLUSH] }))
    .map((command) => ({ commands: [command], ignoreErrors: false }));
}

/** The anchors that these removals flush: they hold the rules of the installations. */
export function flushedPaths(
  installations: Parameters<typeof commandsOf>[0],
): readonly string[] {
  return commandsOf(installations).flatMap(({ program, args: [option, path, ...rest] }) =>
    program === "pfctl" && option === "-a" && path !== undefined &&
      rest.join(" ") === FLUSH.join(" ")
      ? [path]
      : []
  );
}

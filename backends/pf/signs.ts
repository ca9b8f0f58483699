/** How a change of our anchors shows: pf tells nobody of its changes, so it is listed. */
import type { Command } from "../../core/command.ts";
import type { Sign } from "../../core/sign.ts";
import { FILTER_QUESTION, STATUS_QUESTION, TRANSLATION_QUESTION } from "./main_ruleset.ts";

/** The way outside: translation follows it. */
const WAY_QUESTION: Command = { program: "route", args: ["-n", "-4", "get", "default"] };

/**
 * A few programs, however many networks there are: pfctl(8) prints all anchors below one. What is in tables
 * is not looked at.
 */
export function anchorSigns(root: string): readonly Sign[] {
  const below = (what: string): Command => ({
    program: "pfctl",
    args: ["-a", `${root}/*`, "-s", what],
  });
  return [{
    kind: "listings",
    commands: [
      STATUS_QUESTION,
      TRANSLATION_QUESTION,
      FILTER_QUESTION,
      below("nat"),
      below("rules"),
      WAY_QUESTION,
    ],
    comparable: withoutStatistics,
  }];
}

/** `-s info` is whether pf is enabled, and much that it has counted; route(8) tells of metrics, too. */
function withoutStatistics(output: string): string {
  const [, status] = /^(Status: \w+)/m.exec(output) ?? [];
  if (status !== undefined) return status;
  const [, way] = /^\s*interface: (\S+)/m.exec(output) ?? [];
  return way ?? output;
}

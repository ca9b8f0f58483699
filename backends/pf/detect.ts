/** Can this host use pf? */
import { askQuestions } from "../../core/commands/snapshot.ts";
import type { Detection } from "../../core/firewall_backend.ts";
import type { Host } from "../../core/host.ts";
import {
  anchorLines,
  FILTER_QUESTION,
  findProblems,
  readStatus,
  STATUS_QUESTION,
  TRANSLATION_QUESTION,
} from "./main_ruleset.ts";

/**
 * pf can be used as soon as it answers: rules can be loaded while it is disabled, and before the main
 * ruleset lets packets into them. What is missing then is the hint.
 */
export async function detectPf(root: string, host: Host): Promise<Detection> {
  if (host.platform !== "freebsd") {
    return { usable: false, evidence: "pf is a firewall of FreeBSD, and this host is none" };
  }
  const answers = await askQuestions(host, [
    STATUS_QUESTION,
    TRANSLATION_QUESTION,
    FILTER_QUESTION,
  ]);
  const status = answers.to(STATUS_QUESTION);
  const pf = status === undefined ? undefined : readStatus(status);
  if (pf?.kind === "absent") {
    return { usable: false, evidence: pf.problem.sentence, hint: pf.problem.fix };
  }
  const problems = findProblems(root, [], answers);
  if (problems.length === 0) {
    return { usable: true, evidence: `pf is enabled and has the anchors ${anchorNames(root)}` };
  }
  return {
    usable: true,
    evidence: problems.map(({ sentence }) => sentence).join("; "),
    hint: problems.map(({ fix }) => fix).join("\n"),
  };
}

function anchorNames(root: string): string {
  return anchorLines(root).map((line) => `\`${line}\``).join(", ");
}

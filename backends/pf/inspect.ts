/** What is live in pf, compared with what the policies ask for. */
import { type Command, firstLine } from "../../core/command.ts";
import { NO_FACTS } from "../../core/commands/prepare.ts";
import { askQuestions } from "../../core/commands/snapshot.ts";
import type { Answers, Drift, Inspection, InstalledPolicy } from "../../core/firewall_backend.ts";
import { type Host, HostError, type HostFacts } from "../../core/host.ts";
import type { CompiledPolicy } from "../../core/policy/policy.ts";
import { printable, quoted } from "../../core/quoted.ts";
import { anchorPaths, BEYOND_SIGN, GUARD_SIGN, masqueradePath } from "./anchor_path.ts";
import { counterQuestions, countTraffic } from "./counters.ts";
import { compareAnchor, listingQuestions } from "./listing.ts";
import { findProblems, printedBy, QUESTIONS, readStatus, STATUS_QUESTION } from "./main_ruleset.ts";
import { masqueradeAnchor, masqueradeSurroundings, prefixTables } from "./masquerade.ts";
import type { Anchor } from "./rules.ts";
import { networkAnchors } from "./ruleset.ts";
import { SETTINGS_QUESTION } from "./settings.ts";
import { devicesOf, type Surroundings, surroundingsOf, surroundingsThen } from "./surroundings.ts";

/** Asks for each anchor by itself: pfctl of FreeBSD 13 and 14 lists no anchors below another. */
export async function inspectAnchors(
  root: string,
  host: Host,
  installed: readonly InstalledPolicy[],
): Promise<Inspection> {
  if (installed.length === 0) return { networks: [], drift: [] };
  const policies = installed.map(({ policy }) => policy);
  const facts = await host.facts({ ...NO_FACTS, routes: ["ipv4"] });
  const listings = policies.flatMap((policy) => questionsOf(root, policy));
  const general = [...QUESTIONS, SETTINGS_QUESTION, anchorsQuestion(root)];
  const answers = await askQuestions(host, [...general, ...listings]);
  const status = answers.to(STATUS_QUESTION);
  const pf = status === undefined ? undefined : readStatus(status);
  if (pf?.kind === "absent") {
    throw new HostError(`Cannot list the rules of pf: ${pf.problem.sentence}`, pf.problem.fix);
  }
  listings.forEach((question) => refuseSilence(question, answers));
  return compareAll(root, policies, facts, answers);
}

/** What pfctl says of an anchor or a table that is not there, by its version. */
const MISSING = /does not exist|Invalid argument/;

function refuseSilence(question: Command, answers: Answers): void {
  const { status, stderr } = answers.to(question) ?? { status: 0, stderr: "" };
  if (status === 0 || MISSING.test(stderr)) return;
  throw new HostError(
    `Cannot list the rules of pf: pfctl ${question.args.join(" ")}: ${
      printable(firstLine(stderr)) || `status ${status}`
    }`,
  );
}

function questionsOf(root: string, policy: CompiledPolicy): readonly Command[] {
  const tables = policy.kind === "masquerade" ? prefixTables(policy) : [];
  return [
    ...pathsOf(root, policy).flatMap((path) => listingQuestions(path, tables)),
    ...counterQuestions(root, policy),
  ];
}

/** The anchors that it may have. */
function pathsOf(root: string, policy: CompiledPolicy): readonly string[] {
  if (policy.kind === "masquerade") return [masqueradePath(root)];
  const { guard, bridge, beyond, redirections } = anchorPaths(root, policy);
  const publishes = policy.families.some(({ published }) => published.length > 0);
  return [guard, bridge, beyond, ...(publishes ? [redirections] : [])];
}

/** Names what is below an anchor, one path a line: children, or all descendants (FreeBSD 15). */
function anchorsQuestion(root: string): Command {
  return { program: "pfctl", args: ["-a", root, "-s", "Anchors"] };
}

function compareAll(
  root: string,
  policies: readonly CompiledPolicy[],
  facts: Pick<HostFacts, "routes" | "kernel">,
  answers: Answers,
): Inspection {
  const surroundings = surroundingsOf(root, facts, answers);
  const devices = [...new Set(policies.flatMap((policy) => devicesOf(policy, surroundings)))];
  const each = policies.map((policy) => ({
    policy,
    now: policy.kind === "masquerade"
      ? masqueradeSurroundings(surroundings, answers)
      : surroundingsThen(policy, surroundings, answers),
  }));
  return {
    networks: each.map(({ policy, now }) => countTraffic(now, policy, answers)),
    drift: [
      ...findProblems(root, devices, answers).map(({ sentence }) => ({ difference: sentence })),
      ...each.flatMap(({ policy, now }) => networkDrift(policy, now, answers)),
      ...strayAnchors(root, policies, answers),
    ],
  };
}

function networkDrift(
  policy: CompiledPolicy,
  now: Surroundings,
  answers: Answers,
): readonly Drift[] {
  const { network } = policy;
  return anchorsOf(policy, now).flatMap((anchor) => {
    const found = compareAnchor(anchor, answers);
    if (found.kind !== "different") return [];
    return found.isEmpty
      ? [{ network, difference: `Anchor "${anchor.path}" is empty: its rules are gone` }]
      : found.differences.map((difference) => ({ network, difference }));
  });
}

function anchorsOf(policy: CompiledPolicy, now: Surroundings): readonly Anchor[] {
  return policy.kind === "masquerade"
    ? [masqueradeAnchor(policy, now)]
    : networkAnchors(policy, now);
}

/** Of what is left of a network that nobody remembers, the parts that only this program makes. */
function strayAnchors(
  root: string,
  policies: readonly CompiledPolicy[],
  answers: Answers,
): readonly Drift[] {
  const known = new Set(policies.flatMap((policy) => pathsOf(root, policy)));
  const listed = printedBy(answers, anchorsQuestion(root)).split("\n")
    .map((line) => line.trim());
  return [...new Set(listed)].filter((path) => isOurs(root, path) && !known.has(path))
    .map((path) => ({ difference: `Anchor ${quoted(path)} belongs to no network` }));
}

function isOurs(root: string, path: string): boolean {
  return [GUARD_SIGN, BEYOND_SIGN].some((sign) => path.startsWith(`${root}/${sign}`));
}

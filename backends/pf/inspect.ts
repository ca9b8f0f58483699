/** What is live in pf, compared with what the policies ask for. */
import { type Command, firstLine } from "../../core/command.ts";
import { NO_FACTS } from "../../core/commands/prepare.ts";
import { askQuestions } from "../../core/commands/snapshot.ts";
import {
  addTraffic,
  type Answers,
  type Drift,
  type Inspection,
  type InstalledPolicy,
  type NetworkInspection,
  type Traffic,
} from "../../core/firewall_backend.ts";
import { type Host, HostError, type HostFacts } from "../../core/host.ts";
import { type FilteredPolicy, isFiltered } from "../../core/policy/policy.ts";
import { printable, quoted } from "../../core/quoted.ts";
import { anchorPaths, BEYOND_SIGN, GUARD_SIGN } from "./anchor_path.ts";
import { GUESTS_IN, GUESTS_OUT, REJECTED } from "./bridge_rules.ts";
import { compareAnchor, listingQuestions } from "./listing.ts";
import { findProblems, printedBy, QUESTIONS, readStatus, STATUS_QUESTION } from "./main_ruleset.ts";
import { networkAnchors } from "./ruleset.ts";
import { devicesOf, type Surroundings, surroundingsOf, surroundingsThen } from "./surroundings.ts";

/** Asks for each anchor by itself: pfctl of FreeBSD 13 and 14 lists no anchors below another. */
export async function inspectAnchors(
  root: string,
  host: Host,
  installed: readonly InstalledPolicy[],
): Promise<Inspection> {
  if (installed.length === 0) return { networks: [], drift: [] };
  const policies = installed.map(({ policy }) => policy).filter(isFiltered);
  const facts = await host.facts({ ...NO_FACTS, routes: ["ipv4"] });
  const listings = policies.flatMap((policy) => questionsOf(root, policy));
  const answers = await askQuestions(host, [...QUESTIONS, anchorsQuestion(root), ...listings]);
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
      printable(firstLine(stderr))
    }`,
  );
}

function questionsOf(root: string, policy: FilteredPolicy): readonly Command[] {
  const { guard, bridge, beyond } = anchorPaths(root, policy);
  const paths = [guard, bridge, beyond];
  return [...paths.flatMap(listingQuestions), ...paths.map(labelsQuestion)];
}

/** Names what is below an anchor, one path a line: children, or all descendants (FreeBSD 15). */
function anchorsQuestion(root: string): Command {
  return { program: "pfctl", args: ["-a", root, "-s", "Anchors"] };
}

function labelsQuestion(path: string): Command {
  return { program: "pfctl", args: ["-a", path, "-s", "labels"] };
}

function compareAll(
  root: string,
  policies: readonly FilteredPolicy[],
  facts: Pick<HostFacts, "routes">,
  answers: Answers,
): Inspection {
  const surroundings = surroundingsOf(root, facts);
  const devices = [...new Set(policies.flatMap((policy) => devicesOf(policy, surroundings)))];
  return {
    networks: policies.map((policy) => networkTraffic(root, policy, answers)),
    drift: [
      ...findProblems(root, devices, answers).map(({ sentence }) => ({ difference: sentence })),
      ...policies.flatMap((policy) => networkDrift(policy, surroundings, answers)),
      ...strayAnchors(root, policies, answers),
    ],
  };
}

function networkDrift(
  policy: FilteredPolicy,
  surroundings: Surroundings,
  answers: Answers,
): readonly Drift[] {
  const now = surroundingsThen(policy, surroundings, answers);
  return networkAnchors(policy, now).flatMap((anchor) => {
    const found = compareAnchor(anchor, answers);
    if (found.kind !== "different") return [];
    const { network } = policy;
    return found.isEmpty
      ? [{ network, difference: `Anchor "${anchor.path}" is empty: its rules are gone` }]
      : found.differences.map((difference) => ({ network, difference }));
  });
}

/** Of what is left of a network that nobody remembers, the parts that only this program makes. */
function strayAnchors(
  root: string,
  policies: readonly FilteredPolicy[],
  answers: Answers,
): readonly Drift[] {
  const known = new Set(
    policies.map((policy) => anchorPaths(root, policy)).flatMap((
      { guard, beyond },
    ) => [guard, beyond]),
  );
  const listed = printedBy(answers, anchorsQuestion(root)).split("\n")
    .map((line) => line.trim());
  return [...new Set(listed)].filter((path) => isOurs(root, path) && !known.has(path))
    .map((path) => ({ difference: `Anchor ${quoted(path)} belongs to no network` }));
}

function isOurs(root: string, path: string): boolean {
  return [GUARD_SIGN, BEYOND_SIGN].some((sign) => path.startsWith(`${root}/${sign}`));
}

/**
 * One line for each rule: label, evaluations, packets and bytes of all, coming in, going out, and states
 * (pfctl(8), `-s labels`). Packets that a state lets through count for the rule that made the state.
 */
function networkTraffic(root: string, policy: FilteredPolicy, answers: Answers): NetworkInspection {
  const { network } = policy;
  const { name, guard, bridge, beyond } = anchorPaths(root, policy);
  const onBridge = countedLines(bridge, answers);
  if (onBridge.length === 0) return { network };
  const everywhere = [guard, bridge, beyond].flatMap((path) => countedLines(path, answers));
  const sum = (lines: readonly CountedLine[], what: string, packets: number): Traffic => {
    const own = lines.filter(({ label }) => `${label} `.startsWith(`${name} ${what} `));
    const add = (index: number): number =>
      own.reduce((total, { numbers }) => total + (numbers[index] ?? 0), 0);
    return { packets: add(packets), bytes: add(packets + 1) };
  };
  const [all, incoming, outgoing] = [1, 3, 5];
  return {
    network,
    traffic: {
      // Coming in on the bridge is going out of the network.
      out: addTraffic(sum(onBridge, GUESTS_OUT, incoming), sum(onBridge, GUESTS_IN, incoming)),
      in: addTraffic(sum(onBridge, GUESTS_OUT, outgoing), sum(onBridge, GUESTS_IN, outgoing)),
      rejected: sum(everywhere, REJECTED, all),
    },
  };
}

interface CountedLine {
  readonly label: string;
  readonly numbers: readonly number[];
}

function countedLines(path: string, answers: Answers): readonly CountedLine[] {
  const lines = printedBy(answers, labelsQuestion(path)).split("\n");
  return lines.flatMap((line) => {
    const [, label, numbers = ""] = /^\s*(.+?)((?: \d+){8})$/.exec(line) ?? [];
    return label === undefined ? [] : [{ label, numbers: numbers.trim().split(" ").map(Number) }];
  });
}

/** What pf has counted for a network: packets that a state lets through count for what made the state. */
import type { Command } from "../../core/command.ts";
import {
  addTraffic,
  type Answers,
  type NetworkInspection,
  type Traffic,
} from "../../core/firewall_backend.ts";
import { formatSubnet } from "../../core/address.ts";
import { formatSpec } from "../../core/network/published_port.ts";
import type { CompiledPolicy, FilteredPolicy } from "../../core/policy/policy.ts";
import { anchorPaths, masqueradePath } from "./anchor_path.ts";
import { GUESTS_IN, GUESTS_OUT, REJECTED } from "./bridge_rules.ts";
import { printedTranslation } from "./listing.ts";
import { printedBy } from "./main_ruleset.ts";
import { translationOf } from "./masquerade.ts";
import { PUBLISHED, redirectionsOf } from "./published.ts";
import type { Surroundings } from "./surroundings.ts";

/** All that {@linkcode countTraffic} reads. */
export function counterQuestions(root: string, policy: CompiledPolicy): readonly Command[] {
  if (policy.kind === "masquerade") return [translationQuestion(masqueradePath(root))];
  const { guard, bridge, beyond, redirections } = anchorPaths(root, policy);
  const publishes = policy.families.some(({ published }) => published.length > 0);
  return [
    ...[guard, bridge, beyond].map(labelsQuestion),
    ...(publishes ? [translationQuestion(redirections)] : []),
  ];
}

/** One line for each rule with a label: see `-s labels` in pfctl(8). */
function labelsQuestion(path: string): Command {
  return { program: "pfctl", args: ["-a", path, "-s", "labels"] };
}

/** Translation rules, each with a line of what it has counted. */
function translationQuestion(path: string): Command {
  return { program: "pfctl", args: ["-a", path, "-v", "-P", "-s", "nat"] };
}

/** What is live for the network, or the prefixes of none. */
export function countTraffic(
  surroundings: Surroundings,
  policy: CompiledPolicy,
  answers: Answers,
): NetworkInspection {
  return policy.kind === "masquerade"
    ? { network: policy.network, ...countedPrefixes(surroundings, policy, answers) }
    : {
      network: policy.network,
      ...networkTraffic(surroundings.root, policy, answers),
      ...countedPorts(surroundings, policy, answers),
    };
}

/**
 * One line for each rule: label, evaluations, packets and bytes of all, coming in, going out, and states.
 * Published ports bring in and take out what belongs to their connections.
 */
function networkTraffic(
  root: string,
  policy: FilteredPolicy,
  answers: Answers,
): Pick<NetworkInspection, "traffic"> {
  const { name, guard, bridge, beyond } = anchorPaths(root, policy);
  const onBridge = countedLines(bridge, answers);
  if (onBridge.length === 0) return {};
  const everywhere = [guard, bridge, beyond].flatMap((path) => countedLines(path, answers));
  const sum = (lines: readonly CountedLine[], what: string, packets: number): Traffic => {
    const own = lines.filter(({ label }) => `${label} `.startsWith(`${what} `));
    const add = (index: number): number =>
      own.reduce((total, { numbers }) => total + (numbers[index] ?? 0), 0);
    return { packets: add(packets), bytes: add(packets + 1) };
  };
  const [all, incoming, outgoing] = [1, 3, 5];
  const passed = (direction: number): Traffic =>
    [`${name} ${GUESTS_OUT}`, `${name} ${GUESTS_IN}`, PUBLISHED]
      .map((what) => sum(onBridge, what, direction)).reduce(addTraffic);
  return {
    traffic: {
      // Coming in on the bridge is going out of the network.
      out: passed(incoming),
      in: passed(outgoing),
      rejected: sum(everywhere, `${name} ${REJECTED}`, all),
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

function countedPorts(
  { root, seesLocal = false }: Surroundings,
  policy: FilteredPolicy,
  answers: Answers,
): Pick<NetworkInspection, "counted"> {
  const { name, redirections } = anchorPaths(root, policy);
  const rules = countedRules(redirections, answers);
  const all = policy.families.flatMap(({ published }) => published).flatMap((published) => {
    const own = redirectionsOf(name, published, seesLocal)
      .flatMap((rule) => rules.get(printedTranslation(rule)) ?? []);
    return own.length === 0 ? [] : [[formatSpec(published), own.reduce(addTraffic)] as const];
  });
  return all.length === 0 ? {} : { counted: new Map(all) };
}

function countedPrefixes(
  { root, defaultInterface }: Surroundings,
  { families }: Extract<CompiledPolicy, { readonly kind: "masquerade" }>,
  answers: Answers,
): Pick<NetworkInspection, "counted"> {
  if (defaultInterface === undefined) return {};
  const rules = countedRules(masqueradePath(root), answers);
  const all = families.flatMap(({ prefixes }) => prefixes).flatMap((prefix) => {
    const traffic = rules.get(printedTranslation(translationOf(prefix, defaultInterface)));
    return traffic === undefined ? [] : [[formatSubnet(prefix), traffic] as const];
  });
  return all.length === 0 ? {} : { counted: new Map(all) };
}

/** By the rule as it is printed. */
function countedRules(path: string, answers: Answers): ReadonlyMap<string, Traffic> {
  const text = printedBy(answers, translationQuestion(path));
  const found = text.matchAll(
    /^(\S.*)\n\s+\[ Evaluations: \d+ +Packets: (\d+) +Bytes: (\d+) /gm,
  );
  return new Map(
    [...found].map(([, rule = "", packets, bytes]) =>
      [rule, { packets: Number(packets), bytes: Number(bytes) }] as const
    ),
  );
}

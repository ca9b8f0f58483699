/** One network → what installs and removes its anchors. */
import type { NetworkChange, RemovalGroup, Step } from "../../core/change/change.ts";
import { type Facts, zoneWarnings } from "../../core/firewall_backend.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { anchorPaths } from "./anchor_path.ts";
import { endingCommands, endingSteps, strayEndings } from "./connections.ts";
import { compareAnchor, tablesLeft } from "./listing.ts";
import { publishedWarnings, withoutPublished } from "./published_listing.ts";
import { flushGroups } from "./removal.ts";
import type { Anchor } from "./rules.ts";
import { networkAnchors } from "./ruleset.ts";
import { formatAnchor } from "./script.ts";
import { strangersWarnings } from "./strangers.ts";
import {
  externalInterface,
  isTranslated,
  type Surroundings,
  surroundingsThen,
} from "./surroundings.ts";

/**
 * Loads what differs, and ends the connections that would not begin by now.
 *
 * @param isNew True when the network comes up for the first time.
 */
export function networkChange(
  policy: FilteredPolicy,
  known: Surroundings,
  answers: Facts["answers"],
  isNew: boolean,
): NetworkChange {
  const { name } = anchorPaths(known.root, policy);
  const surroundings = surroundingsThen(policy, known, answers);
  const anchors = networkAnchors(policy, surroundings);
  const changed = anchors.filter((anchor) => compareAnchor(anchor, answers).kind !== "equal");
  // What let connections begin that would not be allowed now: other rules, or none.
  const endings = isNew || isDifferent(policy, surroundings, answers)
    ? endingSteps(name, policy, isNew)
    : strayEndings(policy, anchors, answers);
  return {
    network: policy.network,
    install: [
      ...changed.flatMap((anchor) => [
        loadStep(`network ${quoted(policy.network)}`, anchor),
        ...tableSteps(policy, anchor, answers),
      ]),
      ...endings,
    ],
    removal: removalGroups(name, policy, anchors.map(({ path }) => path)),
    warnings: [
      ...zoneWarnings(policy, "pf"),
      ...lostWay(policy, known, surroundings),
      ...strangersWarnings(policy, surroundings),
      ...(changed.length === 0 ? [] : publishedWarnings(policy, surroundings, answers)),
    ],
  };
}

/**
 * Whether more than published ports is not as it should be: those let nobody in but by themselves, and the
 * connections of one that goes end with it.
 */
function isDifferent(
  policy: FilteredPolicy,
  surroundings: Surroundings,
  answers: Facts["answers"],
): boolean {
  const { root } = surroundings;
  const { name, redirections: path } = anchorPaths(root, policy);
  const families = policy.families.map((one) => ({ ...one, published: [] }));
  const plain = networkAnchors({ ...policy, families }, surroundings);
  return [...plain, { path, tables: [], translation: [], filter: [] }].some((anchor) =>
    compareAnchor(anchor, answers, withoutPublished(name)).kind === "different"
  );
}

function lostWay(
  policy: FilteredPolicy,
  known: Surroundings,
  { defaultInterface: way }: Surroundings,
): readonly string[] {
  if (!isTranslated(policy) || externalInterface(policy, known) !== undefined) return [];
  const { network } = policy;
  const consequence = way === undefined
    ? "its guests reach nothing outside"
    : `its guests' packets are translated on ${quoted(way)}, as before`;
  return [
    `The host has no default route for IPv4, so network ${quoted(network)} has no way out: ` +
    `${consequence} until it has one and \`bridgewall reload\` is run`,
  ];
}

/**
 * Puts these rules into the place of what the anchor holds.
 *
 * @param whose The end of "load the pf rules of".
 */
export function loadStep(whose: string, anchor: Anchor): Step {
  return {
    purpose: `load the pf rules of ${whose}`,
    command: {
      program: "pfctl",
      args: ["-a", anchor.path, "-f", "-"],
      stdin: formatAnchor(anchor),
    },
  };
}

/** A load leaves tables alone that it does not speak of. */
function tableSteps(
  { network }: FilteredPolicy,
  anchor: Anchor,
  answers: Facts["answers"],
): readonly Step[] {
  return tablesLeft(anchor, answers).map((name) => ({
    purpose: `remove a pf table of network ${quoted(network)}`,
    command: { program: "pfctl", args: ["-a", anchor.path, "-t", name, "-T", "kill"] },
  }));
}

/** The states go when no rule makes new ones. */
function removalGroups(
  name: string,
  policy: FilteredPolicy,
  paths: readonly string[],
): readonly RemovalGroup[] {
  return [
    ...flushGroups(paths),
    ...endingCommands(name, policy).map((command) => ({ commands: [command], ignoreErrors: true })),
  ];
}

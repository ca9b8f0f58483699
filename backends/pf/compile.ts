/** Policies → Change, for pf. */
import {
  type Change,
  commandsOf,
  type NetworkChange,
  type RemovalGroup,
  type Step,
} from "../../core/change/change.ts";
import type { Command } from "../../core/command.ts";
import { type Facts, UnsupportedNetworkError, zoneWarnings } from "../../core/firewall_backend.ts";
import { HostError } from "../../core/host.ts";
import { formatPlace } from "../../core/network/network_error.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { anchorPaths } from "./anchor_path.ts";
import { memberProblems } from "./bridge_members.ts";
import { endingCommands, endingSteps } from "./connections.ts";
import { compareAnchor, tablesLeft } from "./listing.ts";
import { findProblems } from "./main_ruleset.ts";
import { networkAnchors } from "./ruleset.ts";
import { type Anchor, formatAnchor } from "./script.ts";
import {
  devicesOf,
  externalInterface,
  isTranslated,
  type Surroundings,
  surroundingsOf,
  surroundingsThen,
} from "./surroundings.ts";

/**
 * The scripts that install and remove the networks' rules, up to three anchors for each network.
 *
 * `pfctl -f` puts what it reads into the place of all that an anchor held, in one transaction; what is
 * there already is not loaded again. States are not touched by that: only a network that goes takes the
 * states of its guests with it.
 *
 * @param root The anchor above those of all networks.
 * @throws {UnsupportedNetworkError} For networks with IPv6 addresses.
 * @throws {HostError} When nobody knows by which interface translated packets would leave.
 */
export function compileChange(
  root: string,
  policies: readonly FilteredPolicy[],
  facts: Facts,
): Change {
  policies.forEach(refuseIpv6);
  const surroundings = surroundingsOf(root, facts.host);
  const standing = new Set(flushedPaths(facts.records));
  const isNew = (policy: FilteredPolicy): boolean =>
    !standing.has(anchorPaths(root, policy).bridge);
  // What stood before is never refused.
  policies.filter((policy) => isNew(policy) && facts.again?.has(policy.network) !== true)
    .forEach((policy) => refuseUnknownWay(policy, surroundings));
  const warnings = policies.length === 0
    ? []
    : hostWarnings(policies.flatMap((policy) => devicesOf(policy, surroundings)), root, facts);
  return {
    networks: policies.map((policy, index) => {
      const change = networkChange(policy, surroundings, facts.answers, isNew(policy));
      return index > 0 ? change : { ...change, warnings: [...change.warnings, ...warnings] };
    }),
    // A load takes the place of all that was there: nothing has to be taken away beforehand.
    reset: [],
    unseen: [],
  };
}

/** What keeps the rules from working, once for all networks. */
function hostWarnings(
  devices: readonly string[],
  root: string,
  { answers }: Facts,
): readonly string[] {
  return [...findProblems(root, devices, answers), ...memberProblems(answers)]
    .map(({ sentence, fix }) => `${sentence}.\n${fix}`);
}

function refuseIpv6({ families }: FilteredPolicy): void {
  const ipv6 = families.find(({ family }) => family === "ipv6");
  if (ipv6 === undefined) return;
  const where = ipv6.place === undefined ? "" : `${formatPlace(ipv6.place)}: `;
  throw new UnsupportedNetworkError(
    `${where}FreeBSD's pf backend supports IPv4 only`,
    "Remove the <ip family='ipv6'> elements of the network",
  );
}

function refuseUnknownWay(policy: FilteredPolicy, surroundings: Surroundings): void {
  if (!isTranslated(policy) || externalInterface(policy, surroundings) !== undefined) return;
  throw new HostError(
    `Cannot translate the packets of network ${quoted(policy.network)}: the host has no default ` +
      "route for IPv4, which would tell by which interface they leave",
    "Set a default route, or name the interface in the definition: <forward mode='nat' dev='…'/>. " +
      "A plan for another host takes `--default-interface`",
  );
}

/** @param isNew True when the network comes up for the first time. */
function networkChange(
  policy: FilteredPolicy,
  known: Surroundings,
  answers: Facts["answers"],
  isNew: boolean,
): NetworkChange {
  const paths = anchorPaths(known.root, policy);
  const surroundings = surroundingsThen(policy, known, answers);
  const anchors = networkAnchors(policy, surroundings).map((anchor) => ({
    anchor,
    found: compareAnchor(anchor, answers),
  }));
  // What let connections begin that would not be allowed now: other rules, or none.
  const ends = isNew || anchors.some(({ found }) => found.kind === "different");
  const changed = anchors.filter(({ found }) => found.kind !== "equal");
  return {
    network: policy.network,
    install: [
      ...changed.flatMap(({ anchor }) => [
        loadStep(policy, anchor),
        ...tableSteps(policy, anchor, answers),
      ]),
      ...(ends ? endingSteps(paths.name, policy) : []),
    ],
    removal: removalGroups(paths.name, policy, anchors.map(({ anchor }) => anchor.path)),
    warnings: [...zoneWarnings(policy, "pf"), ...lostWay(policy, known, surroundings)],
  };
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

function loadStep({ network }: FilteredPolicy, anchor: Anchor): Step {
  return {
    purpose: `load the pf rules of network ${quoted(network)}`,
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
  const flushes = paths.map((path): Command => ({
    program: "pfctl",
    args: ["-a", path, ...FLUSH],
  }));
  return [
    ...flushes.map((command) => ({ commands: [command], ignoreErrors: false })),
    ...endingCommands(name, policy).map((command) => ({ commands: [command], ignoreErrors: true })),
  ];
}

/** Rules, translation and tables of an anchor, not states. */
const FLUSH = ["-F", "all"];

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

/** Policies → Change, for pf. */
import { formatSubnet } from "../../core/address.ts";
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
import { type AnchorPaths, anchorPaths } from "./anchor_path.ts";
import { memberProblems } from "./bridge_members.ts";
import { GUESTS_IN } from "./bridge_rules.ts";
import { compareAnchor, tablesLeft } from "./listing.ts";
import { findProblems, STATUS_QUESTION } from "./main_ruleset.ts";
import { networkAnchors } from "./ruleset.ts";
import { type Anchor, formatAnchor } from "./script.ts";
import { devicesOf, externalInterface, type Surroundings, surroundingsOf } from "./surroundings.ts";

/**
 * The scripts that install and remove the networks' rules, two anchors for each network.
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
  policies.filter(({ network }) => facts.again?.has(network) !== true)
    .forEach((policy) => refuseUnknownWay(policy, surroundings));
  const warnings = policies.length === 0
    ? []
    : hostWarnings(policies.flatMap((policy) => devicesOf(policy, surroundings)), root, facts);
  return {
    networks: policies.map((policy, index) => {
      const change = networkChange(policy, surroundings, facts);
      return index > 0 ? change : { ...change, warnings: [...change.warnings, ...warnings] };
    }),
    // A load takes the place of all that was there: nothing has to be taken away beforehand.
    reset: [],
    unseen: facts.answers.to(STATUS_QUESTION)?.status === 127 ? ["pfctl"] : [],
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
  if (policy.mode !== "nat" || externalInterface(policy, surroundings) !== undefined) return;
  throw new HostError(
    `Cannot translate the packets of network ${quoted(policy.network)}: the host has no default ` +
      "route for IPv4, which would tell by which interface they leave",
    "Set a default route, or name the interface in the definition: <forward mode='nat' dev='…'/>. " +
      "A plan for another host takes `--default-interface`",
  );
}

function networkChange(
  policy: FilteredPolicy,
  surroundings: Surroundings,
  { answers, records }: Facts,
): NetworkChange {
  const paths = anchorPaths(surroundings.root, policy);
  const anchors = networkAnchors(policy, surroundings).map((anchor) => ({
    anchor,
    found: compareAnchor(anchor, answers),
  }));
  const isNew = !records.some((record) => flushedPaths([record]).includes(paths.bridge));
  // What let connections begin that would not be allowed now: other rules, or none.
  const ends = isNew || anchors.some(({ found }) => found.kind === "different" && !found.isEmpty);
  return {
    network: policy.network,
    install: [
      ...anchors.filter(({ found }) => found.kind !== "equal")
        .flatMap((
          { anchor },
        ) => [loadStep(policy, anchor), ...tableSteps(policy, anchor, answers)]),
      ...(ends ? statesOf(paths.name, policy).map((command) => endStep(policy, command)) : []),
    ],
    removal: removalGroups(paths, policy),
    warnings: zoneWarnings(policy, "pf"),
  };
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

/** States let packets pass that the rules would stop by now. */
function endStep({ network }: FilteredPolicy, command: Command): Step {
  const loss = `Connections of network ${quoted(network)} may go on that the rules do not allow`;
  return {
    purpose: `end the connections of network ${quoted(network)}`,
    command,
    optional: { loss },
  };
}

/** The states go when no rule makes new ones. */
function removalGroups(
  { name, bridge, beyond }: AnchorPaths,
  policy: FilteredPolicy,
): readonly RemovalGroup[] {
  const flushes = [bridge, beyond].map((path): Command => ({
    program: "pfctl",
    args: ["-a", path, ...FLUSH],
  }));
  return [
    ...flushes.map((command) => ({ commands: [command], ignoreErrors: false })),
    ...statesOf(name, policy).map((command) => ({ commands: [command], ignoreErrors: true })),
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

/**
 * Ends all that guests have going: what they began, what others began, and what our rules let others begin.
 *
 * The state of a connection on another interface, where its source is translated, is found by `-M` alone
 * (pfctl(8), FreeBSD 13.1). Of two hosts FreeBSD 15.0 takes the second for the first, so what others
 * began before there were rules goes on there until it ends.
 */
function statesOf(name: string, { families }: FilteredPolicy): readonly Command[] {
  const end = (...args: readonly string[]): Command => ({ program: "pfctl", args });
  return families.flatMap(({ subnets, forwarding }) => [
    ...subnets.map(formatSubnet).flatMap((subnet) => [
      end("-M", "-k", subnet),
      end("-M", "-k", "0.0.0.0/0", "-k", subnet),
    ]),
    ...(forwarding.direction === "both" ? [end("-k", "label", "-k", `${name} ${GUESTS_IN}`)] : []),
  ]);
}

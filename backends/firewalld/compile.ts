/** Policies → Change, for firewalld. */
import {
  type Change,
  commandKey,
  type NetworkChange,
  type RemovalGroup,
  type Step,
} from "../../core/change/change.ts";
import { isNobodyThere } from "../../core/change/already_so.ts";
import { checksumRepair } from "../../core/change/dhcp_checksum.ts";
import { type Command, firstLine } from "../../core/command.ts";
import { type Facts, NoBackendError } from "../../core/firewall_backend.ts";
import { HostError } from "../../core/host.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { printable, quoted } from "../../core/quoted.ts";
import {
  CHECK_QUESTION,
  DEFAULT_ZONE_QUESTION,
  fileQuestion,
  RELOAD,
  STATE_QUESTION,
  ZONES_QUESTION,
} from "./bus.ts";
import { chooseZones, type ChosenZones } from "./choose_zone.ts";
import { problemOfState, refuseSilence } from "./detect.ts";
import { differencesOf, isFileAsWanted } from "./live_object.ts";
import { allNames, filePath } from "./object_name.ts";
import { endingSteps } from "./connections.ts";
import { fileText, type FirewalldObject, isOurFile } from "./objects.ts";
import { refuseUnsayable } from "./refusals.ts";
import { networkObjects } from "./ruleset.ts";
import { bridgeOf, type StandingNetworks, standingNetworks } from "./original_zones.ts";
import {
  bindingSteps,
  releaseSteps,
  returnGroups,
  type Zoning,
  zoningOf,
  zoningQuestions,
} from "./zone_of_interface.ts";

/**
 * The files that make the networks' zones and policies, and what makes firewalld read them.
 *
 * The permanent configuration, not the one of run time: only what is in files outlives a reload and a
 * restart of firewalld, without anybody watching for either. And firewalld makes zones and policies from
 * nothing else: what can be changed at run time are those that it has. Files are written as they are, since
 * the calls that write them one by one check all the others each time.
 *
 * @throws {UnsupportedNetworkError} For what firewalld cannot express.
 * @throws {HostError} When the zone that a definition names is not there, or the way is not free.
 * @throws {NoBackendError} When firewalld is not running.
 */
export function compileChange(policies: readonly FilteredPolicy[], facts: Facts): Change {
  policies.forEach(refuseUnsayable);
  refuseSameNames(policies);
  if (policies.length > 0) refuseUnreachable(policies, facts);
  const standing = standingNetworks(facts);
  const warnings = crowdWarnings(policies, facts);
  const networks = policies.map((policy) => networkChange(policy, facts, standing));
  const reload = commandKey(RELOAD);
  if (networks.some(({ install }) => install.some((step) => commandKey(step.command) === reload))) {
    refuseBroken(facts);
  }
  return {
    networks: networks.map((change, index) =>
      index > 0 ? change : { ...change, warnings: [...change.warnings, ...warnings] }
    ),
    // Files take the place of what was there.
    reset: [],
    unseen: [],
  };
}

/** So many networks firewalld 1.3 can take within a few seconds (`deno task bench firewalld`). */
const FEW = 10;

function crowdWarnings(
  policies: readonly FilteredPolicy[],
  { records }: Facts,
): readonly string[] {
  const held = records.filter(({ backend }) => backend === "firewalld");
  const bridges = [...policies.map(({ bridge }) => bridge), ...held.map(bridgeOf)];
  const count = new Set(bridges).size;
  return count <= FEW ? [] : [
    `firewalld has ${count} networks to hold: each reload takes it many seconds, in which nothing new ` +
    "passes it on the whole host. The backend nftables has no such limit",
  ];
}

function refuseUnreachable(
  policies: readonly FilteredPolicy[],
  { answers, again }: Facts,
): void {
  // What stands is put back whatever firewalld says: its files count when it starts.
  if (again !== undefined && again.size > 0) return;
  const state = answers.to(STATE_QUESTION);
  const problem = state === undefined ? undefined : problemOfState(state);
  if (problem !== undefined) throw new NoBackendError(`Cannot use firewalld: ${problem.evidence}`);
  refuseSilence([
    ZONES_QUESTION,
    DEFAULT_ZONE_QUESTION,
    ...policies.flatMap(({ bridge }) => zoningQuestions(bridge)),
  ], answers);
}

/** firewalld reads all files or none: what others have left in them must not be broken. */
function refuseBroken({ answers, again }: Facts): void {
  const check = answers.to(CHECK_QUESTION);
  if (check === undefined || check.status === 0 || (again !== undefined && again.size > 0)) return;
  throw new HostError(
    "Cannot change the configuration of firewalld: it would not take its own files " +
      `(${printable(firstLine(check.stderr)).replace(/^Call failed: /, "")})`,
    "Mend what `firewall-cmd --check-config` speaks of",
  );
}

/** Two bridges whose names come to the same number; nobody meets that by chance. */
function refuseSameNames(policies: readonly FilteredPolicy[]): void {
  const owners = new Map<string, string>();
  for (const { bridge } of policies) {
    const key = allNames(bridge)[0]?.name ?? "";
    const other = owners.get(key);
    if (other !== undefined && other !== bridge) {
      throw new HostError(
        `Cannot tell the bridges ${quoted(other)} and ${quoted(bridge)} apart in firewalld`,
        "Give one of them a name of up to 8 letters and digits",
      );
    }
    owners.set(key, bridge);
  }
}

function networkChange(
  policy: FilteredPolicy,
  facts: Facts,
  standing: StandingNetworks,
): NetworkChange {
  const { answers } = facts;
  const held = standing.backendOf(policy);
  const { zones, warnings }: ChosenZones = chooseZones(policy, answers, held !== undefined);
  const objects = networkObjects(policy, zones);
  const zoning = zoningOf(policy.bridge, answers);
  const repair = checksumRepair(policy, facts);
  const isOwn = zones.kind === "own";
  const steps = zoneSteps(policy, objects, zoning, zones.name, facts);
  // A network that comes from another backend has connections that it may keep.
  const mayKeep = held ?? "firewalld";
  const original = standing.zoningOf(policy) ?? zoning;
  return {
    network: policy.network,
    install: [
      ...steps,
      ...(steps.length > 0 && mayKeep === "firewalld" ? endingSteps(policy) : []),
      ...(isOwn ? [] : bindingSteps(policy.bridge, zoning, zones.name)),
      ...repair.steps,
    ],
    removal: [
      ...objects.toReversed().map(removalGroup),
      ...returnGroups(policy.bridge, original, isOwn ? undefined : zones.name),
      ...repair.removal,
    ],
    warnings: [...warnings, ...repair.warnings],
  };
}

/** Nothing where all is as it should be: firewalld loses what is not in files when it reads them. */
function zoneSteps(
  policy: FilteredPolicy,
  objects: readonly FirewalldObject[],
  zoning: Zoning,
  zone: string,
  { answers }: Facts,
): readonly Step[] {
  const wanted = new Set(objects.map(({ object }) => filePath(object)));
  const others = allNames(policy.bridge).map(filePath).filter((path) => !wanted.has(path));
  const found = (path: string): string | undefined => {
    const answer = answers.to(fileQuestion(path));
    return answer?.status === 0 ? answer.stdout : undefined;
  };
  const foreign = [...wanted, ...others].find((path) => !isOurFile(found(path) ?? OURS));
  if (foreign !== undefined) {
    throw new HostError(
      `Cannot make the zone of network ${quoted(policy.network)}: the file "${foreign}" is ` +
        "somebody else's",
      "Remove it, or give the bridge another name",
    );
  }
  const stray = others.filter((path) => found(path) !== undefined);
  const isOwn = wanted.has(filePath({ kind: "zone", name: zone }));
  const isInZone = !isOwn || zoning.runtime === zone;
  const same = objects.every((one) => differencesOf(one, answers).length === 0);
  if (same && isInZone && stray.length === 0) return [];
  return [
    ...(isOwn ? releaseSteps(policy.bridge, zoning, zone) : []),
    ...objects.filter((one) => !isFileAsWanted(one, answers)).map(fileStep),
    ...(stray.length === 0 ? [] : [{
      purpose: "remove files of an earlier installation",
      command: removeFiles(stray.toReversed()),
    }]),
    // Where no firewalld runs, what stood is put back for the next one.
    ...(isAbsent(answers) ? [] : [{
      purpose: "make firewalld read its configuration",
      command: RELOAD,
    }]),
  ];
}

function isAbsent(answers: Facts["answers"]): boolean {
  const state = answers.to(STATE_QUESTION);
  return state !== undefined && isNobodyThere(state);
}

const OURS = fileText({
  object: { kind: "policy", name: "" },
  priority: -1,
  target: "CONTINUE",
  from: "",
  to: "",
  rules: [],
});

/** firewalld(1) reads it as root; others may, as they may read what packages bring. */
function fileStep(one: FirewalldObject): Step {
  const path = filePath(one.object);
  return {
    purpose: `write the ${one.object.kind} "${one.object.name}" of firewalld`,
    command: {
      program: "install",
      args: ["-m", "0644", "/dev/stdin", path],
      stdin: fileText(one),
    },
  };
}

function removalGroup({ object }: FirewalldObject): RemovalGroup {
  return { commands: [removeFiles([filePath(object)]), RELOAD], ignoreErrors: false };
}

function removeFiles(paths: readonly string[]): Command {
  return { program: "rm", args: ["-f", ...paths] };
}

/** What makes firewalld have a network's zones and policies, and what takes them away. */
import type { RemovalGroup, Step } from "../../core/change/change.ts";
import type { Command } from "../../core/command.ts";
import type { Answers } from "../../core/firewall_backend.ts";
import { HostError } from "../../core/host.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { fileQuestion, RELOAD } from "./bus.ts";
import { isAbsent } from "./detect.ts";
import { differencesOf, isFileAsWanted } from "./live_object.ts";
import { allNames, filePath, type ObjectName, policyName } from "./object_name.ts";
import { fileText, type FirewalldObject, isOurFile } from "./objects.ts";
import { PUBLISHED_KINDS } from "./published.ts";
import type { ZonesOfNetwork } from "./ruleset.ts";
import { releaseSteps, type Zoning } from "./zone_of_interface.ts";

/** Nothing where all is as it should be: firewalld loses what is not in files when it reads them. */
export function zoneSteps(
  policy: FilteredPolicy,
  objects: readonly FirewalldObject[],
  zoning: Zoning,
  zones: ZonesOfNetwork,
  answers: Answers,
): readonly Step[] {
  const isPlaced = isInZone(zoning, zones);
  const steps = fileSteps(wantedObjects(policy, objects), answers, isPlaced);
  return zones.kind === "named" || (isPlaced && steps.length === 0)
    ? steps
    : [...releaseSteps(policy.bridge, zoning, zones.name), ...steps];
}

/** Whether more changes than which ports of the host lead to guests. */
export function changesRules(
  policy: FilteredPolicy,
  objects: readonly FirewalldObject[],
  zoning: Zoning,
  zones: ZonesOfNetwork,
  answers: Answers,
): boolean {
  const published = PUBLISHED_KINDS.map((kind) => policyName(policy.bridge, kind).name);
  const isRule = ({ name }: ObjectName): boolean => !published.includes(name);
  const wanted = wantedObjects(policy, objects.filter(({ object }) => isRule(object)));
  const rules = { ...wanted, names: wanted.names.filter(isRule) };
  return fileSteps(rules, answers, isInZone(zoning, zones)).length > 0;
}

function wantedObjects(
  { network, bridge }: FilteredPolicy,
  objects: readonly FirewalldObject[],
): WantedObjects {
  return {
    what: `zone of network ${quoted(network)}`,
    remedy: "Remove it, or give the bridge another name",
    objects,
    names: allNames(bridge),
  };
}

function isInZone({ runtime }: Zoning, { kind, name }: ZonesOfNetwork): boolean {
  return kind === "named" || runtime === name;
}

/** Zones and policies that belong together. */
export interface WantedObjects {
  /** For messages: `zone of network "lan"`. */
  readonly what: string;
  /** What helps where a file of that name is somebody else's. */
  readonly remedy: string;
  /** What there is to be. */
  readonly objects: readonly FirewalldObject[];
  /** All that could be there, wanted or not. */
  readonly names: readonly ObjectName[];
}

/**
 * Writes what is not as it should be, and makes firewalld read it.
 *
 * @param isPlaced False: it has to read its files in any case.
 * @throws {HostError} When a file of that name is somebody else's.
 */
export function fileSteps(
  { what, remedy, objects, names }: WantedObjects,
  answers: Answers,
  isPlaced = true,
): readonly Step[] {
  const wanted = new Set(objects.map(({ object }) => filePath(object)));
  const others = names.map(filePath).filter((path) => !wanted.has(path));
  const found = (path: string): string | undefined => {
    const answer = answers.to(fileQuestion(path));
    return answer?.status === 0 ? answer.stdout : undefined;
  };
  const foreign = [...wanted, ...others].find((path) => !isOurFile(found(path) ?? OURS));
  if (foreign !== undefined) {
    throw new HostError(
      `Cannot make the ${what}: the file "${foreign}" is somebody else's`,
      remedy,
    );
  }
  const stray = others.filter((path) => found(path) !== undefined);
  const same = objects.every((one) => differencesOf(one, answers).length === 0);
  if (same && isPlaced && stray.length === 0) return [];
  return [
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

/** Takes the file away, and with it what firewalld made of it. */
export function removalGroup({ object }: FirewalldObject): RemovalGroup {
  return { commands: [removeFiles([filePath(object)]), RELOAD], ignoreErrors: false };
}

function removeFiles(paths: readonly string[]): Command {
  return { program: "rm", args: ["-f", ...paths] };
}

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
import { allNames, filePath } from "./object_name.ts";
import { fileText, type FirewalldObject, isOurFile } from "./objects.ts";
import type { ZonesOfNetwork } from "./ruleset.ts";
import { releaseSteps, type Zoning } from "./zone_of_interface.ts";

/** Nothing where all is as it should be: firewalld loses what is not in files when it reads them. */
export function zoneSteps(
  policy: FilteredPolicy,
  objects: readonly FirewalldObject[],
  zoning: Zoning,
  { kind, name }: ZonesOfNetwork,
  answers: Answers,
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
  const isOwn = kind === "own";
  const isInZone = !isOwn || zoning.runtime === name;
  const same = objects.every((one) => differencesOf(one, answers).length === 0);
  if (same && isInZone && stray.length === 0) return [];
  return [
    ...(isOwn ? releaseSteps(policy.bridge, zoning, name) : []),
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

/** What is live in firewalld, compared with what the policies ask for. */
import { askQuestions } from "../../core/commands/snapshot.ts";
import type { Answers, Drift, Inspection, InstalledPolicy } from "../../core/firewall_backend.ts";
import type { Host } from "../../core/host.ts";
import { type FilteredPolicy, isFiltered } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import {
  ACTIVE_ZONES_QUESTION,
  DEFAULT_ZONE_QUESTION,
  POLICIES_QUESTION,
  STATE_QUESTION,
  ZONES_QUESTION,
} from "./bus.ts";
import { chooseZones } from "./choose_zone.ts";
import { problemOf } from "./detect.ts";
import { KERNEL_QUESTIONS } from "./kernel_rules.ts";
import { differencesOf, namesIn, objectQuestions } from "./live_object.ts";
import { allNames, PREFIX } from "./object_name.ts";
import { madeObjects } from "./questions.ts";
import { networkObjects } from "./ruleset.ts";
import { misplacement, zoningQuestions } from "./zone_of_interface.ts";

/** firewalld counts no packets, so there is no traffic to tell. */
export async function inspectZones(
  host: Host,
  installed: readonly InstalledPolicy[],
): Promise<Inspection> {
  if (installed.length === 0) return { networks: [], drift: [] };
  const policies = installed.map(({ policy }) => policy).filter(isFiltered);
  const answers = await askQuestions(host, [
    STATE_QUESTION,
    ZONES_QUESTION,
    POLICIES_QUESTION,
    ACTIVE_ZONES_QUESTION,
    DEFAULT_ZONE_QUESTION,
    ...KERNEL_QUESTIONS,
    ...policies.flatMap(({ bridge }) => zoningQuestions(bridge)),
    ...madeObjects(installed).flatMap(objectQuestions),
  ]);
  const problem = problemOf(answers);
  return {
    networks: policies.map(({ network }) => ({ network })),
    drift: problem === undefined
      ? [
        ...policies.flatMap((policy) => networkDrift(policy, answers)),
        ...strays(policies, answers),
      ]
      : [{ difference: `None of the rules is there: ${problem.evidence}` }],
  };
}

function networkDrift(policy: FilteredPolicy, answers: Answers): readonly Drift[] {
  const { network, bridge } = policy;
  const { zones, warnings } = chooseZones(policy, answers, true);
  const objects = networkObjects(policy, zones);
  const differences = [
    ...(zones.device === undefined || zones.device.zone !== undefined ? [] : warnings.slice(0, 1)),
    ...misplacement(bridge, zones.name, answers),
    ...objects.flatMap((one) => differencesOf(one, answers)),
  ];
  return differences.map((difference) => ({ network, difference }));
}

/** What is called as only this program calls it, and belongs to no network. */
function strays(policies: readonly FilteredPolicy[], answers: Answers): readonly Drift[] {
  const known = new Set(policies.flatMap(({ bridge }) => allNames(bridge)).map(({ name }) => name));
  const found = [
    ...(namesIn(answers, ZONES_QUESTION) ?? []).map((name) => ({ what: "Zone", name })),
    ...(namesIn(answers, POLICIES_QUESTION) ?? []).map((name) => ({ what: "Policy", name })),
  ];
  return found.filter(({ name }) => name.startsWith(PREFIX) && !known.has(name))
    .map(({ what, name }) => ({ difference: `${what} ${quoted(name)} belongs to no network` }));
}

/** What is live in firewalld, compared with what the policies ask for. */
import { askQuestions } from "../../core/commands/snapshot.ts";
import type { Answers, Drift, Inspection, InstalledPolicy } from "../../core/firewall_backend.ts";
import type { Host } from "../../core/host.ts";
import { type CompiledPolicy, isFiltered } from "../../core/policy/policy.ts";
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
import {
  type LivePublished,
  livePublished,
  publishedDrift,
  publishedQuestions,
} from "./inspect_published.ts";
import { KERNEL_QUESTIONS } from "./kernel_rules.ts";
import { differencesOf, namesIn, objectQuestions } from "./live_object.ts";
import { masqueradeObject } from "./masquerade.ts";
import { allNames, MASQUERADE_POLICY, type ObjectName, policyName, PREFIX } from "./object_name.ts";
import { PUBLISHED_KINDS, publishedOf } from "./published.ts";
import { madeObjects } from "./questions.ts";
import { networkObjects } from "./ruleset.ts";
import { misplacement, zoningQuestions } from "./zone_of_interface.ts";

/** firewalld counts no packets, so there is no traffic to tell. */
export async function inspectZones(
  host: Host,
  installed: readonly InstalledPolicy[],
): Promise<Inspection> {
  if (installed.length === 0) return { networks: [], drift: [] };
  const all = installed.map(({ policy }) => policy);
  const policies = all.filter(isFiltered);
  const answers = await askQuestions(host, [
    STATE_QUESTION,
    ZONES_QUESTION,
    POLICIES_QUESTION,
    ACTIVE_ZONES_QUESTION,
    DEFAULT_ZONE_QUESTION,
    ...KERNEL_QUESTIONS,
    ...policies.flatMap(({ bridge }) => zoningQuestions(bridge)),
    ...publishedQuestions(policies),
    ...madeObjects(installed).flatMap(objectQuestions),
  ]);
  const problem = problemOf(answers);
  return {
    networks: all.map(({ network }) => ({ network })),
    drift: problem === undefined
      ? rulesDrift(all, answers)
      : [{ difference: `None of the rules is there: ${problem.evidence}` }],
  };
}

function rulesDrift(all: readonly CompiledPolicy[], answers: Answers): readonly Drift[] {
  const policies = all.filter(isFiltered);
  const live = policies.map((policy) =>
    livePublished(policy, chooseZones(policy, answers, true).zones, policies, answers)
  );
  return [
    ...live.flatMap((one) => networkDrift(one, live, answers)),
    ...all.flatMap((policy) =>
      policy.kind === "masquerade"
        ? differencesOf(masqueradeObject(policy), answers)
          .map((difference) => ({ network: policy.network, difference }))
        : []
    ),
    ...strays(all, answers),
  ];
}

function networkDrift(
  live: LivePublished,
  all: readonly LivePublished[],
  answers: Answers,
): readonly Drift[] {
  const { policy, around } = live;
  const { network, bridge } = policy;
  const { zones, warnings } = chooseZones(policy, answers, true);
  const objects = networkObjects(policy, zones, around);
  const differences = [
    ...(zones.device === undefined || zones.device.zone !== undefined ? [] : warnings.slice(0, 1)),
    ...misplacement(bridge, zones.name, answers),
    ...objects.flatMap((one) => differencesOf(one, answers)),
    ...publishedDrift(live, all, answers),
  ];
  return differences.map((difference) => ({ network, difference }));
}

/** What is called as only this program calls it, and belongs to no network. */
function strays(all: readonly CompiledPolicy[], answers: Answers): readonly Drift[] {
  const known = new Set(all.flatMap(knownNames).map(({ name }) => name));
  const found = [
    ...(namesIn(answers, ZONES_QUESTION) ?? []).map((name) => ({ what: "Zone", name })),
    ...(namesIn(answers, POLICIES_QUESTION) ?? []).map((name) => ({ what: "Policy", name })),
  ];
  return found.filter(({ name }) => name.startsWith(PREFIX) && !known.has(name))
    .map(({ what, name }) => ({ difference: `${what} ${quoted(name)} belongs to no network` }));
}

function knownNames(policy: CompiledPolicy): readonly ObjectName[] {
  if (policy.kind === "masquerade") return [MASQUERADE_POLICY];
  if (publishedOf(policy).length > 0) return allNames(policy.bridge);
  const published = PUBLISHED_KINDS.map((kind) => policyName(policy.bridge, kind).name);
  return allNames(policy.bridge).filter(({ name }) => !published.includes(name));
}

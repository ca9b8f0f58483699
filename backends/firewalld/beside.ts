/**
 * Another backend on a host where firewalld runs. Its rules alone do not help there: a packet has to please
 * both, and firewalld rejects what comes from a bridge that nobody put into a zone. So the bridge goes into
 * one that forwards what it sends, as libvirt does it, and leaves it with the network.
 */
import type { NetworkChange } from "../../core/change/change.ts";
import type { Command } from "../../core/command.ts";
import { askQuestions } from "../../core/commands/snapshot.ts";
import {
  type Answers,
  type Drift,
  type Facts,
  type FirewallBackend,
  type InstalledPolicy,
  zoneWarnings,
} from "../../core/firewall_backend.ts";
import type { Host } from "../../core/host.ts";
import { type FilteredPolicy, isFiltered } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import type { Record } from "../../core/record/record.ts";
import { ACTIVE_ZONES_QUESTION, STATE_QUESTION, ZONES_QUESTION } from "./bus.ts";
import { refuseMissingZone } from "./choose_zone.ts";
import { isAbsent, problemOf, refuseSilence } from "./detect.ts";
import { namesIn } from "./live_object.ts";
import { bridgesOf } from "./questions.ts";
import { isPuttingBack, type StandingNetworks, standingNetworks } from "./original_zones.ts";
import { mixedWarnings } from "./published_limits.ts";
import { unsayableName } from "./refusals.ts";
import { DAEMON_SIGNS } from "./signs.ts";
import {
  bindingSteps,
  misplacement,
  returnGroups,
  zoningOf,
  zoningQuestions,
} from "./zone_of_interface.ts";

/** The backend, with a place in firewalld for each of its bridges where firewalld runs. */
export function besideFirewalld(backend: FirewallBackend): FirewallBackend {
  return {
    ...backend,
    questions: (records, rebuilding, networks) => [
      ...backend.questions(records, rebuilding, networks),
      ...questions(records.filter((record) => record.backend === backend.name), networks),
    ],
    compile: (policies, facts) => {
      const change = backend.compile(policies, facts);
      const filtered = policies.filter(isFiltered);
      if (filtered.length > 0) refuseDoubt(filtered, facts);
      if (!isRunning(facts.answers)) return change;
      const standing = standingNetworks(facts);
      return {
        ...change,
        networks: change.networks.map((one, index) => {
          const policy = policies[index];
          return policy?.kind === "filtered"
            ? withZone(one, policy, facts, standing, backend)
            : one;
        }),
      };
    },
    signs: (records) => [...backend.signs(records), ...DAEMON_SIGNS],
    inspect: async (host, installed) => {
      const [inspection, drift] = await Promise.all([
        backend.inspect(host, installed),
        zoneDrift(host, installed),
      ]);
      return { ...inspection, drift: [...inspection.drift, ...drift] };
    },
  };
}

function questions(
  records: readonly Record[],
  networks: Parameters<FirewallBackend["questions"]>[2],
): readonly Command[] {
  return [
    STATE_QUESTION,
    ZONES_QUESTION,
    ACTIVE_ZONES_QUESTION,
    ...bridgesOf(records, networks).flatMap(zoningQuestions),
  ];
}

/** Whether firewalld runs, and what it has, must be known: a bridge in the wrong zone is open or closed. */
function refuseDoubt(policies: readonly FilteredPolicy[], facts: Facts): void {
  if (isPuttingBack(facts) || isAbsent(facts.answers)) return;
  refuseSilence([
    STATE_QUESTION,
    ZONES_QUESTION,
    ...policies.flatMap(({ bridge }) => zoningQuestions(bridge)),
  ], facts.answers);
}

/** False also for a host that is only imagined. */
function isRunning(answers: Answers): boolean {
  return answers.to(STATE_QUESTION) !== undefined && problemOf(answers) === undefined;
}

function withZone(
  change: NetworkChange,
  policy: FilteredPolicy,
  { answers }: Facts,
  standing: StandingNetworks,
  backend: FirewallBackend,
): NetworkChange {
  const { bridge } = policy;
  const problem = unsayableName(policy);
  if (problem !== undefined) {
    const warning = `${problem}, so it stops what guests send beyond their bridge`;
    return { ...change, warnings: [...change.warnings, warning] };
  }
  if (policy.zone !== undefined && standing.backendOf(policy) === undefined) {
    refuseMissingZone(policy, policy.zone, answers);
  }
  const zone = zoneFor(policy, answers);
  const zoning = zoningOf(bridge, answers);
  const ignored = zoneWarnings(policy, backend.name);
  return {
    ...change,
    install: [...change.install, ...bindingSteps(bridge, zoning, zone)],
    removal: [
      ...change.removal,
      ...returnGroups(bridge, standing.zoningOf(policy) ?? zoning, zone),
    ],
    warnings: [
      ...change.warnings.filter((warning) => !ignored.includes(warning)),
      ...limits(policy, zone, backend),
      ...mixedWarnings([policy], standing.policiesOf("firewalld")),
    ],
  };
}

/** Zones that libvirt installs: with its services for guests, and for routed networks open both ways. */
const LIBVIRT = { any: "libvirt", routed: "libvirt-routed" } as const;

/** A zone of firewalld's own that accepts and forwards whatever comes from its interfaces. */
const FALLBACK = "trusted";

function zoneFor(policy: FilteredPolicy, answers: Answers): string {
  if (policy.zone !== undefined) return policy.zone;
  const zones = namesIn(answers, ZONES_QUESTION) ?? [];
  const wanted = isRouted(policy) ? LIBVIRT.routed : LIBVIRT.any;
  return zones.includes(wanted) ? wanted : FALLBACK;
}

function isRouted({ families }: FilteredPolicy): boolean {
  return families.some(({ forwarding }) => forwarding.direction === "both");
}

/** What that zone means beyond forwarding. */
function limits(
  policy: FilteredPolicy,
  zone: string,
  { name }: FirewallBackend,
): readonly string[] {
  if (zone !== FALLBACK || policy.zone !== undefined) return [];
  const network = `network ${quoted(policy.network)}`;
  return [
    `firewalld lets guests of ${network} reach every port of the host: their bridge is in its zone ` +
    `${quoted(zone)}, as none is there for guests. The backend firewalld makes one`,
    ...(isRouted(policy)
      ? [
        `firewalld stops whoever opens connections to guests of ${network} from outside, whatever ` +
        `the rules of ${name} say. The backend firewalld lets them in`,
      ]
      : []),
  ];
}

async function zoneDrift(
  host: Host,
  installed: readonly InstalledPolicy[],
): Promise<readonly Drift[]> {
  if (installed.length === 0) return [];
  const answers = await askQuestions(host, [STATE_QUESTION, ZONES_QUESTION, ACTIVE_ZONES_QUESTION]);
  if (!isRunning(answers)) return [];
  return installed.map(({ policy }) => policy).filter(isFiltered).flatMap((policy) =>
    misplacement(policy.bridge, zoneFor(policy, answers), answers, " of firewalld")
      .map((difference) => ({ network: policy.network, difference }))
  );
}

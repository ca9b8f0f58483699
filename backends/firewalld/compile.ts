/** Policies → Change, for firewalld. */
import { type Change, commandKey } from "../../core/change/change.ts";
import { firstLine } from "../../core/command.ts";
import { type Facts, NoBackendError } from "../../core/firewall_backend.ts";
import { HostError } from "../../core/host.ts";
import { type CompiledPolicy, type FilteredPolicy, isFiltered } from "../../core/policy/policy.ts";
import { printable, quoted } from "../../core/quoted.ts";
import { CHECK_QUESTION, DEFAULT_ZONE_QUESTION, RELOAD, ZONES_QUESTION } from "./bus.ts";
import { problemOf, refuseSilence } from "./detect.ts";
import { masqueradeChange, networkChange } from "./network_change.ts";
import { zoneName } from "./object_name.ts";
import { isPuttingBack, type StandingNetworks, standingNetworks } from "./original_zones.ts";
import { refuseUnsayable } from "./refusals.ts";
import { surroundingsOf } from "./surroundings.ts";
import { zoningQuestions } from "./zone_of_interface.ts";

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
export function compileChange(all: readonly CompiledPolicy[], facts: Facts): Change {
  const policies = all.filter(isFiltered);
  policies.forEach(refuseUnsayable);
  refuseSameNames(policies);
  if (all.length > 0) refuseUnreachable(policies, facts);
  const standing = standingNetworks(facts);
  const surroundings = surroundingsOf(policies, facts, standing);
  const warnings = crowdWarnings(policies, standing);
  const networks = all.map((policy) =>
    policy.kind === "masquerade"
      ? masqueradeChange(policy, facts)
      : networkChange(policy, facts, standing, surroundings)
  );
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
  standing: StandingNetworks,
): readonly string[] {
  const bridges = [...policies.map(({ bridge }) => bridge), ...standing.bridgesOf("firewalld")];
  const count = new Set(bridges).size;
  return count <= FEW ? [] : [
    `firewalld has ${count} networks to hold: each reload takes it many seconds, in which nothing new ` +
    "passes it on the whole host. The backend nftables has no such limit",
  ];
}

function refuseUnreachable(policies: readonly FilteredPolicy[], facts: Facts): void {
  // Its files count when it starts.
  if (isPuttingBack(facts)) return;
  const { answers } = facts;
  const problem = problemOf(answers);
  if (problem !== undefined) throw new NoBackendError(`Cannot use firewalld: ${problem.evidence}`);
  refuseSilence([
    ZONES_QUESTION,
    DEFAULT_ZONE_QUESTION,
    ...policies.flatMap(({ bridge }) => zoningQuestions(bridge)),
  ], answers);
}

/** firewalld reads all files or none: what others have left in them must not be broken. */
function refuseBroken(facts: Facts): void {
  const check = facts.answers.to(CHECK_QUESTION);
  if (check === undefined || check.status === 0 || isPuttingBack(facts)) return;
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
    const key = zoneName(bridge).name;
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

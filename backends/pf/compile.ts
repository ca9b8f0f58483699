/** Policies → Change, for pf. */
import type { Change } from "../../core/change/change.ts";
import type { Facts } from "../../core/firewall_backend.ts";
import type { CompiledPolicy } from "../../core/policy/policy.ts";
import { anchorPaths } from "./anchor_path.ts";
import { memberProblems } from "./bridge_members.ts";
import { findProblems } from "./main_ruleset.ts";
import { masqueradeChange } from "./masquerade.ts";
import { networkChange } from "./network_change.ts";
import { overlapsAmong } from "./overlaps.ts";
import { refuseUnsupported } from "./refusals.ts";
import { flushedPaths } from "./removal.ts";
import { devicesOf, type Surroundings, surroundingsOf } from "./surroundings.ts";

/**
 * The scripts that install and remove the networks' rules, up to four anchors for each network, and one for
 * all prefixes that belong to none.
 *
 * `pfctl -f` puts what it reads into the place of all that an anchor held, in one transaction; what is
 * there already is not loaded again. States are not touched by that: only a network that goes takes the
 * states of its guests with it, and a published port those of its connections.
 *
 * @param root The anchor above those of all networks.
 * @throws {UnsupportedNetworkError} For what pf cannot say, such as networks with IPv6 addresses.
 * @throws {HostError} When nobody knows by which interface translated packets would leave.
 */
export function compileChange(
  root: string,
  policies: readonly CompiledPolicy[],
  facts: Facts,
): Change {
  const surroundings = surroundingsOf(root, facts.host, facts.answers);
  refuseUnsupported(policies, surroundings, facts);
  const standing = new Set(flushedPaths(facts.records));
  const warnings = policies.length === 0 ? [] : hostWarnings(policies, surroundings, facts);
  return {
    networks: policies.map((policy, index) => {
      const change = policy.kind === "masquerade"
        ? masqueradeChange(policy, surroundings, facts.answers)
        : networkChange(
          policy,
          surroundings,
          facts.answers,
          !standing.has(anchorPaths(root, policy).bridge),
        );
      return index > 0 ? change : { ...change, warnings: [...change.warnings, ...warnings] };
    }),
    // A load takes the place of all that was there: nothing has to be taken away beforehand.
    reset: [],
    unseen: [],
  };
}

/** What keeps the rules from working, once for all networks. */
function hostWarnings(
  policies: readonly CompiledPolicy[],
  surroundings: Surroundings,
  { answers, records }: Facts,
): readonly string[] {
  const devices = policies.flatMap((policy) => devicesOf(policy, surroundings));
  return [
    ...[...findProblems(surroundings.root, devices, answers), ...memberProblems(answers)]
      .map(({ sentence, fix }) => `${sentence}.\n${fix}`),
    ...overlapsAmong(policies, records, surroundings)
      .map(({ sentence, hint }) => `pf cannot keep ${sentence}.\n${hint}`),
  ];
}

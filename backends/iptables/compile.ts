/** Policies → Change, for iptables. */
import {
  type Change,
  commandKey,
  groupKey,
  type NetworkChange,
  type Step,
} from "../../core/change/change.ts";
import { type LocalRouting, localRouting } from "../../core/change/local_routing.ts";
import { sctpSteps } from "../../core/change/sctp_tracking.ts";
import type { Command } from "../../core/command.ts";
import { type Facts, zoneWarnings } from "../../core/firewall_backend.ts";
import type { CompiledPolicy } from "../../core/policy/policy.ts";
import { adjustPieces } from "./adjustment.ts";
import { hostOf, type IptablesHost } from "./iptables_host.ts";
import { piecesOf, purposeOf, removalOf, runRestore } from "./pieces.ts";
import { standsAsRecorded } from "./recorded_entries.ts";
import { resetScript } from "./reset.ts";
import { PROGRAMS, usedPrograms } from "./variant.ts";

/**
 * The scripts that install and remove the networks' rules.
 *
 * iptables has no way to say "if it is not there yet". Each line says what must be so instead: `-N` that
 * a chain is new, `-D` that a rule is there, so that a script which is taken leaves exactly the rules
 * that were meant; and one that is not tells that what stands is not what was recorded, upon which
 * everything of ours is listed and made anew ({@linkcode resetScript}).
 */
export function compileChange(policies: readonly CompiledPolicy[], facts: Facts): Change {
  const host = hostOf(policies, facts);
  return {
    networks: policies.map((policy) => policyChange(policy, host, facts)),
    drifted: !standsAsRecorded(facts),
    unseen: PROGRAMS.filter(({ save }) => facts.answers.to(save)?.status === 127)
      .map(({ restore }) => restore),
    // Read only where all is made anew, and it takes its time.
    get reset() {
      return resetCommands(facts);
    },
  };
}

function resetCommands({ records, answers }: Facts): readonly Command[] {
  const used = usedPrograms(records);
  return PROGRAMS.flatMap((programs) => {
    const script = resetScript(answers.to(programs.save), used.includes(programs));
    return script === undefined ? [] : [runRestore(programs.restore, script)];
  });
}

function policyChange(policy: CompiledPolicy, host: IptablesHost, facts: Facts): NetworkChange {
  const pieces = piecesOf(policy, host);
  const beside = besides(policy);
  const before = facts.before?.get(policy.network);
  const adjustment = before && adjustmentOf(before, policy, host);
  return {
    network: policy.network,
    install: [...pieces.flatMap(({ install }) => install), ...beside.steps],
    ...(adjustment === undefined ? {} : { adjustment }),
    removal: [...removalOf(pieces), ...beside.removal],
    warnings: policy.kind === "filtered" ? zoneWarnings(policy, "iptables") : [],
  };
}

/** Undefined where what stands cannot be turned into what is wanted by itself. */
function adjustmentOf(
  before: CompiledPolicy,
  policy: CompiledPolicy,
  host: IptablesHost,
): readonly Step[] | undefined {
  const [old, young] = [besides(before), besides(policy)];
  const kept = new Set(young.removal.map(groupKey));
  const adjusted = adjustPieces(piecesOf(before, host), piecesOf(policy, host), host);
  if (adjusted === undefined || old.removal.some((group) => !kept.has(groupKey(group)))) {
    return undefined;
  }
  const done = new Set(old.steps.map(({ command }) => commandKey(command)));
  const purpose = purposeOf(policy);
  return [
    ...adjusted.leading.map((command) => ({ purpose, command })),
    ...young.steps.filter(({ command }) => !done.has(commandKey(command))),
    ...adjusted.closing.map((command) => ({ purpose, command, isLate: true })),
  ];
}

/** What is done outside of iptables. */
function besides(policy: CompiledPolicy): LocalRouting {
  if (policy.kind === "masquerade") return { steps: [], removal: [] };
  const { steps, removal } = localRouting(policy);
  return { steps: [...steps, ...sctpSteps(policy)], removal };
}

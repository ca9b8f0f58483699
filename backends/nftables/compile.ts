/** Policies → Change, for nftables. */
import {
  type Change,
  commandsOf,
  type NetworkChange,
  type Step,
} from "../../core/change/change.ts";
import { type Facts, NoBackendError, zoneWarnings } from "../../core/firewall_backend.ts";
import { type CompiledPolicy, isFiltered } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { checksumRepair, type Repair } from "../../core/change/dhcp_checksum.ts";
import { sctpSteps } from "../../core/change/sctp_tracking.ts";
import { localRouting } from "../../core/change/local_routing.ts";
import { oldKernel } from "./detect.ts";
import { runScript } from "./element_lines.ts";
import { adjustScripts, installScripts, publishScripts } from "./install_scripts.ts";
import { refuseUntranslatable } from "./kernel_probe.ts";
import { refuseTooMany } from "./published_elements.ts";
import { removalGroups } from "./removal_scripts.ts";
import { rulesetOf } from "./ruleset.ts";

/**
 * The scripts that install and remove the networks' rules in the table `inet TABLE`.
 *
 * Scripts are written to be repeated: what is added may be there already, what is deleted is
 * added first (nft knows `destroy` only since 1.0.8). They name chains and elements, never the
 * handles of rules: handles start anew when a table is made again.
 *
 * @throws {NoBackendError} When the kernel is too old to be trusted with the rules.
 * @throws {UnsupportedNetworkError} When it cannot do what published ports need, or they are too many.
 */
export function compileChange(
  table: string,
  policies: readonly CompiledPolicy[],
  facts: Facts,
): Change {
  refuseOldKernel(facts);
  refuseUntranslatable(policies, facts.answers);
  policies.filter(isFiltered).forEach(refuseTooMany);
  return {
    networks: policies.map((policy) => policyChange(table, policy, facts)),
    unseen: [],
    reset: [...new Set([table, ...recordedTables(facts)])].map((name) =>
      runScript([`add table inet ${name}`, `delete table inet ${name}`])
    ),
  };
}

/** Tables by the names that they had when their networks came up: the configuration may have changed. */
function recordedTables({ records }: Facts): readonly string[] {
  return commandsOf(records).filter(({ program }) => program === "nft").flatMap(({ stdin = "" }) =>
    [...stdin.matchAll(/^delete table inet (\S+)$/gm)].map(([, name = ""]) => name)
  );
}

function refuseOldKernel({ host: { kernel } }: Facts): void {
  const [problem] = kernel === undefined ? [] : oldKernel(kernel);
  if (problem === undefined) return;
  throw new NoBackendError(
    `Cannot use the backend "nftables" on this host: ${problem}`,
    "See `bridgewall backends`",
  );
}

function policyChange(table: string, policy: CompiledPolicy, facts: Facts): NetworkChange {
  const ruleset = rulesetOf(policy);
  const beside = besides(policy, facts);
  const load = (lines: readonly string[]): Step => ({
    purpose: policy.kind === "masquerade"
      ? "load the nftables rules of masqueraded prefixes"
      : `load the nftables rules of network ${quoted(policy.network)}`,
    command: runScript(lines),
  });
  const before = facts.before?.get(policy.network);
  const adjusted = before === undefined || !standsSo(table, before, facts)
    ? undefined
    : adjustScripts(table, before, policy);
  return {
    network: policy.network,
    // Not made where it is enough to adjust what stands.
    get install() {
      const published = publishScripts(table, ruleset.published);
      return [...installScripts(table, ruleset).map(load), ...beside.steps, ...published.map(load)];
    },
    ...(adjusted === undefined ? {} : {
      adjustment: [
        ...some(adjusted.leading).map(load),
        ...firstSctp(before, policy),
        ...some(adjusted.closing).map((lines) => ({ ...load(lines), isLate: true })),
      ],
    }),
    removal: [...beside.removal, ...removalGroups(table, ruleset)],
    warnings: beside.warnings,
  };
}

/** The script, unless it has no lines. */
function some(lines: readonly string[]): readonly (readonly string[])[] {
  return lines.length === 0 ? [] : [lines];
}

/**
 * Whether what stands was made as this program makes it now: in a table of that name, of the same objects.
 * The ports themselves are not looked at.
 */
function standsSo(table: string, before: CompiledPolicy, { records }: Facts): boolean {
  const recorded = new Set(commandsOf(records).map(({ stdin }) => stdin));
  const { shared, groups, holding } = rulesetOf(before);
  const frame = removalGroups(table, { shared, groups, holding, published: [] });
  return commandsOf([{ removal: frame }]).every(({ stdin }) => recorded.has(stdin));
}

/** The question about SCTP, for ports that are the first of it. */
function firstSctp(before: CompiledPolicy | undefined, policy: CompiledPolicy): readonly Step[] {
  if (before?.kind !== "filtered" || policy.kind !== "filtered") return [];
  return sctpSteps(before).length === 0 ? sctpSteps(policy) : [];
}

/** What is done outside of nftables. */
function besides(policy: CompiledPolicy, facts: Facts): Repair {
  if (policy.kind === "masquerade") return { steps: [], removal: [], warnings: [] };
  const repair = checksumRepair(policy, facts);
  const routing = localRouting(policy);
  return {
    steps: [...repair.steps, ...routing.steps, ...sctpSteps(policy)],
    removal: [...repair.removal, ...routing.removal],
    warnings: [...zoneWarnings(policy, "nftables"), ...repair.warnings],
  };
}

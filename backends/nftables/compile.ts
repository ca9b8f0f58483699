/** Policies → Change, for nftables. */
import {
  type Change,
  commandsOf,
  type NetworkChange,
  type RemovalGroup,
  type Step,
} from "../../core/change/change.ts";
import type { Command } from "../../core/command.ts";
import { type Facts, NoBackendError, zoneWarnings } from "../../core/firewall_backend.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { checksumRepair } from "../../core/change/dhcp_checksum.ts";
import { oldKernel } from "./detect.ts";
import {
  type BaseChain,
  FORWARD_CHAIN,
  type MapName,
  MAPS,
  type NetworkRuleset,
  type ObjectGroup,
  POSTROUTING_CHAIN,
} from "./objects.ts";
import { networkRuleset } from "./ruleset.ts";

/**
 * The scripts that install and remove the networks' rules in the table `inet TABLE`.
 *
 * Scripts are written to be repeated: what is added may be there already, what is deleted is
 * added first (nft knows `destroy` only since 1.0.8). They name chains and elements, never the
 * handles of rules: handles start anew when a table is made again.
 *
 * @throws {NoBackendError} When the kernel is too old to be trusted with the rules.
 */
export function compileChange(
  table: string,
  policies: readonly FilteredPolicy[],
  facts: Facts,
): Change {
  refuseOldKernel(facts);
  return {
    networks: policies.map((policy) => networkChange(table, policy, facts)),
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

function networkChange(table: string, policy: FilteredPolicy, facts: Facts): NetworkChange {
  const ruleset = networkRuleset(policy);
  const repair = checksumRepair(policy, facts);
  const load = (lines: readonly string[]): Step => ({
    purpose: `load the nftables rules of network ${quoted(policy.network)}`,
    command: runScript(lines),
  });
  return {
    network: policy.network,
    install: [...installScripts(table, ruleset).map(load), ...repair.steps],
    removal: [...repair.removal, ...removalGroups(table, ruleset)],
    warnings: [...zoneWarnings(policy, "nftables"), ...repair.warnings],
  };
}

/** What several networks need comes first and in scripts of its own, so that it is run only once. */
function installScripts(
  table: string,
  { filter, translation }: NetworkRuleset,
): readonly (readonly string[])[] {
  const base = [`add table inet ${table}`, ...declareBase(table, FORWARD_CHAIN)];
  return translation === undefined ? [base, installGroup(table, filter)] : [
    base,
    declareBase(table, POSTROUTING_CHAIN),
    [...installGroup(table, filter), ...installGroup(table, translation)],
  ];
}

function declareBase(table: string, chain: BaseChain): readonly string[] {
  return [
    ...declareMaps(table, chain.maps),
    `add chain inet ${table} ${chain.name} { ${chain.hook} comment ${chain.comment}; }`,
    `flush chain inet ${table} ${chain.name}`,
    ...chain.rules.map(({ statements, comment }) =>
      `add rule inet ${table} ${chain.name} ${statements} comment ${comment}`
    ),
  ];
}

function declareMaps(table: string, maps: readonly MapName[]): readonly string[] {
  return maps.map((map) => `add map inet ${table} ${map} { type ${MAPS[map]} : verdict; }`);
}

function installGroup(table: string, group: ObjectGroup): readonly string[] {
  return [
    ...group.counters.map(({ name, comment }) =>
      `add counter inet ${table} ${name} { comment ${comment}; }`
    ),
    ...group.chains.flatMap((chain) => [
      `add chain inet ${table} ${chain.name} { comment ${chain.comment}; }`,
      `flush chain inet ${table} ${chain.name}`,
      ...chain.rules.map(({ statements, comment }) =>
        `add rule inet ${table} ${chain.name} ${statements} comment ${comment}`
      ),
    ]),
    ...group.elements.map(({ map, key, chain }) =>
      `add element inet ${table} ${map} { ${key} : jump ${chain} }`
    ),
  ];
}

function removalGroups(
  table: string,
  { filter, translation }: NetworkRuleset,
): readonly RemovalGroup[] {
  const scripts = [
    ...(translation === undefined ? [] : [removeGroup(table, translation, POSTROUTING_CHAIN.maps)]),
    removeGroup(table, filter, FORWARD_CHAIN.maps),
    ...(translation === undefined ? [] : [removeBase(table, POSTROUTING_CHAIN)]),
    [`add table inet ${table}`, `delete table inet ${table}`],
  ];
  return scripts.map((lines) => ({ commands: [runScript(lines)], ignoreErrors: false }));
}

function removeGroup(
  table: string,
  group: ObjectGroup,
  maps: readonly MapName[],
): readonly string[] {
  const chains = group.chains.map(({ name }) => name);
  return [
    `add table inet ${table}`,
    ...declareMaps(table, maps),
    ...chains.map((name) => `add chain inet ${table} ${name}`),
    ...group.elements.flatMap(({ map, key, chain }) => [
      `add element inet ${table} ${map} { ${key} : jump ${chain} }`,
      `delete element inet ${table} ${map} { ${key} }`,
    ]),
    ...chains.flatMap((name) => [
      `flush chain inet ${table} ${name}`,
      `delete chain inet ${table} ${name}`,
    ]),
    ...group.counters.flatMap(({ name }) => [
      `add counter inet ${table} ${name}`,
      `delete counter inet ${table} ${name}`,
    ]),
  ];
}

function removeBase(table: string, chain: BaseChain): readonly string[] {
  return [
    `add table inet ${table}`,
    `add chain inet ${table} ${chain.name} { ${chain.hook} }`,
    `flush chain inet ${table} ${chain.name}`,
    `delete chain inet ${table} ${chain.name}`,
    ...chain.maps.flatMap((map) => [
      ...declareMaps(table, [map]),
      `delete map inet ${table} ${map}`,
    ]),
  ];
}

function runScript(lines: readonly string[]): Command {
  return { program: "nft", args: ["-f", "-"], stdin: lines.map((line) => `${line}\n`).join("") };
}

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
import type { CompiledPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { checksumRepair, type Repair } from "../../core/change/dhcp_checksum.ts";
import { localRouting } from "../../core/change/local_routing.ts";
import { collection, type CollectionName, declaration } from "./collections.ts";
import { oldKernel } from "./detect.ts";
import type { Element, ObjectGroup, Ruleset, SharedObjects } from "./objects.ts";
import { rulesetOf } from "./ruleset.ts";

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
  policies: readonly CompiledPolicy[],
  facts: Facts,
): Change {
  refuseOldKernel(facts);
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
  const frame = [...installScripts(table, ruleset).map(load), ...beside.steps];
  const before = facts.before?.get(policy.network);
  const adjusted = before === undefined
    ? undefined
    : adjustScript(table, rulesetOf(before), ruleset);
  return {
    network: policy.network,
    install: [...frame, ...publishScripts(table, ruleset.published).map(load)],
    ...(adjusted === undefined ? {} : { adjustment: adjusted.map(load) }),
    removal: [...beside.removal, ...removalGroups(table, ruleset)],
    warnings: beside.warnings,
  };
}

/** What is done outside of nftables. */
function besides(policy: CompiledPolicy, facts: Facts): Repair {
  if (policy.kind === "masquerade") return { steps: [], removal: [], warnings: [] };
  const repair = checksumRepair(policy, facts);
  const routing = localRouting(policy);
  return {
    steps: [...repair.steps, ...routing.steps],
    removal: [...repair.removal, ...routing.removal],
    warnings: [...zoneWarnings(policy, "nftables"), ...repair.warnings],
  };
}

/** What several networks need comes first and in scripts of its own, so that it is run only once. */
function installScripts(
  table: string,
  { shared, groups }: Ruleset,
): readonly (readonly string[])[] {
  const [first, ...more] = shared.map((one) => declareShared(table, one));
  return [
    [`add table inet ${table}`, ...first ?? []],
    ...more,
    groups.flatMap((group) => installGroup(table, group)),
  ];
}

function declareShared(table: string, { collections, chains }: SharedObjects): readonly string[] {
  return [
    ...declareCollections(table, collections),
    ...chains.flatMap((chain) => [
      `add chain inet ${table} ${chain.name} { ${chain.hook} comment ${chain.comment}; }`,
      `flush chain inet ${table} ${chain.name}`,
      ...chain.rules.map(({ statements, comment }) =>
        `add rule inet ${table} ${chain.name} ${statements} comment ${comment}`
      ),
    ]),
  ];
}

function declareCollections(table: string, names: readonly CollectionName[]): readonly string[] {
  return names.map((name) => {
    const one = collection(name);
    return `add ${one.kind} inet ${table} ${name} { ${declaration(one)} }`;
  });
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
    ...(group.isAlone === true
      ? group.shared.collections.map((name) => `flush set inet ${table} ${name}`)
      : []),
    ...group.elements.map((element) => elementsLine("add", table, element.collection, [element])),
  ];
}

function publishScripts(
  table: string,
  published: readonly Element[],
): readonly (readonly string[])[] {
  return published.length === 0 ? [] : [elementsLines("add", table, published)];
}

/**
 * From one set of published ports to another, where nothing else differs: what stays is not touched, so
 * that a port more costs the same however many there are.
 *
 * @returns Undefined where more differs.
 */
function adjustScript(
  table: string,
  before: Ruleset,
  after: Ruleset,
): readonly (readonly string[])[] | undefined {
  const frame = (ruleset: Ruleset): string => installScripts(table, ruleset).flat().join("\n");
  if (frame(before) !== frame(after)) return undefined;
  const [gone, come] = [without(before.published, after), without(after.published, before)];
  const lines = [
    ...elementsLines("delete", table, gone),
    ...elementsLines("add", table, come),
  ];
  return lines.length === 0 ? [] : [lines];
}

function without(elements: readonly Element[], { published }: Ruleset): readonly Element[] {
  const kept = new Set(published.map(elementKey));
  return elements.filter((element) => !kept.has(elementKey(element)));
}

function elementKey({ collection, key, value = "" }: Element): string {
  return `${collection} ${key} : ${value}`;
}

/** So many in a line that a message of nft can still be read. */
const ELEMENTS_IN_LINE = 32;

function elementsLines(
  verb: "add" | "delete",
  table: string,
  elements: readonly Element[],
): readonly string[] {
  return [...Map.groupBy(elements, (element) => element.collection)].flatMap(([name, own]) =>
    Array.from({ length: Math.ceil(own.length / ELEMENTS_IN_LINE) }, (_, index) => {
      const start = index * ELEMENTS_IN_LINE;
      return elementsLine(verb, table, name, own.slice(start, start + ELEMENTS_IN_LINE));
    })
  );
}

function elementsLine(
  verb: "add" | "delete",
  table: string,
  name: CollectionName,
  elements: readonly Element[],
): string {
  const words = elements.map(({ key, value }) =>
    verb === "add" && value !== undefined ? `${key} : ${value}` : key
  );
  return `${verb} element inet ${table} ${name} { ${words.join(", ")} }`;
}

function removalGroups(
  table: string,
  { shared, groups, published, holding }: Ruleset,
): readonly RemovalGroup[] {
  const scripts = [
    ...(published.length === 0 ? [] : [removePublished(table, published)]),
    ...holding.map(({ chains, collections }) => [
      `add table inet ${table}`,
      ...declareCollections(table, collections),
      ...emptyChains(table, chains),
    ]),
    ...groups.toReversed().filter(({ isAlone }) => isAlone !== true)
      .map((group) => removeGroup(table, group)),
    ...shared.toReversed().map((one) => removeShared(table, one)),
    [`add table inet ${table}`, `delete table inet ${table}`],
  ];
  return scripts.map((lines) => ({ commands: [runScript(lines)], ignoreErrors: false }));
}

function removePublished(table: string, published: readonly Element[]): readonly string[] {
  const names = [...new Set(published.map((element) => element.collection))];
  return [
    `add table inet ${table}`,
    ...declareCollections(table, names),
    ...elementsLines("add", table, published),
    ...elementsLines("delete", table, published),
  ];
}

function emptyChains(table: string, chains: readonly string[]): readonly string[] {
  return chains.flatMap((name) => [
    `add chain inet ${table} ${name}`,
    `flush chain inet ${table} ${name}`,
  ]);
}

function removeGroup(table: string, group: ObjectGroup): readonly string[] {
  const chains = group.chains.map(({ name }) => name);
  return [
    `add table inet ${table}`,
    ...declareCollections(table, group.shared.collections),
    ...chains.map((name) => `add chain inet ${table} ${name}`),
    ...group.elements.flatMap((element) => [
      elementsLine("add", table, element.collection, [element]),
      elementsLine("delete", table, element.collection, [element]),
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

function removeShared(table: string, { collections, chains }: SharedObjects): readonly string[] {
  return [
    `add table inet ${table}`,
    ...chains.flatMap((chain) => [
      `add chain inet ${table} ${chain.name} { ${chain.hook} }`,
      `flush chain inet ${table} ${chain.name}`,
      `delete chain inet ${table} ${chain.name}`,
    ]),
    ...collections.flatMap((name) => [
      ...declareCollections(table, [name]),
      `delete ${collection(name).kind} inet ${table} ${name}`,
    ]),
  ];
}

function runScript(lines: readonly string[]): Command {
  return { program: "nft", args: ["-f", "-"], stdin: lines.map((line) => `${line}\n`).join("") };
}

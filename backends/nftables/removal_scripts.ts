/** A ruleset → the scripts that take it away. */
import type { RemovalGroup } from "../../core/change/change.ts";
import { collection } from "./collections.ts";
import { declareCollections, elementsLine, elementsLines, runScript } from "./element_lines.ts";
import type { Element, ObjectGroup, Ruleset, SharedObjects } from "./objects.ts";

/**
 * What looks something up goes before what is looked up; what is shared is in groups of its own, which the
 * last that has them runs.
 */
export function removalGroups(
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

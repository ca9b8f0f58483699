/** A ruleset → the scripts that install it, and those that turn another into it. */
import type { Element, ObjectGroup, Ruleset, SharedObjects } from "./objects.ts";
import { declareCollections, elementsLine, elementsLines } from "./element_lines.ts";

/** What several networks need comes first and in scripts of its own, so that it is run only once. */
export function installScripts(
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

/** The ports that it publishes, once all else is there. */
export function publishScripts(
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
export function adjustScript(
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

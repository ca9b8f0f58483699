/** A ruleset → the scripts that install it, and those that turn another into it. */
import type { CompiledPolicy, FilteredPolicy } from "../../core/policy/policy.ts";
import { changedElements } from "./published_elements.ts";
import { rulesetOf } from "./ruleset.ts";
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
 * @returns What leads to guests, and in a script of its own what does not come to them any more; undefined
 * where more differs.
 */
export function adjustScripts(
  table: string,
  before: CompiledPolicy,
  after: CompiledPolicy,
): { readonly leading: readonly string[]; readonly closing: readonly string[] } | undefined {
  if (before.kind === "masquerade" || after.kind === "masquerade") return undefined;
  const frame = (policy: FilteredPolicy): string =>
    installScripts(table, rulesetOf(policy)).flat().join("\n");
  if (frame(before) !== frame(after)) return undefined;
  const changes = before.families.flatMap((old) =>
    after.families.filter(({ family }) => family === old.family)
      .map((now) => changedElements(old, now))
  );
  const gone = changes.flatMap((one) => one.gone);
  return {
    leading: [
      ...elementsLines("delete", table, gone.filter((element) => !isTarget(element))),
      ...elementsLines("add", table, changes.flatMap(({ come }) => come)),
    ],
    closing: elementsLines("delete", table, gone.filter(isTarget)),
  };
}

/** Whether the element lets through what was sent to a guest. */
function isTarget({ collection }: Element): boolean {
  return collection.startsWith("published_");
}

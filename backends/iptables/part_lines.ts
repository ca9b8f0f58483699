/** Parts → the lines of a table that bring them in, change them and take them away. */
import { type Entry, isHolder, type Part, type Rule, ruleWords, type SharedPart } from "./parts.ts";
import { formatLine } from "./script.ts";

/** Lines as words. */
export type Lines = readonly (readonly string[])[];

/**
 * Brings in what is shared, or makes it as it should be. Chains that hold entries of networks are only made, never emptied;
 * jumps come back to their place.
 */
export function installShared({ chains, jumps, place }: SharedPart, stands: boolean): Lines {
  const filled = chains.filter((chain) => !isHolder(chain));
  const [verb, inOrder] = place === "head" ? ["-I", jumps.toReversed()] : ["-A", jumps];
  return [
    ...(stands
      ? [...filled.map(({ name }) => ["-F", name]), ...jumps.map(deleteEntry)]
      : chains.map(({ name }) => ["-N", name])),
    ...filled.flatMap(({ name, rules }) => rules.map((rule) => ["-A", name, ...ruleWords(rule)])),
    ...inOrder.map(({ chain, rule }) => [verb, chain, ...ruleWords(rule)]),
  ];
}

/** Brings in what is a network's own, or fills it again. */
export function installPart({ chains, entries }: Part, stands: boolean): Lines {
  return [
    ...chains.map(({ name }) => [stands ? "-F" : "-N", name]),
    ...chains.flatMap(({ name, rules }) => rules.map((rule) => ["-A", name, ...ruleWords(rule)])),
    ...(stands ? entries.map(deleteEntry) : []),
    ...entries.map(({ chain, rule }) => ["-A", chain, ...ruleWords(rule)]),
  ];
}

/**
 * Takes away what is shared. Chains that hold entries are not emptied: with the last network they are empty, and if not, somebody
 * else's rule is in them. (Nor could they be: iptables-nft 1.8.9 forgets the deletion of a rule whose
 * chain is emptied further down, so that what the rule led to stays in use.)
 */
export function removeShared({ chains, jumps }: SharedPart): Lines {
  return [
    ...jumps.map(deleteEntry),
    ...chains.filter((chain) => !isHolder(chain)).map(({ name }) => ["-F", name]),
    ...chains.map(({ name }) => ["-X", name]),
  ];
}

/** Takes away what is a network's own. */
export function removePart({ chains, entries, users = [] }: Part): Lines {
  return [
    ...entries.map(deleteEntry),
    // They are filled again, or go as well.
    ...users.map((name) => ["-F", name]),
    ...chains.map(({ name }) => ["-F", name]),
    ...chains.map(({ name }) => ["-X", name]),
  ];
}

function deleteEntry({ chain, rule }: Entry): readonly string[] {
  return ["-D", chain, ...ruleWords(rule)];
}

/** What turns the rules of chains into others, while all that is in both goes on counting. */
export interface ChainChanges {
  /** To be run first: what goes is still there. */
  readonly additions: Lines;
  /** By what they say, not by their place. */
  readonly deletions: Lines;
}

/** From one part to another that differs in rules alone. Undefined where a rule has to move. */
export function changePart(before: Part, after: Part): ChainChanges | undefined {
  const changes = after.chains.map(({ name, rules }) =>
    changeChain(name, before.chains.find((chain) => chain.name === name)?.rules ?? [], rules)
  );
  const possible = changes.filter((one) => one !== undefined);
  if (possible.length < changes.length) return undefined;
  return {
    additions: possible.flatMap(({ additions }) => additions),
    deletions: possible.flatMap(({ deletions }) => deletions),
  };
}

function changeChain(
  chain: string,
  before: readonly Rule[],
  after: readonly Rule[],
): ChainChanges | undefined {
  const [old, young] = [byText(before), byText(after)];
  if (old.size < before.length || young.size < after.length) return undefined;
  const kept = [...old.keys()].filter((text) => young.has(text));
  const keptInOrder = [...young.keys()].filter((text) => old.has(text));
  if (kept.some((text, index) => text !== keptInOrder[index])) return undefined;
  // Each new rule stands behind the one that it follows in the end.
  const places = new Map([...old.keys()].map((text, index) => [text, index + 1]));
  let place = 0;
  let added = 0;
  const additions = [...young].flatMap(([text, rule]) => {
    const known = places.get(text);
    place = known === undefined ? place + 1 : known + added;
    if (known !== undefined) return [];
    added++;
    return [["-I", chain, String(place), ...ruleWords(rule)]];
  });
  return {
    additions,
    deletions: [...old].filter(([text]) => !young.has(text))
      .map(([, rule]) => deleteEntry({ chain, rule })),
  };
}

function byText(rules: readonly Rule[]): ReadonlyMap<string, Rule> {
  return new Map(rules.map((rule) => [formatLine(ruleWords(rule)), rule]));
}

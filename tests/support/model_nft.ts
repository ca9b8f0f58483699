/**
 * A model of what nft does with the scripts of this project: objects by name, all or nothing. It knows
 * the mistakes that a kernel would refuse: what is deleted must be there and in nobody's use, what is
 * jumped to or looked up must be there as well, ranges may not overlap.
 */
import { findOverlap } from "./model_nft_keys.ts";

/**
 * The objects of one kernel: `table`, `chain NAME`, `map NAME`, `set NAME`, `counter NAME` → content. That
 * of a map or a set begins with its declaration.
 */
export type Ruleset = ReadonlyMap<string, readonly string[]>;

/** The ruleset after a script; the message of the first refused line when there is one. */
export function runScript(
  ruleset: Ruleset,
  script: string,
): { readonly ruleset: Ruleset; readonly error?: string } {
  const objects = new Map([...ruleset].map(([key, content]) => [key, [...content]]));
  for (const line of script.trimEnd().split("\n")) {
    const error = runLine(objects, line);
    if (error !== undefined) return { ruleset, error: `${error}: ${line}` };
  }
  return { ruleset: objects };
}

type Objects = Map<string, string[]>;

function runLine(objects: Objects, line: string): string | undefined {
  const words = /^(add|delete|flush) (\w+) inet \S+ ?(\S+)? ?(.*)$/.exec(line);
  if (words === null) return "syntax error";
  const [, verb = "", kind = "", name = "", rest = ""] = words;
  if (kind !== "table" && !objects.has("table")) return "no such table";
  switch (kind) {
    case "table":
      if (verb === "delete") objects.clear();
      else if (!objects.has("table")) objects.set("table", []);
      return undefined;
    case "rule":
      return addRule(objects, `chain ${name}`, rest);
    case "element":
      return runElements(objects, verb, name, rest);
    case "map":
    case "set":
      return runCollection(objects, verb, `${kind} ${name}`, rest);
    case "chain":
    case "counter":
      return runObject(objects, verb, `${kind} ${name}`, []);
    default:
      return "syntax error";
  }
}

/** One that is there may be added again as it is, not as another. */
function runCollection(
  objects: Objects,
  verb: string,
  key: string,
  declaration: string,
): string | undefined {
  const content = objects.get(key);
  if (verb === "add" && content !== undefined) {
    return content[0] === declaration ? undefined : "exists with another declaration";
  }
  if (verb === "flush" && content !== undefined) {
    content.length = 1;
    return undefined;
  }
  return runObject(objects, verb, key, [declaration]);
}

function runObject(
  objects: Objects,
  verb: string,
  key: string,
  empty: string[],
): string | undefined {
  const content = objects.get(key);
  if (verb === "add") {
    if (content === undefined) objects.set(key, empty);
    return undefined;
  }
  if (content === undefined) return "no such object";
  if (verb === "flush") {
    content.length = 0;
    return undefined;
  }
  if ([...objects.values()].flat().some((text) => referencesOf(text).has(key))) {
    return "object is busy";
  }
  objects.delete(key);
  return undefined;
}

function runElements(
  objects: Objects,
  verb: string,
  name: string,
  text: string,
): string | undefined {
  const key = objects.has(`map ${name}`) ? `map ${name}` : `set ${name}`;
  const content = objects.get(key);
  if (content === undefined) return "no such map or set";
  for (const element of text.replace(/^\{ | \}$/g, "").split(", ")) {
    const error = verb === "add"
      ? addElement(objects, content, element)
      : deleteElement(content, element);
    if (error !== undefined) return error;
  }
  return undefined;
}

function addElement(objects: Objects, content: string[], element: string): string | undefined {
  const [declaration = "", ...elements] = content;
  const [key, value] = keyAndValue(element);
  if ((value === undefined) === declaration.includes(" : ")) return "not what the members are";
  const chain = /^jump (\S+)$/.exec(value ?? "")?.[1];
  if (chain !== undefined && !objects.has(`chain ${chain}`)) return "no such chain";
  const there = elements.find((one) => keyAndValue(one)[0] === key);
  if (there !== undefined) {
    return there === element ? undefined : "element exists with another value";
  }
  if (declaration.includes("flags interval")) {
    const other = findOverlap(key, elements.map((one) => keyAndValue(one)[0]));
    if (other !== undefined) return `interval overlaps with ${other}`;
  }
  content.push(element);
  return undefined;
}

function deleteElement(content: string[], key: string): string | undefined {
  const index = content.findIndex((one, place) => place > 0 && keyAndValue(one)[0] === key);
  if (index === -1) return "no such element";
  content.splice(index, 1);
  return undefined;
}

function keyAndValue(element: string): readonly [key: string, value?: string] {
  const [key = "", value] = element.split(" : ");
  return value === undefined ? [key] : [key, value];
}

function addRule(objects: Objects, key: string, rule: string): string | undefined {
  const rules = objects.get(key);
  if (rules === undefined) return "no such chain";
  for (const reference of referencesOf(rule)) {
    if (reference.startsWith("chain ") || reference.startsWith("counter ")) {
      if (!objects.has(reference)) return `no such ${reference}`;
    }
  }
  for (const name of namesLookedUp(rule)) {
    if (!objects.has(`map ${name}`) && !objects.has(`set ${name}`)) return "no such map or set";
  }
  rules.push(rule);
  return undefined;
}

const REFERENCES = new Map<string, ReadonlySet<string>>();

/** The objects that a rule or an element needs; of a lookup both kinds, since it names none. */
function referencesOf(text: string): ReadonlySet<string> {
  const known = REFERENCES.get(text);
  if (known !== undefined) return known;
  const bare = withoutStrings(text);
  const found = new Set([
    ...namesLookedUp(text).flatMap((name) => [`map ${name}`, `set ${name}`]),
    ...[...bare.matchAll(/\bjump (\S+)/g)].map(([, name]) => `chain ${name}`),
    ...[...text.matchAll(/\bcounter name "([^"]+)"/g)].map(([, name]) => `counter ${name}`),
  ]);
  REFERENCES.set(text, found);
  return found;
}

function namesLookedUp(rule: string): readonly string[] {
  return [...withoutStrings(rule).matchAll(/@(\S+)/g)].map(([, name = ""]) => name);
}

/** What is in quotes refers to nothing: interfaces, and comments with the names of networks. */
function withoutStrings(text: string): string {
  return text.replace(/"[^"]*"/g, '""');
}

/** The objects as text, the same for equal rulesets. */
export function describeRuleset(ruleset: Ruleset): string {
  return [...ruleset].map(([key, content]) => {
    const lines = /^(map|set)/.test(key) ? content.toSorted() : content;
    return [key, ...lines].join("\n  ");
  }).toSorted().join("\n");
}

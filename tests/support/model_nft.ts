/**
 * A model of what nft does with the scripts of this project: objects by name, all or nothing. It knows
 * the mistakes that a kernel would refuse: what is deleted must be there, what is jumped to as well.
 */

/** The objects of one kernel: `table`, `chain NAME`, `map NAME`, `counter NAME` → content. */
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
      return addTo(objects, `chain ${name}`, rest);
    case "element":
      return runElement(objects, verb, name, rest);
    default:
      return runObject(objects, verb, `${kind} ${name}`);
  }
}

function runObject(objects: Objects, verb: string, key: string): string | undefined {
  const content = objects.get(key);
  if (verb === "add") {
    if (content === undefined) objects.set(key, []);
    return undefined;
  }
  if (content === undefined) return "no such object";
  if (verb === "flush") {
    content.length = 0;
    return undefined;
  }
  const [, name = ""] = key.split(" ");
  if ([...objects.values()].flat().some((text) => refersTo(text, name))) return "object is busy";
  objects.delete(key);
  return undefined;
}

function runElement(
  objects: Objects,
  verb: string,
  map: string,
  text: string,
): string | undefined {
  const [key = "", verdict = ""] = text.replace(/^\{ | \}$/g, "").split(" : ");
  const elements = objects.get(`map ${map}`);
  if (elements === undefined) return "no such map";
  const index = elements.findIndex((element) => element.startsWith(`${key} : `));
  if (verb === "delete") {
    if (index === -1) return "no such element";
    elements.splice(index, 1);
    return undefined;
  }
  if (!objects.has(`chain ${verdict.replace("jump ", "")}`)) return "no such chain";
  if (index === -1) elements.push(`${key} : ${verdict}`);
  else if (elements[index] !== `${key} : ${verdict}`) return "element exists with another verdict";
  return undefined;
}

function addTo(objects: Objects, key: string, rule: string): string | undefined {
  const rules = objects.get(key);
  if (rules === undefined) return "no such chain";
  const reference = /vmap @(\S+)|counter name "([^"]+)"/.exec(rule);
  const [, map, counter] = reference ?? [];
  if (map !== undefined && !objects.has(`map ${map}`)) return "no such map";
  if (counter !== undefined && !objects.has(`counter ${counter}`)) return "no such counter";
  rules.push(rule);
  return undefined;
}

function refersTo(text: string, name: string): boolean {
  return text.endsWith(`jump ${name}`) || text.includes(`@${name} `) || text.includes(`"${name}" `);
}

/** The objects as text, the same for equal rulesets. */
export function describeRuleset(ruleset: Ruleset): string {
  return [...ruleset].map(([key, content]) => {
    const lines = key.startsWith("map") ? content.toSorted() : content;
    return [key, ...lines].join("\n  ");
  }).toSorted().join("\n");
}

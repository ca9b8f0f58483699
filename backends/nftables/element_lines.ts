/** Lines of a script of nft(8) about maps, sets and their members. */
import { collection, type CollectionName, declaration } from "./collections.ts";
import type { Element } from "./objects.ts";
import type { Command } from "../../core/command.ts";

/** The run of nft that takes these lines, all or none. */
export function runScript(lines: readonly string[]): Command {
  return { program: "nft", args: ["-f", "-"], stdin: lines.map((line) => `${line}\n`).join("") };
}

/** Makes the maps and sets; those that are there stay as they are. */
export function declareCollections(
  table: string,
  names: readonly CollectionName[],
): readonly string[] {
  return names.map((name) => {
    const one = collection(name);
    return `add ${one.kind} inet ${table} ${name} { ${declaration(one)} }`;
  });
}

/** So many in a line that a message of nft can still be read. */
const ELEMENTS_IN_LINE = 32;

/** Members of any maps and sets, many in a line. */
export function elementsLines(
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

/** Members of one map or set. */
export function elementsLine(
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

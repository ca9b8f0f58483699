/** firewalld in memory as text: what nft shows of it, and what tests compare. */
import { objectsIn } from "./firewalld_objects.ts";
import type { Firewalld } from "./model_firewalld.ts";

/** The names of the chains that firewalld has in nft; empty when it does not run. */
export function listFirewalldTable({ running, stock, loaded }: Firewalld): string {
  if (!running) return "";
  const chains = [
    ...stock.map((name) => `filter_IN_${name}`),
    ...objectsIn(loaded).map(({ kind, name }) =>
      kind === "zone" ? `filter_IN_${name}` : `filter_FWD_policy_${name}`
    ),
  ];
  return [
    "table inet firewalld {",
    ...chains.map((name) => `\tchain ${name} {\n\t}\n`),
    "}\n",
  ].join("\n");
}

/** Files and what is at run time, as text; empty for one that has nothing but its own zones. */
export function describeFirewalld({ files, permanent, loaded, bindings }: Firewalld): string {
  const named = [...objectsIn(loaded)].flatMap(({ interfaces }) => interfaces);
  return [
    ...[...files].toSorted(byKey).map(([path, text]) =>
      loaded.get(path) === text ? `file, read ${path}\n${text}` : `file ${path}\n${text}`
    ),
    ...[...loaded].toSorted(byKey).filter(([path, text]) => files.get(path) !== text)
      .map(([path, text]) => `was read ${path}\n${text}`),
    ...[...permanent].toSorted(byKey).map(([name, zone]) => `${name} in ${zone} for good`),
    ...[...bindings].toSorted(byKey).map(([name, zone]) => `${name} in ${zone}`),
    ...named.filter((name) => !bindings.has(name)).map((name) => `${name} in no zone`),
  ].join("\n");
}

function byKey([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

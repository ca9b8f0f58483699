/** The model of iptables-restore that pure tests work with, compared with the programs. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { makeNamespace, removeNamespace } from "../hosts/namespace.ts";
import { hostTest } from "../hosts/requirements.ts";
import { mustRun, run } from "../hosts/run_program.ts";
import { runRestore, saveTables, type Tables, type Variant } from "../support/model_iptables.ts";

/** Chains of a table, and rules as iptables-save prints them; those that jump go to `CHAIN`. */
const OWN_CHAINS = ["one", "two", 'th"ree'];
const RULES = [
  "-j ACCEPT",
  "-i -j -o x -j CHAIN",
  '-i "a\\"b" -j CHAIN',
  "-i -i -j CHAIN",
  '-o "b\\\\" -g CHAIN',
  "-o ! -m comment --comment one_word -j CHAIN",
  '-m comment --comment "it\\\'s -j \\"one\\" \\\\ é" -j RETURN',
  '-m comment --comment "to -j two or"',
  "-o x -g ACCEPT",
];

/** A table's builtin chain that the scripts meet. */
const HOOKS = { filter: "FORWARD", nat: "POSTROUTING", mangle: "FORWARD", raw: "OUTPUT" };

/** One table. Lines that the model refuses are left out, but for the last ones where it is careless. */
interface Section {
  readonly table: keyof typeof HOOKS;
  readonly careless: boolean;
  readonly lines: readonly string[];
}

const SECTIONS: fc.Arbitrary<Section> = fc.constantFrom(
  ...["filter", "nat", "mangle", "raw"] as const,
)
  .chain((table) =>
    fc.record({
      table: fc.constant(table),
      careless: fc.boolean(),
      lines: fc.array(linesOf(HOOKS[table]), { minLength: 1, maxLength: 20, size: "max" }),
    })
  );

function linesOf(hook: string): fc.Arbitrary<string> {
  const own = fc.constantFrom(...OWN_CHAINS).map(quoted);
  // Packets have no incoming interface any more in POSTROUTING, and those of the host none in OUTPUT.
  const rules = RULES.filter((rule) => hook === "FORWARD" || !rule.startsWith("-i"));
  const rule = fc.tuple(fc.constantFrom(...rules), own)
    .map(([text, chain]) => text.replace("CHAIN", () => chain));
  const chain = fc.oneof(own, fc.constant(hook));
  return fc.oneof(
    { weight: 3, arbitrary: fc.tuple(fc.constantFrom("-N", "-X", "-F"), own) },
    { weight: 1, arbitrary: fc.constant(["-F", hook]) },
    { weight: 6, arbitrary: fc.tuple(fc.constantFrom("-A", "-I", "-D", "-D"), chain, rule) },
  ).map((words) => words.join(" "));
}

function quoted(name: string): string {
  return `"${name.replace(/["\\]/g, "\\$&")}"`;
}

/** The script of the sections. After what the model refuses, anything follows: it is not read. */
function scriptOf(tables: Tables, variant: Variant, sections: readonly Section[]): string {
  const isRefused = (script: string): boolean =>
    runRestore(tables, script, variant, false).error !== undefined;
  return sections.reduce((script, { table, careless, lines }) => {
    const anything = isRefused(script);
    const taken = lines.reduce((before, line, index) => {
      const next = `${before}${line}\n`;
      if (anything || (careless && index >= lines.length - 3)) return next;
      return isRefused(`${script}${next}COMMIT\n`) ? before : next;
    }, `*${table}\n`);
    return `${script}${taken}COMMIT\n`;
  }, "");
}

/** What iptables-save prints, but for its comments, the order of tables, and empty ones. */
function savedText(text: string): readonly string[] {
  return text.replace(/^#.*\n/gm, "").split(/(?<=^COMMIT\n)/m)
    .filter((table) => /^-A|^:.* - /m.test(table)).toSorted();
}

/** Runs scripts one after the other, each on what the last one left. */
async function compare(
  program: string,
  variant: Variant,
  scripts: readonly (readonly Section[])[],
): Promise<void> {
  const namespace = await makeNamespace("model");
  try {
    let tables: Tables = new Map();
    for (const sections of scripts) {
      const script = scriptOf(tables, variant, sections);
      for (const test of [true, false]) {
        const { tables: next, error } = runRestore(tables, script, variant, test);
        const args = ["--noflush", "--wait=60", ...test ? ["--test"] : []];
        const argv = [`${program}-${variant}-restore`, ...args];
        const { code, stderr } = await run(argv, { namespace, stdin: script });
        const says = `${test ? "--test" : ""}\n${saveTables(tables)}\n${script}\n${stderr}${error}`;
        assertEquals(code === 0, error === undefined, says);
        tables = next;
      }
      const saved = await mustRun([`${program}-${variant}-save`], { namespace });
      assertEquals(savedText(saved), savedText(saveTables(tables)), script);
    }
  } finally {
    await removeNamespace(namespace);
  }
}

/** The nft variant refuses the second script, for which see `withoutFlushed()` of the model. */
const FLUSHED_LATER: readonly (readonly Section[])[] = [
  ['-N "one"', '-A FORWARD -j "one"'],
  ['-D FORWARD -j "one"', '-X "one"', "-F FORWARD"],
].map((lines) => [{ table: "filter", careless: true, lines }]);

const PROGRAMS = ["iptables", "ip6tables"] as const;
const VARIANTS = ["nft", "legacy"] as const;

hostTest({
  name: "the model of iptables-restore takes, refuses and leaves what the programs do",
  tools: PROGRAMS.flatMap((program) => VARIANTS.map((variant) => `${program}-${variant}-restore`)),
  body: async () => {
    const sections = fc.array(SECTIONS, { minLength: 1, maxLength: 3 });
    const scripts = fc.array(sections, { minLength: 1, maxLength: 20, size: "max" });
    const properties = PROGRAMS.flatMap((program) =>
      VARIANTS.map((variant) =>
        fc.asyncProperty(scripts, (list) => compare(program, variant, list))
      )
    );
    // Most of the time goes by waiting for the kernel, so the programs wait side by side.
    const ends = properties.map((property) =>
      fc.assert(property, { numRuns: 10, examples: [[FLUSHED_LATER]] })
    );
    await Promise.allSettled(ends); // One that fails waits for the others to remove what they made.
    await Promise.all(ends);
  },
});

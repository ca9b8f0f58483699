/**
 * A model of what iptables-restore 1.8.9 does with the scripts of this project, the options
 * `--noflush` and `--wait` being given. Each table is taken over as a whole at its `COMMIT`, so an
 * error in a later table leaves the earlier ones changed.
 *
 * It knows what refuses a script: what is removed must be there, what is jumped to as well, a chain
 * that goes is empty and unused, and no packet may go round in circles. It does not know what a match
 * or a target means, so rules are to be written as iptables-save prints them.
 * `tests/kernel/model_iptables_test.ts` compares it with the programs.
 */
import { jumpOf, savedJump, saveRule, wordsOf } from "./iptables_words.ts";

export { wordsOf };

/** Table → chain → its rules as iptables-save prints them, without `-A CHAIN`. */
export type Tables = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

/** Which program it is: `iptables-nft-restore` or `iptables-legacy-restore`. */
export type Variant = "nft" | "legacy";

type Chains = Map<string, string[]>;

const BUILTIN_CHAINS: ReadonlyMap<string, readonly string[]> = new Map([
  ["filter", ["INPUT", "FORWARD", "OUTPUT"]],
  ["nat", ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]],
  ["mangle", ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]],
  ["raw", ["PREROUTING", "OUTPUT"]],
]);

/** Those that the project uses, and DROP. */
const TARGETS: ReadonlySet<string> = new Set(
  ["ACCEPT", "REJECT", "RETURN", "MASQUERADE", "SNAT", "DNAT", "CHECKSUM", "DROP"],
);

/** Rules after which the legacy kernel looks no further for circles. */
const ALWAYS_LAST: ReadonlySet<string> = new Set(["-j ACCEPT", "-j DROP", "-j RETURN"]);

/** The lines from `*table` to `COMMIT`, each with what is said when it is refused. */
interface Section {
  readonly table: string;
  readonly lines: { readonly text: string; readonly words: readonly string[] }[];
}

/**
 * The tables after a script; the message of the first refused line when there is one.
 *
 * @param test `--test`: nothing is changed. The nft variant then looks at the syntax alone and
 *   misses what is not there; the legacy one misses only what the kernel would refuse.
 */
export function runRestore(
  tables: Tables,
  script: string,
  variant: Variant,
  test: boolean,
): { readonly tables: Tables; readonly error?: string } {
  const done = new Map(tables);
  let open: Section | undefined;
  for (const [index, line] of script.split("\n").entries()) {
    const text = `line ${index + 1}: ${line}`;
    let error: string | undefined;
    if (line === "" || line.startsWith("#")) continue;
    if (open === undefined) {
      open = { table: line.slice(1), lines: [] };
      if (line !== `*${open.table}` || !BUILTIN_CHAINS.has(open.table)) error = `No table: ${text}`;
    } else if (line === "COMMIT") {
      const chains = runSection(test ? tables : done, open, variant, test);
      if (typeof chains === "string") error = chains;
      else done.set(open.table, chains);
      open = undefined;
    } else {
      const words = wordsOf(line);
      open.lines.push({ text, words });
      error = refusal(problemOfSyntax(words), text);
    }
    if (error !== undefined) return { tables: test ? tables : done, error };
  }
  const result = { tables: test ? tables : done };
  return open === undefined ? result : { ...result, error: "COMMIT expected" };
}

function refusal(why: string | undefined, text: string): string | undefined {
  return why === undefined ? undefined : `${why}: ${text}`;
}

/** The chains of the table afterwards; a string says why they stay as they were. */
function runSection(
  tables: Tables,
  section: Section,
  variant: Variant,
  test: boolean,
): Chains | string {
  if (variant === "nft") {
    // The program itself looks only for what is there; then the kernel gets what is left.
    const asked = runLines(tables, test ? { ...section, lines: [] } : section, false);
    if (test || typeof asked === "string") return asked;
  }
  const chains = runLines(tables, variant === "nft" ? withoutFlushed(section) : section, true);
  if (test || typeof chains === "string") return chains;
  return problemOf(section.table, chains, variant) ?? chains;
}

/**
 * What the nft variant gives to the kernel: `-F` takes back all that the section has asked for the
 * rules of that chain, removals as well, see batch_chain_flush() of iptables/nft.c. A chain that an
 * earlier `-D` made free is then still in use where `-X` comes between the two.
 */
function withoutFlushed({ table, lines }: Section): Section {
  const flushed = new Set<string>();
  const left = lines.toReversed().filter(({ words: [verb, chain = ""] }) => {
    if (verb === "-F") flushed.add(chain);
    return !isOfRule(verb) || !flushed.has(chain);
  });
  return { table, lines: left.toReversed() };
}

function runLines(tables: Tables, { table, lines }: Section, asKernel: boolean): Chains | string {
  const chains: Chains = new Map();
  for (const name of BUILTIN_CHAINS.get(table) ?? []) chains.set(name, []);
  for (const [name, rules] of tables.get(table) ?? []) chains.set(name, [...rules]);
  for (const { text, words } of lines) {
    const [verb = "", chain = "", ...rule] = words;
    if (isChainLine(verb)) {
      const name = verb.slice(1);
      if (!isBuiltin(table, name)) chains.set(name, []);
      continue;
    }
    const why = isOfRule(verb)
      ? runRule(chains, table, verb, chain, rule)
      : runChain(chains, table, verb, chain, asKernel);
    if (why !== undefined) return `${why}: ${text}`;
  }
  return chains;
}

function isOfRule(verb: string | undefined): boolean {
  return verb === "-A" || verb === "-I" || verb === "-D";
}

/** The program knows more targets than those above, and takes none of them for a chain. */
function problemOfSyntax([verb = "", chain = "", ...rule]: readonly string[]): string | undefined {
  if (isChainLine(verb)) return problemOfName(verb.slice(1));
  if (!isOfRule(verb) && !["-N", "-F", "-X"].includes(verb)) return "Unknown verb";
  if (!isOfRule(verb) && rule.length > 0) return "Too many words";
  return problemOfName(chain);
}

function problemOfName(chain: string): string | undefined {
  const isValid = /^[^-!\s]\S*$/.test(chain) && new TextEncoder().encode(chain).length < 29;
  return isValid && !TARGETS.has(chain) ? undefined : "Not the name of a chain";
}

/** `:CHAIN POLICY [0:0]`: a chain of the program's own gets the policy, any other is there and empty. */
function isChainLine(verb: string): boolean {
  return verb.startsWith(":");
}

function runChain(
  chains: Chains,
  table: string,
  verb: string,
  chain: string,
  asKernel: boolean,
): string | undefined {
  const rules = chains.get(chain);
  if (verb === "-N") {
    if (rules !== undefined) return "Chain already exists";
    chains.set(chain, []);
    return undefined;
  }
  if (rules === undefined) return "No chain by that name";
  if (verb === "-F") {
    rules.length = 0;
    return undefined;
  }
  if (isBuiltin(table, chain)) return "Chain is built in";
  if (asKernel && rules.length > 0) return "Directory not empty";
  const isUsed = (rule: string): boolean => rule.includes(chain) && savedJump(rule) === chain;
  if (asKernel && [...chains.values()].flat().some(isUsed)) return "Device or resource busy";
  chains.delete(chain);
  return undefined;
}

function runRule(
  chains: Chains,
  table: string,
  verb: string,
  chain: string,
  given: readonly string[],
): string | undefined {
  const rules = chains.get(chain);
  if (rules === undefined) return "No chain by that name";
  const position = verb === "-I" && /^\d+$/.test(given[0] ?? "") ? Number(given[0]) : undefined;
  const words = position === undefined ? given : given.slice(1);
  if (position !== undefined && position > rules.length + 1) return "Index of insertion too big";
  const jump = jumpOf(words);
  const isThere = jump === undefined || (chains.has(jump.chain) && !isBuiltin(table, jump.chain)) ||
    (jump.returns && TARGETS.has(jump.chain));
  if (!isThere) return `Chain '${jump.chain}' does not exist`;
  const rule = saveRule(words);
  if (verb === "-A") rules.push(rule);
  if (verb === "-I") rules.splice((position ?? 1) - 1, 0, rule);
  if (verb !== "-D") return undefined;
  const index = rules.indexOf(rule);
  if (index === -1) return "Bad rule (does a matching rule exist in that chain?)";
  rules.splice(index, 1);
  return undefined;
}

function isBuiltin(table: string, chain: string): boolean {
  return BUILTIN_CHAINS.get(table)?.includes(chain) === true;
}

/**
 * What the kernel refuses at a COMMIT: a way for packets that comes back to where it was. For the
 * legacy variant ways end at the first rule that takes every packet, see mark_source_chains() in
 * net/ipv4/netfilter/ip_tables.c.
 */
function problemOf(table: string, chains: Chains, variant: Variant): string | undefined {
  const goesRound = (chain: string, way: readonly string[]): boolean => {
    const rules = chains.get(chain) ?? [];
    const last = variant === "nft" ? -1 : rules.findIndex((rule) => ALWAYS_LAST.has(rule));
    const reached = last === -1 ? rules : rules.slice(0, last);
    return way.includes(chain) ||
      reached.some((rule) => goesRound(savedJump(rule), [...way, chain]));
  };
  const isRound = BUILTIN_CHAINS.get(table)?.some((chain) => goesRound(chain, []));
  return isRound === true ? "Too many levels of symbolic links" : undefined;
}

/** The tables that were ever opened, as iptables-save prints them, without its comments. */
export function saveTables(tables: Tables): string {
  return [...tables].toSorted(byName).map(([table, chains]) => {
    const [builtin, own] = [true, false].map((which) =>
      [...chains].filter(([chain]) => isBuiltin(table, chain) === which)
    );
    const ordered = [...builtin ?? [], ...(own ?? []).toSorted(byName)];
    const policy = (chain: string): string => isBuiltin(table, chain) ? "ACCEPT" : "-";
    return [
      `*${table}`,
      ...ordered.map(([chain]) => `:${chain} ${policy(chain)} [0:0]`),
      ...ordered.flatMap(([chain, rules]) => rules.map((rule) => `-A ${chain} ${rule}`.trimEnd())),
      "COMMIT\n",
    ].join("\n");
  }).join("");
}

function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** The tables as text, the same for equal states; what no packet would notice is left out. */
export function describeTables(tables: Tables): string {
  return [...tables].toSorted(byName).flatMap(([table, chains]) => {
    const lines = [...chains].toSorted(byName)
      .filter(([chain, rules]) => rules.length > 0 || !isBuiltin(table, chain))
      .flatMap(([chain, rules]) => [`  ${chain}`, ...rules.map((rule) => `    ${rule}`)]);
    return lines.length === 0 ? [] : [table, ...lines];
  }).join("\n");
}

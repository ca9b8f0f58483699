/**
 * What firewalld's rules say, without what depends on how it came to them.
 *
 * It makes all of its own anew when it reloads: tables of others come first afterwards, and chains of
 * iptables trade places. It makes the chains of a zone when the first interface comes into it, and leaves
 * them when the last one goes, until it reloads; no packet gets there.
 */

/** A table of firewalld itself, or one of iptables that it keeps its chains in. */
const FIREWALLD = /^(?:table inet firewalld \{|\tchain FORWARD_direct \{|:FORWARD_direct .*)$/m;

/** What it makes for a zone, by name: `filter_IN_public`, `FWD_public_allow`, `helper-tftp-udp`. */
const OF_ZONE = /^(?:(?:filter|mangle|nat|raw)_)?(?:FWD|IN|PRE|POST)_|^helper-/;

/** A built-in chain of iptables without a rule: `iptables -X`, which firewalld runs, removes those too. */
const DOES_NOTHING = /^\tchain [A-Z]+ \{\n\t\ttype [^\n]* policy accept;\n\t\}\n$/;

/** A listing of nft where firewalld is: tables and chains by name, those in use. */
export function comparableListing(ruleset: string): string {
  if (!FIREWALLD.test(ruleset)) return ruleset;
  const tables = ruleset.match(/^table .*?^\}\n/gms) ?? [];
  return tables.map((table) => {
    const from = table.indexOf("\n") + 1;
    const blocks = table.slice(from, -"}\n".length).split(/(?<=^\t\}\n)\n?/m);
    const named = new Map(blocks.map((block) => [block.match(/(\S+) \{$/m)?.[1] ?? block, block]));
    const used = [...namesInUse(named)].map((name) => named.get(name) ?? "")
      .filter((block) => !DOES_NOTHING.test(block));
    return [table.slice(0, from), ...used.toSorted(), "}\n"].join("");
  }).toSorted().join("");
}

/** What iptables-save prints where firewalld is: the chains in use, in their order. */
export function comparableSaved(saved: string): string {
  if (!FIREWALLD.test(saved)) return saved;
  return saved.split(/^(?=\*)/m).map((table) => {
    const lines = table.split("\n");
    const named = new Map<string, string>();
    for (const line of lines) {
      named.set(chainOf(line), `${named.get(chainOf(line)) ?? ""}\n${line}`);
    }
    const used = namesInUse(named);
    return lines.filter((line) => used.has(chainOf(line))).join("\n");
  }).join("");
}

/** The chain that a line of iptables-save is of; empty for the lines around them. */
function chainOf(line: string): string {
  return line.match(/^(?::|-A )(\S+)/)?.[1] ?? "";
}

/** Without the chains of zones that no other one leads to, and those that only they led to. */
function namesInUse(named: ReadonlyMap<string, string>): ReadonlySet<string> {
  const words = new Map([...named].map(([name, block]) => [name, block.split(/[\s"]+/)]));
  let kept = [...named.keys()];
  while (true) {
    const led = new Set(
      kept.flatMap((name) => words.get(name)?.filter((word) => word !== name) ?? []),
    );
    const next = kept.filter((name) => !OF_ZONE.test(name) || led.has(name));
    if (next.length === kept.length) return new Set(kept);
    kept = next;
  }
}

import { assertEquals } from "@std/assert";
import {
  holdsRules,
  joinScripts,
  questionOf,
  RULE_PROGRAMS,
} from "../../../core/change/join_scripts.ts";
import type { Command } from "../../../core/command.ts";

/** A script of iptables: table → lines. */
function script(tables: Readonly<Record<string, readonly string[]>>): string {
  return Object.entries(tables)
    .map(([table, lines]) => [`*${table}`, ...lines, "COMMIT", ""].join("\n")).join("");
}

/** The tables of a script in their order, each with its lines. */
function sections(text: string): readonly string[] {
  return text.split("COMMIT\n").filter((section) => section !== "")
    .map((section) => section.slice(1).trimEnd().replaceAll("\n", " / "));
}

function joined(removals: readonly string[], installations: readonly string[]): readonly string[] {
  return sections(joinScripts("iptables-nft-restore", removals, installations));
}

Deno.test("scripts of nft stand one behind the other, removal first: all of it is one transaction", () => {
  assertEquals(joinScripts("nft", ["a\n", "b\n"], ["c\n"]), "a\nb\nc\n");
  assertEquals(joinScripts("tc", ["a\n"], ["b\n", "c\n"]), "a\nb\nc\n");
});

Deno.test("what pf is given takes the place of what the anchor held, so nothing is removed from it", () => {
  assertEquals(joinScripts("pfctl", ["a\n"], ["b\n"]), "b\n");
  assertEquals(joinScripts("pfctl", ["a\n"], []), "a\n");
});

Deno.test("each table of iptables is given once, with the lines of all networks in their order", () => {
  const one = script({ nat: ["-N ONE"], filter: ["-N FROM_ONE", "-A FROM_ONE -j ACCEPT"] });
  const two = script({ filter: ["-N FROM_TWO"], nat: ["-N TWO"] });
  for (const program of RULE_PROGRAMS.filter((known) => known.includes("tables-"))) {
    assertEquals(sections(joinScripts(program, [], [one, two])), [
      "nat / -N ONE / -N TWO",
      "filter / -N FROM_ONE / -A FROM_ONE -j ACCEPT / -N FROM_TWO",
    ]);
  }
});

Deno.test("on the way in, packets are translated before the filter lets them out", () => {
  const network = script({ filter: ["-A F"], mangle: ["-A M"], nat: ["-A N"] });
  assertEquals(joined([], [network]), ["mangle / -A M", "nat / -A N", "filter / -A F"]);
});

Deno.test("on the way out, packets are translated until the filter has stopped them", () => {
  const network = script({ mangle: ["-D M"], nat: ["-D N"], filter: ["-D F"] });
  assertEquals(joined([network], []), ["filter / -D F", "nat / -D N", "mangle / -D M"]);
});

Deno.test("others are kept from 127.0.0.0/8 before anything of it leads to guests, and after", () => {
  const network = script({ nat: ["-A N"], raw: ["-A R"], mangle: ["-A M"] });
  assertEquals(joined([], [network]), ["raw / -A R", "mangle / -A M", "nat / -A N"]);
  assertEquals(joined([network], []), ["nat / -A N", "mangle / -A M", "raw / -A R"]);
});

Deno.test("where networks come and go, the filter changes in one step, between all others", () => {
  const old = script({ filter: ["-D F1"], nat: ["-D N1"], mangle: ["-D M1"] });
  const young = script({ filter: ["-A F2"], nat: ["-A N2"], mangle: ["-A M2"] });
  assertEquals(joined([old], [young]), [
    "mangle / -A M2",
    "nat / -A N2",
    "filter / -D F1 / -A F2",
    "nat / -D N1",
    "mangle / -D M1",
  ]);
});

Deno.test("a table that removes a chain and makes it again does both at once", () => {
  const old = script({ filter: ["-D F"], nat: ["-D N", "-F CHAIN", "-X CHAIN"], mangle: ["-D M"] });
  const young = script({ filter: ["-A F"], nat: ["-N CHAIN", "-A N"], mangle: ["-A M"] });
  assertEquals(joined([old], [young]), [
    "mangle / -A M",
    "nat / -D N / -F CHAIN / -X CHAIN / -N CHAIN / -A N",
    "filter / -D F / -A F",
    "mangle / -D M",
  ]);
});

Deno.test("chains whose names only begin alike are not the same", () => {
  const old = script({ nat: ["-X CHAIN"] });
  assertEquals(joined([old], [script({ nat: ["-N CHAIN2"] })]), [
    "nat / -N CHAIN2",
    "nat / -X CHAIN",
  ]);
  assertEquals(joined([old], [script({ nat: ["-A CHAIN"] })]), [
    "nat / -A CHAIN",
    "nat / -X CHAIN",
  ]);
  const quoted = script({ nat: ['-X "a b"'] });
  assertEquals(joined([quoted], [script({ nat: ['-N "a b"'] })]), ['nat / -X "a b" / -N "a b"']);
});

Deno.test("what guards the host comes before what it is guarded from, and goes after it", () => {
  const network = script({ nat: ["-A N"], raw: ["-A R"], filter: ["-A F"] });
  assertEquals(joined([], [network]), ["raw / -A R", "nat / -A N", "filter / -A F"]);
  assertEquals(joined([network], []), ["filter / -A F", "nat / -A N", "raw / -A R"]);
});

Deno.test("a table that this program does not know comes last and goes first", () => {
  const network = script({ security: ["-A S"], nat: ["-A N"] });
  assertEquals(joined([], [network]), ["nat / -A N", "security / -A S"]);
  assertEquals(joined([network], []), ["security / -A S", "nat / -A N"]);
});

Deno.test("nothing to do is an empty script", () => {
  assertEquals(joined([], []), []);
  assertEquals(joined([script({ nat: [] })], ["", script({ filter: [] })]), []);
});

Deno.test("only programs that hold rules are taken for such", () => {
  assertEquals(RULE_PROGRAMS.map(holdsRules), RULE_PROGRAMS.map(() => true));
  const others = ["iptables", "iptables-nft-save", "ip6tables-legacy-save", "tc", "ip", "sysctl"];
  assertEquals(others.map((one) => holdsRules(one as Command["program"])), others.map(() => false));
});

Deno.test("iptables is asked with the same script and options, and nothing but iptables is asked", () => {
  for (const program of RULE_PROGRAMS) {
    const command: Command = { program, args: ["--noflush"], stdin: "*nat\nCOMMIT\n" };
    const question = { ...command, args: ["--test", "--noflush"] };
    assertEquals(questionOf(command), program.includes("tables-") ? question : undefined);
  }
  assertEquals(questionOf({ program: "tc", args: ["-batch", "-"], stdin: "x\n" }), undefined);
  assertEquals(questionOf({ program: "sysctl", args: ["-w", "x=1"] }), undefined);
});

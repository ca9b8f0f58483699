/** Anchors and tables of the evaluator, one sentence of pf's semantics each. */
import { assertEquals, assertThrows } from "@std/assert";
import { parseAddress } from "../../../core/address.ts";
import { parseRuleset } from "../../support/pf/pf_grammar.ts";
import { packet } from "../../support/packets/packet.ts";
import { tableMatches } from "../../support/pf/pf_tables.ts";
import { ask, machineWith, SAME, UDP } from "./ask.ts";

Deno.test("pf: each kind of rule needs its own kind of anchor", () => {
  const inner = "nat on re0 inet all -> 192.0.2.7\nblock in\n";
  const nat = machineWith({ "": 'nat-anchor "a"\n', a: inner });
  assertEquals(ask(nat, "out on re0", UDP), "udp 192.0.2.7:50001 > 192.0.2.1:53");
  assertEquals(ask(nat, "in on br0", UDP), SAME);
  const filter = machineWith({ "": 'anchor "a"\n', a: inner });
  assertEquals(ask(filter, "out on re0", UDP), SAME);
  assertEquals(ask(filter, "in on br0", UDP), "block");
  assertEquals(ask(machineWith({ "": 'anchor "missing"\n' }), "in on br0", UDP), SAME);
});

Deno.test("pf: x/* visits the children of x, in the order of their bytes, neither x nor deeper", () => {
  const deciding = (files: Readonly<Record<string, string>>): string => {
    const machine = machineWith({ "": 'anchor "x/*"\n', ...files });
    return machine.hook(packet(...UDP), "in", "br0").rule;
  };
  assertEquals(deciding({ x: "block\n", "x/a/b": "block\n", y: "block\n" }), "the default rule");
  // U+FF5E comes before U+1F600 as bytes, and after it as JavaScript compares.
  const rules = { "x/\u{1F600}": "pass quick\n", "x/\uFF5E": "block quick\n", "x/Z": "pass in\n" };
  assertEquals(deciding(rules), 'block quick (anchor "x/\uFF5E")');
  assertEquals(deciding({ "x/a": "pass in\n", "x/B": "block in\n" }), 'pass in (anchor "x/a")');
});

Deno.test("pf: a backslash makes no wildcard, and the anchor no effect", () => {
  const main = 'nat-anchor "x\\*"\nanchor "x\\*"\n';
  const inner = { "x/a": "nat on re0 inet all -> 192.0.2.7\nblock in\n" };
  assertEquals(ask(machineWith({ "": main, ...inner }), "in on br0", UDP), SAME);
  assertEquals(ask(machineWith({ "": main, ...inner }), "out on re0", UDP), SAME);
});

Deno.test("pf: an anchor inside of an anchor is relative to it, /x is not", () => {
  const blocked = { "a/x": "block in\n", x: "block out\n" };
  const relative = machineWith({ "": "anchor a\n", a: "anchor x\n", ...blocked });
  assertEquals(ask(relative, "in on br0", UDP), "block");
  assertEquals(ask(relative, "out on br0", UDP), SAME);
  const absolute = machineWith({ "": "anchor a\n", a: 'anchor "/x"\n', ...blocked });
  assertEquals(ask(absolute, "out on br0", UDP), "block");
});

Deno.test("pf: criteria on the anchor's line limit who enters", () => {
  const machine = machineWith({ "": "anchor a in on re0 from 10.0.0.0/8\n", a: "block\n" });
  assertEquals(ask(machine, "in on re0", UDP), "block");
  assertEquals(ask(machine, "out on re0", UDP), SAME);
  assertEquals(ask(machine, "in on br0", UDP), SAME);
  assertEquals(
    ask(machine, "in on re0", ["udp", "11.0.0.1:1", "192.0.2.1:1"]),
    "udp 11.0.0.1:1 > 192.0.2.1:1",
  );
});

Deno.test("pf: anchor quick stops behind a match inside of it, quick inside of it ends all", () => {
  const verdict = (main: string, a: string, more: Readonly<Record<string, string>> = {}) =>
    ask(machineWith({ "": main, a, ...more }), "in on br0", UDP);
  assertEquals(verdict("anchor a\npass all\n", "block in\n"), SAME);
  assertEquals(verdict("anchor a quick\npass all\n", "block in\n"), "block");
  assertEquals(verdict("anchor a quick\npass all\n", "block out\n"), SAME);
  assertEquals(verdict("anchor a\npass all\n", "block in quick\n"), "block");
  const wild = { "a/1": "block in\n", "a/2": "block out\n" };
  assertEquals(verdict('anchor "a/*" quick\npass all\n', "", wild), "block");
  // The quirk: as the last rule of an anchor that is not quick it does not stop.
  const inner = { "a/b": "block in\n" };
  assertEquals(verdict("anchor a\npass all\n", "anchor b quick\n", inner), SAME);
  assertEquals(verdict("anchor a\npass all\n", "anchor b quick\npass out\n", inner), "block");
});

Deno.test("pf: an anchor's own table hides that of the main ruleset, its parent's is not seen", () => {
  const main = "table <t> persist { 10.0.0.2 }\nanchor a\n";
  const block = "block in from <t>\n";
  assertEquals(ask(machineWith({ "": main, a: block }), "in on br0", UDP), "block");
  const own = machineWith({ "": main, a: `table <t> { 10.9.9.9 }\n${block}` });
  assertEquals(ask(own, "in on br0", UDP), SAME);
  const parent = machineWith({
    "": "anchor a\n",
    a: "table <t> persist { 10.0.0.2 }\nanchor b\n",
    "a/b": block,
  });
  assertEquals(ask(parent, "in on br0", UDP), SAME);
  const negated = machineWith({ "": "block in from ! <nowhere>\n" });
  assertEquals(ask(negated, "in on br0", UDP), "block");
});

Deno.test("pf: tables without persist go when no rule refers to them", () => {
  const machine = machineWith({ "": "table <t> { 10.0.0.2 }\nanchor a\n" });
  machine.load("a", "block in from <t>\n");
  assertEquals(ask(machine, "in on br0", UDP), SAME);
  machine.load("", "table <t> { 10.0.0.2 }\nanchor a\n");
  assertEquals(ask(machine, "in on br0", UDP), "block");
  machine.load("a", "table <t> persist { 10.0.0.3 }\n");
  machine.load("a", "block in from <t>\n");
  assertEquals(ask(machine, "in on br0", ["udp", "10.0.0.3:1", "192.0.2.1:1"]), "block");
});

Deno.test("pf: the longest prefix of a table decides, and an exception is no match", () => {
  const text =
    "table <t> { 0.0.0.0/0, !10.0.0.0/8, 10.1.0.0/16, fd00::/8, !fd00:1::/32 }\npass to <t>\n";
  const entries = parseRuleset(text).tables[0]?.entries ?? [];
  const holds = (address: string): boolean => {
    const parsed = parseAddress(address);
    return parsed !== undefined && tableMatches(entries, parsed);
  };
  const asked = ["11.0.0.1", "10.0.0.1", "10.1.0.1", "fd00::1", "fd00:1::1", "2001:db8::1"];
  assertEquals(asked.map(holds), [true, false, true, true, false, false]);
});

Deno.test("pf: a load replaces all of an anchor, or nothing when it is refused", () => {
  const machine = machineWith({ "": "nat-anchor a\nanchor a\n", a: "block in\n" });
  const { message } = assertThrows(() => machine.load("a", "pass all\nno such rule\n"));
  assertEquals(message, "2: syntax error");
  assertEquals(ask(machine, "in on br0", UDP), "block");
  machine.load("a", "nat on re0 inet all -> 192.0.2.7\n");
  assertEquals(ask(machine, "in on br0", UDP), SAME);
  machine.load("a", "");
  assertEquals(ask(machine, "out on re0", UDP), SAME);
  assertThrows(() => machine.load(`a/${"b".repeat(62)}`, ""));
});

Deno.test("pf: a flush of an anchor leaves those below", () => {
  const main = 'anchor a\nanchor "a/*" on br0\n';
  const machine = machineWith({ "": main, a: "block in\n", "a/b": "block out\n" });
  machine.flush("a");
  assertEquals(ask(machine, "in on br0", UDP), SAME);
  assertEquals(ask(machine, "out on br0", UDP), "block");
});

/** Filter rules of the evaluator, one sentence of pf's semantics each. */
import { assertEquals } from "@std/assert";
import { packet, type PacketDetails, type ProtocolName } from "../../support/packets/packet.ts";
import { ask, machineWith, SAME, UDP } from "./ask.ts";

Deno.test("pf: without rules everything passes, and no state is made", () => {
  const machine = machineWith({});
  assertEquals(ask(machine, "in on br0", UDP), SAME);
  assertEquals(machine.states(), []);
  assertEquals(ask(machineWith({}, { defaultToDrop: true }), "in on br0", UDP), "block");
});

Deno.test("pf: the last filter rule that matches decides, quick ends at the first", () => {
  assertEquals(ask(machineWith({ "": "block\npass\n" }), "in on br0", UDP), SAME);
  assertEquals(ask(machineWith({ "": "block quick\npass\n" }), "in on br0", UDP), "block");
  assertEquals(ask(machineWith({ "": "pass\nblock out\n" }), "in on br0", UDP), SAME);
});

Deno.test("pf: in a rule, a list with an exception matches nearly all", () => {
  const machine = machineWith({ "": "block in from { 10.0.0.0/24, ! 10.0.0.2 }\n" });
  assertEquals(ask(machine, "in on br0", UDP), "block");
  assertEquals(ask(machine, "in on br0", ["udp", "192.0.2.1:1", "10.0.0.2:1"]), "block");
});

Deno.test("pf: set skip lets all pass untouched, names groups as well, and counts in main alone", () => {
  const rules = "nat on br0 inet all -> 192.0.2.7\nblock all\n";
  assertEquals(ask(machineWith({ "": `set skip on br0\n${rules}` }), "out on br0", UDP), SAME);
  assertEquals(ask(machineWith({ "": `set skip on bridge\n${rules}` }), "out on br0", UDP), SAME);
  assertEquals(ask(machineWith({ "": `set skip on br0\n${rules}` }), "out on re0", UDP), "block");
  const anchored = machineWith({ "": "anchor a\n", a: "set skip on br0\nblock all\n" });
  assertEquals(ask(anchored, "in on br0", UDP), "block");
});

Deno.test("pf: on takes a name, a group, and what is neither", () => {
  const blocked = (on: string): readonly boolean[] =>
    ["br0", "re0"].map((name) =>
      ask(machineWith({ "": `block on ${on}\n` }), `in on ${name}`, UDP) === "block"
    );
  assertEquals(blocked("br0"), [true, false]);
  assertEquals(blocked("bridge"), [true, false]);
  assertEquals(blocked("! bridge"), [false, true]);
  assertEquals(blocked("{ br0, ! br0 }"), [true, true]);
});

Deno.test("pf: (IF) and (IF:network) are what the interface has at the time", () => {
  const machine = machineWith({ "": "block in to (br0)\nblock in from (br0:network)\n" });
  assertEquals(ask(machine, "in on re0", ["udp", "192.0.2.1:1", "10.0.0.1:1"]), "block");
  assertEquals(ask(machine, "in on br0", UDP), "block");
  machine.setInterface("br0", { addresses: ["10.9.0.1/24"] });
  assertEquals(ask(machine, "in on br0", UDP), SAME);
});

Deno.test("pf: flags S/SA is the default of rules that keep state, for TCP alone", () => {
  const tcp = ["tcp", "10.0.0.2:1", "192.0.2.1:1"] as const;
  const asked = (rule: string, flags: string): string =>
    ask(machineWith({ "": `block all\n${rule}\n` }), "in on br0", tcp, { flags });
  assertEquals(asked("pass all", "S"), "tcp 10.0.0.2:1 > 192.0.2.1:1 S");
  assertEquals(asked("pass all", "A"), "block");
  assertEquals(asked("pass all", "SA"), "block");
  assertEquals(asked("pass all flags any", "A"), "tcp 10.0.0.2:1 > 192.0.2.1:1 A");
  assertEquals(asked("pass all no state", "A"), "tcp 10.0.0.2:1 > 192.0.2.1:1 A");
  assertEquals(ask(machineWith({ "": "block all\npass all\n" }), "in on br0", UDP), SAME);
});

Deno.test("pf: ports, types of ICMP and protocols are compared", () => {
  const blocked = (criteria: string, asked: readonly [ProtocolName, string, string]): boolean =>
    ask(machineWith({ "": `block ${criteria}\n` }), "in on br0", asked) === "block";
  const to = (port: number) => ["udp", "10.0.0.2:9", `10.0.0.1:${port}`] as const;
  const hits = (ports: string): readonly number[] =>
    [4, 5, 6, 7, 8].filter((port) => blocked(`proto udp to port ${ports}`, to(port)));
  assertEquals(hits("5:7"), [5, 6, 7]);
  assertEquals(hits("5 >< 7"), [6]);
  assertEquals(hits("5 <> 7"), [4, 8]);
  assertEquals(hits("!= 5"), [4, 6, 7, 8]);
  assertEquals(hits("{ < 5, >= 8 }"), [4, 8]);
  assertEquals(
    blocked("inet proto icmp icmp-type echoreq", ["icmp", "10.0.0.2", "10.0.0.1"]),
    true,
  );
  assertEquals(
    blocked("inet proto icmp icmp-type echorep", ["icmp", "10.0.0.2", "10.0.0.1"]),
    false,
  );
});

Deno.test("pf: who is blocked hears of it where the rule or the policy says so", () => {
  const answered = (text: string, details: PacketDetails = {}): boolean =>
    machineWith({ "": text }).hook(packet("tcp", "10.0.0.2:1", "10.0.0.1:1", details), "in", "br0")
      .answered;
  assertEquals(answered("block all\n"), false);
  assertEquals(answered("block return all\n"), true);
  assertEquals(answered("block return-rst proto tcp all\n"), true);
  assertEquals(answered("block return all\n", { flags: "R" }), false);
  assertEquals(answered("set block-policy return\nblock all\n"), true);
  assertEquals(answered("set block-policy return\nblock drop all\n"), false);
});

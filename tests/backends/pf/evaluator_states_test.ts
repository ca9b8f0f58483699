/** States, tags and IP options of the evaluator. */
import { assertEquals } from "@std/assert";
import { createMachine, type PfMachine } from "../../support/pf/pf_machine.ts";
import {
  describePacket,
  type Packet,
  packet,
  type PacketDetails,
  replyTo,
} from "../../support/packets/packet.ts";
import type { Direction } from "../../support/pf/pf_rules.ts";

function machineWith(main: string): PfMachine {
  const machine = createMachine({
    re0: { addresses: ["203.0.113.5/24"] },
    br0: { addresses: ["10.0.0.1/24"] },
  });
  machine.load("", main);
  return machine;
}

function passes(machine: PfMachine, hook: string, asked: Packet): boolean {
  const [direction, , name = ""] = hook.split(" ");
  return machine.hook(asked, direction as Direction, name).verdict === "pass";
}

/** The packet behind the hook; it must pass. */
function through(machine: PfMachine, hook: string, asked: Packet): Packet {
  const [direction, , name = ""] = hook.split(" ");
  const { verdict, packet, rule } = machine.hook(asked, direction as Direction, name);
  assertEquals({ verdict, rule }, { verdict: "pass", rule });
  return packet;
}

const SYN = packet("tcp", "10.0.0.2:1000", "192.0.2.1:80");
const MORE = { ...SYN, flags: "A" };

Deno.test("pf states: the same way and the answers the other way belong to a state", () => {
  const machine = machineWith("block all\npass in on br0 proto tcp\n");
  through(machine, "in on br0", SYN);
  assertEquals(passes(machine, "in on br0", MORE), true);
  assertEquals(passes(machine, "out on br0", replyTo(SYN)), true);
  assertEquals(passes(machine, "in on br0", replyTo(SYN)), false);
  assertEquals(passes(machine, "out on br0", SYN), false);
});

Deno.test("pf states: a forwarded connection needs two of them", () => {
  const machine = machineWith("block all\npass in on br0\n");
  through(machine, "in on br0", SYN);
  assertEquals(passes(machine, "out on re0", SYN), false);
});

Deno.test("pf states: they float over interfaces, unless they are bound", () => {
  const floating = machineWith("block all\npass in on br0\n");
  through(floating, "in on br0", SYN);
  assertEquals(passes(floating, "in on re0", MORE), true);
  for (const text of ["pass in on br0 keep state (if-bound)\n", "pass in on br0\n"]) {
    const policy = text.includes("if-bound") ? "" : "set state-policy if-bound\n";
    const bound = machineWith(`${policy}block all\n${text}`);
    through(bound, "in on br0", SYN);
    assertEquals(passes(bound, "in on re0", MORE), false);
    assertEquals(passes(bound, "out on br0", replyTo(SYN)), true);
  }
});

Deno.test("pf states: they outlive a reload, and what has lost its state is no SYN", () => {
  const machine = machineWith("pass in on br0\n");
  through(machine, "in on br0", SYN);
  machine.load("", "block all\n");
  assertEquals(passes(machine, "in on br0", MORE), true);
  machine.load("", "block all\npass in on br0\n");
  assertEquals(machine.killStates({}), 1);
  assertEquals(passes(machine, "in on br0", MORE), false);
  assertEquals(passes(machine, "in on br0", SYN), true);
});

Deno.test("pf states: those of a nat keep translating after the rule is gone", () => {
  const machine = machineWith("nat on re0 inet all -> 192.0.2.7\n");
  const out = through(machine, "out on re0", SYN);
  machine.load("", "block all\n");
  assertEquals(
    describePacket(through(machine, "out on re0", MORE)),
    describePacket({ ...out, flags: "A" }),
  );
  const back = through(machine, "in on re0", replyTo(out));
  assertEquals(describePacket(back), "tcp 192.0.2.1:80 > 10.0.0.2:1000 SA");
});

Deno.test("pf states: translations make them, whatever the filter says", () => {
  for (const filter of ["", "pass no state\n"]) {
    const machine = machineWith(`nat on re0 inet all -> 192.0.2.7\n${filter}`);
    through(machine, "out on re0", SYN);
    assertEquals(machine.states(), [
      "out 192.0.2.7:50001 > 192.0.2.1:80 (10.0.0.2:1000 > 192.0.2.1:80)",
    ]);
  }
  const plain = machineWith("pass no state\n");
  through(plain, "out on re0", SYN);
  assertEquals(plain.states(), []);
  const blocked = machineWith("nat on re0 inet all -> 192.0.2.7\nblock all\n");
  assertEquals(passes(blocked, "out on re0", SYN), false);
  assertEquals(blocked.states(), []);
});

Deno.test("pf states: the answers to a redirected connection get the old source again", () => {
  const machine = machineWith(
    "rdr on re0 proto tcp to (re0) port 80 -> 10.0.0.2 port 8080\nblock all\npass in on re0\n",
  );
  const inward = through(machine, "in on re0", packet("tcp", "192.0.2.1:9", "203.0.113.5:80"));
  assertEquals(describePacket(inward), "tcp 192.0.2.1:9 > 10.0.0.2:8080 S");
  const back = through(machine, "out on re0", replyTo(inward));
  assertEquals(describePacket(back), "tcp 203.0.113.5:80 > 192.0.2.1:9 SA");
});

Deno.test("pf states: two connections that would look the same cannot both be", () => {
  const machine = machineWith("rdr on re0 proto tcp to (re0) port 80 -> 10.0.0.2\n");
  through(machine, "in on re0", packet("tcp", "192.0.2.1:9", "203.0.113.5:80"));
  machine.load("", "pass all\n");
  const result = machine.hook(packet("tcp", "192.0.2.1:9", "10.0.0.2:80"), "in", "re0");
  assertEquals(result.rule, "pass all: another state is in the way");
});

Deno.test("pf states: an echo and its reply have one, by their id", () => {
  const machine = machineWith("block all\npass in on br0 inet proto icmp icmp-type echoreq\n");
  const echo = packet("icmp", "10.0.0.2:7", "10.0.0.1:7");
  through(machine, "in on br0", echo);
  assertEquals(passes(machine, "out on br0", replyTo(echo)), true);
  assertEquals(
    passes(machine, "out on br0", replyTo(packet("icmp", "10.0.0.2:8", "10.0.0.1:8"))),
    false,
  );
  const error = { icmp: { type: 3, code: 1 } };
  const errors = machineWith("pass all\n");
  assertEquals(
    errors.hook(packet("icmp", "10.0.0.2", "10.0.0.1", error), "in", "br0").state,
    undefined,
  );
});

Deno.test("pf states: one of a broadcast knows no answer from a host's own address", () => {
  const machine = machineWith(
    "block all\npass in on br0 proto udp from any port 68 to any port 67\n",
  );
  through(machine, "in on br0", packet("udp", "0.0.0.0:68", "255.255.255.255:67"));
  assertEquals(passes(machine, "out on br0", packet("udp", "10.0.0.1:67", "10.0.0.2:68")), false);
});

Deno.test("pf states: a rule has as many as it may", () => {
  const machine = machineWith("pass in on br0 keep state (max 1)\n");
  through(machine, "in on br0", SYN);
  assertEquals(passes(machine, "in on br0", { ...SYN, sourcePort: 1001 }), false);
});

function forwarded(): PfMachine {
  const machine = machineWith(`nat on re0 from 10.0.0.0/24 to any -> (re0)
pass in on br0 label guests
pass out on re0 label outside
`);
  through(machine, "out on re0", through(machine, "in on br0", SYN));
  return machine;
}

Deno.test("pf states: kills compare addresses with the wire", () => {
  assertEquals(forwarded().killStates({ source: "10.0.0.0/24" }), 1);
  const machine = forwarded();
  machine.killStates({ source: "10.0.0.2" });
  assertEquals(passes(machine, "out on re0", MORE), true);
  assertEquals(machine.states().length, 1);
  assertEquals(forwarded().killStates({ source: "203.0.113.5" }), 1);
  assertEquals(forwarded().killStates({ destination: "192.0.2.1" }), 2);
  assertEquals(forwarded().killStates({ source: "0.0.0.0/0", destination: "192.0.2.2" }), 0);
});

Deno.test("pf states: kills by label, by interface, and with the other half", () => {
  assertEquals(forwarded().killStates({ label: "outside" }), 1);
  assertEquals(forwarded().killStates({ interface: "br0" }), 1);
  assertEquals(forwarded().killStates({ source: "10.0.0.0/24", matching: true }), 2);
  assertEquals(forwarded().killStates({ source: "203.0.113.5", matching: true }), 2);
});

Deno.test("pf states: the other half of a redirected connection is not found", () => {
  const machine = machineWith("rdr on re0 proto tcp to (re0) port 80 -> 10.0.0.2\npass all\n");
  const inward = packet("tcp", "192.0.2.1:9", "203.0.113.5:80");
  through(machine, "out on br0", through(machine, "in on re0", inward));
  assertEquals(
    machine.killStates({ source: "192.0.2.1", destination: "203.0.113.5", matching: true }),
    1,
  );
});

Deno.test("pf states: a flush of main ends them all, one of an anchor none", () => {
  const machine = forwarded();
  machine.flush("a");
  assertEquals(machine.states().length, 2);
  machine.flush("");
  assertEquals(machine.states(), []);
});

Deno.test("pf tags: a packet keeps its tag from hook to hook, and a state gives it to its packets", () => {
  const machine = machineWith(
    "block all\npass in on br0 tag GUEST\npass out on re0 tagged GUEST\n",
  );
  assertEquals(passes(machine, "out on re0", SYN), false);
  const inside = through(machine, "in on br0", SYN);
  assertEquals(inside.tag, "GUEST");
  through(machine, "out on re0", inside);
  assertEquals(through(machine, "in on br0", MORE).tag, "GUEST");
  // The rule that asked for the tag has given it to its own state.
  assertEquals(through(machine, "in on re0", replyTo(SYN)).tag, "GUEST");
});

Deno.test("pf tags: a rule that matches gives its tag although a later one decides", () => {
  const tagOf = (text: string, details: PacketDetails = {}): string | undefined =>
    through(machineWith(text), "in on br0", { ...SYN, ...details }).tag;
  assertEquals(tagOf("pass in tag A\npass in on br0\n"), "A");
  assertEquals(tagOf("pass in tag A\npass in on br0 tag B\n"), "B");
  assertEquals(tagOf("pass in tag A\npass in tagged A tag C\n"), "C");
  assertEquals(tagOf("pass in tag A\npass in ! tagged A tag C\n"), "A");
  assertEquals(tagOf("pass in\npass in ! tagged A tag C\n"), "C");
  assertEquals(tagOf("pass in\n", { tag: "OLD" }), "OLD");
  assertEquals(passes(machineWith("block in tag A\n"), "in on br0", SYN), false);
});

Deno.test("pf tags: translations give and ask for them, before the filter", () => {
  const machine = machineWith(
    "nat on re0 inet from any to any tag N ! tagged LOCAL -> 192.0.2.7\nblock all\npass out tagged N\n",
  );
  assertEquals(through(machine, "out on re0", SYN).tag, "N");
  assertEquals(passes(machine, "out on re0", { ...SYN, sourcePort: 1, tag: "LOCAL" }), false);
});

Deno.test("pf tags: an anchor's line gives and asks for them", () => {
  const machine = machineWith("anchor a in tag A\nanchor b out tagged A\n");
  machine.load("a", "pass\n");
  machine.load("b", "block\n");
  assertEquals(through(machine, "in on br0", SYN).tag, "A");
  assertEquals(passes(machine, "out on re0", { ...SYN, tag: "A" }), false);
  assertEquals(passes(machine, "out on re0", SYN), true);
});

Deno.test("pf: IP options drop behind a pass, unless the deciding rule allows them", () => {
  const igmp = packet("igmp", "10.0.0.2", "224.0.0.22", { ipOptions: true });
  assertEquals(passes(machineWith(""), "in on br0", igmp), false);
  assertEquals(passes(machineWith("pass in\n"), "in on br0", igmp), false);
  const allowed = machineWith("pass in allow-opts\n");
  assertEquals(passes(allowed, "in on br0", igmp), true);
  allowed.load("", "block all\n");
  assertEquals(passes(allowed, "in on br0", igmp), true);
  const overridden = machineWith("pass in allow-opts\npass in on br0\n");
  assertEquals(passes(overridden, "in on br0", igmp), false);
  const translated = machineWith("nat pass on re0 inet all -> 192.0.2.7\n");
  assertEquals(passes(translated, "out on re0", igmp), false);
});

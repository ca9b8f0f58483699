/** Translation rules of the evaluator, one sentence of pf's semantics each. */
import { assertEquals, assertThrows } from "@std/assert";
import { packet } from "../../support/packets/packet.ts";
import { ask, machineWith, SAME, UDP } from "./ask.ts";

Deno.test("pf: of several translations the first one counts", () => {
  const text = "nat on re0 from any to any -> 192.0.2.7\nnat on re0 from 10.0.0.2 -> 192.0.2.8\n";
  assertEquals(
    ask(machineWith({ "": text }), "out on re0", UDP),
    "udp 192.0.2.7:50001 > 192.0.2.1:53",
  );
});

const NAT_ANCHORS = {
  "": 'nat-anchor "x/*"\nnat on re0 inet from 10.0.0.9 to any -> 192.0.2.9\n',
  "x/a": "nat on re0 inet from 10.0.0.0/30 to any -> 192.0.2.1\n" +
    "nat on re0 inet from 10.0.0.0/29 to any -> 192.0.2.2\n",
  "x/b": 'nat-anchor "c"\n',
  "x/b/c": "nat on re0 inet from 10.0.0.0/28 to any -> 192.0.2.3\n",
};

Deno.test("pf: over all anchors the first translation decides, in FreeBSD 15 the last anchor's first", () => {
  const sources = (decides: "first" | "last"): readonly string[] =>
    ["10.0.0.2", "10.0.0.6", "10.0.0.9", "10.0.0.10"].map((from) => {
      const machine = machineWith(NAT_ANCHORS, { decides });
      return ask(machine, "out on re0", ["gre", from, "198.51.100.9"]).split(" ")[1] ?? "";
    });
  assertEquals(sources("first"), ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.3"]);
  assertEquals(sources("last"), ["192.0.2.3", "192.0.2.3", "192.0.2.9", "192.0.2.3"]);
  const inOne = machineWith({ "": NAT_ANCHORS["x/a"] }, { decides: "last" });
  assertEquals(
    ask(inOne, "out on re0", ["gre", "10.0.0.2", "192.0.2.8"]),
    "gre 192.0.2.1 > 192.0.2.8",
  );
});

Deno.test("pf: in FreeBSD 15 no nat ends its ruleset alone, and is dangerous beside a nat that fails", () => {
  const nat = "nat on re0 inet from 10.0.0.0/8 to any -> 192.0.2.7 port 40000:40000\n";
  const no = "no nat on re0 inet from 10.0.0.2\n";
  const orders = [{ "x/a": no, "x/b": nat }, { "x/a": nat, "x/b": no }];
  for (const anchors of orders) {
    const machine = machineWith({ "": 'nat-anchor "x/*"\n', ...anchors }, { decides: "last" });
    const from = (port: number): string =>
      ask(machine, "out on re0", ["udp", `10.0.0.2:${port}`, "192.0.2.1:53"]);
    assertEquals(from(1), "udp 192.0.2.7:40000 > 192.0.2.1:53");
    assertThrows(() => from(2), Error, "panic");
  }
  const same = machineWith({ "": 'nat-anchor "x/*"\n', "x/a": no + nat }, { decides: "last" });
  assertEquals(ask(same, "out on re0", UDP), SAME);
});

Deno.test("pf: no nat ends the nat rules, no binat only those of binat", () => {
  const nat = "nat on re0 from any to any -> 192.0.2.7\n";
  const none = machineWith({ "": `no nat on re0 from 10.0.0.2\n${nat}` });
  assertEquals(ask(none, "out on re0", UDP), SAME);
  const binat = machineWith({ "": `no binat on re0 from 10.0.0.2 to any\n${nat}` });
  assertEquals(ask(binat, "out on re0", UDP), "udp 192.0.2.7:50001 > 192.0.2.1:53");
});

Deno.test("pf: out, binat comes before nat, in, rdr before binat", () => {
  const text = `nat on re0 from any to any -> 192.0.2.7
binat on re0 from 10.0.0.2 to any -> 192.0.2.8
rdr on re0 proto udp from any to 192.0.2.8 port 53 -> 10.0.0.9
`;
  const machine = machineWith({ "": text });
  assertEquals(ask(machine, "out on re0", UDP), "udp 192.0.2.8:1000 > 192.0.2.1:53");
  const inward = (port: number) => ["udp", "192.0.2.1:9", `192.0.2.8:${port}`] as const;
  assertEquals(ask(machine, "in on re0", inward(53)), "udp 192.0.2.1:9 > 10.0.0.9:53");
  assertEquals(ask(machine, "in on re0", inward(54)), "udp 192.0.2.1:9 > 10.0.0.2:54");
});

Deno.test("pf: binat keeps the host bits", () => {
  const machine = machineWith({ "": "binat on re0 from 10.0.0.0/24 to any -> 192.0.2.0/24\n" });
  assertEquals(ask(machine, "out on re0", UDP), "udp 192.0.2.2:1000 > 192.0.2.1:53");
});

Deno.test("pf: the filter sees translated addresses", () => {
  const nat = "nat on re0 from any to any -> 192.0.2.7\n";
  const before = machineWith({ "": `${nat}block out from 10.0.0.2\n` });
  assertEquals(ask(before, "out on re0", UDP), "udp 192.0.2.7:50001 > 192.0.2.1:53");
  const after = machineWith({ "": `${nat}block out from 192.0.2.7\n` });
  assertEquals(ask(after, "out on re0", UDP), "block");
});

Deno.test("pf: nat pass skips the filter at that hook alone", () => {
  const text = "nat pass on re0 from any to any -> 192.0.2.7\nblock all\n";
  const machine = machineWith({ "": text });
  assertEquals(ask(machine, "in on br0", UDP), "block");
  assertEquals(ask(machine, "out on re0", UDP), "udp 192.0.2.7:50001 > 192.0.2.1:53");
});

Deno.test("pf: a translation that changes nothing is none", () => {
  const text = "nat pass on re0 from any to any -> 10.0.0.2 static-port\nblock all\n";
  assertEquals(ask(machineWith({ "": text }), "out on re0", UDP), "block");
});

Deno.test("pf: a nat without an address of the family drops, in older versions it does nothing", () => {
  const text = "nat pass on br0 from any to any -> (re0)\n";
  const udp6 = ["udp", "[fd00::2]:1000", "[fd09::1]:53"] as const;
  assertEquals(ask(machineWith({ "": text }), "out on br0", udp6), "block");
  const older = machineWith({ "": text }, { untranslatable: "pass" });
  assertEquals(ask(older, "out on br0", udp6), "udp [fd00::2]:1000 > [fd09::1]:53");
  const machine = machineWith({ "": text });
  machine.setInterface("re0", { addresses: [] });
  assertEquals(ask(machine, "out on br0", UDP), "block");
  const table = "nat on br0 from any to any -> <nothing>\n";
  assertEquals(ask(machineWith({ "": table }), "out on br0", UDP), "block");
});

Deno.test("pf: a nat without a free port drops", () => {
  const machine = machineWith({ "": "nat on re0 from any to any -> 192.0.2.7 port 40000:40001\n" });
  const from = (port: number) => ["udp", `10.0.0.2:${port}`, "192.0.2.1:53"] as const;
  assertEquals(ask(machine, "out on re0", from(1)), "udp 192.0.2.7:40000 > 192.0.2.1:53");
  assertEquals(ask(machine, "out on re0", from(2)), "udp 192.0.2.7:40001 > 192.0.2.1:53");
  assertEquals(ask(machine, "out on re0", from(3)), "block");
});

Deno.test("pf: TCP and UDP always get another port, unless it is static", () => {
  const within = ["tcp", "10.0.0.2:60000", "192.0.2.1:53"] as const;
  const machine = machineWith({ "": "nat on re0 from any to any -> 192.0.2.7\n" });
  assertEquals(ask(machine, "out on re0", within), "tcp 192.0.2.7:50001 > 192.0.2.1:53 S");
  const kept = machineWith({ "": "nat on re0 from any to any -> 192.0.2.7 static-port\n" });
  assertEquals(ask(kept, "out on re0", within), "tcp 192.0.2.7:60000 > 192.0.2.1:53 S");
  assertEquals(ask(kept, "out on re0", ["tcp", "10.0.0.3:60000", "192.0.2.1:53"]), "block");
});

Deno.test("pf: an ICMP echo gets another id, an ICMPv6 echo and other protocols keep theirs", () => {
  const text = "nat on re0 inet all -> 192.0.2.7\nnat on re0 inet6 all -> fd02::7\n";
  const machine = machineWith({ "": text });
  const echo = ["icmp", "10.0.0.2:99", "192.0.2.1:99"] as const;
  assertEquals(ask(machine, "out on re0", echo), "icmp 192.0.2.7:1 > 192.0.2.1:1");
  const echo6 = ["icmp6", "[fd00::2]:99", "[fd09::1]:99"] as const;
  assertEquals(ask(machine, "out on re0", echo6), "icmp6 [fd02::7]:99 > [fd09::1]:99");
  assertEquals(
    ask(machine, "out on re0", ["gre", "10.0.0.2", "192.0.2.1"]),
    "gre 192.0.2.7 > 192.0.2.1",
  );
});

Deno.test("pf: pools go round, (IF) with its link-local address, (IF:0) stays at the first", () => {
  const sources = (rule: string, from: string): readonly string[] => {
    const machine = machineWith({ "": `${rule}\n` });
    const to = from.startsWith("[") ? "[fd09::1]:53" : "192.0.2.1:53";
    return [1, 2, 3].map((port) =>
      ask(machine, "out on re1", ["udp", `${from}:${port}`, to]).split(" ")[1] ?? ""
    );
  };
  const list = sources("nat on re1 inet all -> { 192.0.2.7, 192.0.2.8 } port 7", "10.0.0.2");
  assertEquals(list, ["192.0.2.7:7", "192.0.2.8:7", ""]);
  const all = sources("nat on re1 inet6 all -> (re1) port 7:9", "[fd00::2]");
  assertEquals(all, ["[fe80::1]:7", "[fd01::1]:7", "[fe80::1]:8"]);
  const first = sources("nat on re1 inet6 all -> (re1:0) port 7:9", "[fd00::2]");
  assertEquals(first, ["[fd01::1]:7", "[fd01::1]:8", "[fd01::1]:9"]);
  const sticky = sources("nat on re1 inet all -> (re1) port 7:9 sticky-address", "10.0.0.2");
  assertEquals(sticky, ["198.51.100.1:7", "198.51.100.1:8", "198.51.100.1:9"]);
});

Deno.test("pf: a prefix as a pool is its first address, unless a method is given", () => {
  const taken = (method: string): string => {
    const text = `nat on re0 from any to any -> 192.0.2.0/24 ${method}\n`;
    return ask(machineWith({ "": text }), "out on re0", UDP).split(":")[0] ?? "";
  };
  assertEquals(taken(""), "udp 192.0.2.0");
  assertEquals(taken("bitmask"), "udp 192.0.2.2");
});

Deno.test("pf: rdr takes a port, or a range to a range", () => {
  const machine = machineWith({
    "": `rdr on re0 proto tcp from any to any port 80 -> 10.0.0.2 port 8080
rdr on re0 proto tcp from any to any port 90:99 -> 10.0.0.2 port 190:*
rdr on re0 proto tcp from any to any port 100:109 -> 10.0.0.2
`,
  });
  const to = (port: number): string =>
    ask(machine, "in on re0", ["tcp", "192.0.2.1:9", `203.0.113.5:${port}`]).split(" ")[3] ?? "";
  assertEquals([80, 90, 95, 105, 110].map(to), [
    "10.0.0.2:8080",
    "10.0.0.2:190",
    "10.0.0.2:195",
    "10.0.0.2:105",
    "203.0.113.5:110",
  ]);
});

Deno.test("pf: (self) is every address that the host has now, on whatever interface", () => {
  const machine = machineWith({
    "": "rdr inet proto tcp from any to (self) port 80 -> 10.0.0.2\n",
  });
  let port = 1;
  const to = (address: string): string =>
    ask(machine, "in on re0", ["tcp", `192.0.2.1:${port++}`, `${address}:80`]).split(" ")[3] ?? "";
  const all = ["203.0.113.5", "198.51.100.2", "10.0.0.1", "203.0.113.6"];
  assertEquals(all.map(to), ["10.0.0.2:80", "10.0.0.2:80", "10.0.0.2:80", "203.0.113.6:80"]);
  machine.setInterface("br1", { addresses: ["203.0.113.6/24"] });
  assertEquals(to("203.0.113.6"), "10.0.0.2:80");
});

Deno.test("pf: an anchor is met by what its line says, and its redirections by what both say", () => {
  const machine = machineWith({
    "": 'rdr-anchor "all/*"\n',
    "all/one": 'rdr-anchor "=rdr" on ! br0 inet from any to (self)\n',
    "all/one/=rdr": "rdr inet proto tcp from any to 203.0.113.5 port 80 -> 10.0.0.2 port 8080\n" +
      "rdr inet proto tcp from any to 203.0.113.9 port 80 -> 10.0.0.3\n",
  });
  let port = 1;
  const to = (hook: string, address: string): string =>
    ask(machine, hook, ["tcp", `192.0.2.1:${port++}`, `${address}:80`]).split(" ")[3] ?? "";
  assertEquals(to("in on re0", "203.0.113.5"), "10.0.0.2:8080");
  assertEquals(to("in on re0", "203.0.113.9"), "203.0.113.9:80", "no address of the host");
  assertEquals(to("in on br0", "203.0.113.5"), "203.0.113.5:80");
});

Deno.test("pf: what rdr has tagged is told from what was sent there directly, also by its state", () => {
  const machine = machineWith({
    "": `rdr on re0 inet proto udp from any to any port 53 tag SENT -> 10.0.0.2
block all
pass in inet proto udp from any to 10.0.0.2 tagged SENT
pass out tagged SENT
`,
  });
  const asked = ["udp", "192.0.2.1:9", "203.0.113.5:53"] as const;
  assertEquals(ask(machine, "in on re0", ["udp", "192.0.2.1:9", "10.0.0.2:54"]), "block");
  assertEquals(ask(machine, "in on re0", asked), "udp 192.0.2.1:9 > 10.0.0.2:53");
  const again = machine.hook(packet("udp", "192.0.2.1:9", "203.0.113.5:53"), "in", "re0");
  assertEquals([again.state, again.packet.tag], ["matched", "SENT"]);
});

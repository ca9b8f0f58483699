import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { partsOf, usesFamily } from "../../../backends/iptables/ruleset.ts";
import type { Family } from "../../../core/address.ts";
import { policies } from "../../support/arbitrary.ts";
import { address, filtered, IPV4, IPV6 } from "../../support/definitions.ts";
import { WRITABLE_NAMES } from "./names.ts";
import { packetsOf } from "./arbitrary_packets.ts";
import { chainsOf, type Packet, verdictOf } from "./packets.ts";
import { forwarded } from "./policy_answers.ts";

const FAMILIES = ["ipv4", "ipv6"] as const;

const TWO_POLICIES = fc.tuple(
  policies(undefined, WRITABLE_NAMES),
  policies(undefined, WRITABLE_NAMES),
).filter(([one, other]) => one.bridge !== other.bridge);

Deno.test("a forwarded packet passes where the policies of both its networks let it, else never", () => {
  const cases = fc.tuple(TWO_POLICIES, fc.constantFrom(...FAMILIES)).chain(([all, family]) =>
    fc.tuple(fc.constant(all), fc.constant(family), packetsOf(all, family))
  );
  fc.assert(
    fc.property(cases, ([all, family, packet]) => {
      const chains = chainsOf(all, family, "filter");
      assertEquals(verdictOf(chains, "FORWARD", packet), forwarded(all, family, packet));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("that property knows packets that pass, are rejected, and are none of our business", () => {
  const policy = filtered(`<forward mode='nat'/>${IPV4}`);
  const packet: Packet = {
    in: "virbr0",
    out: "eth0",
    source: address("10.44.0.9"),
    destination: address("192.0.2.1"),
    protocol: "tcp",
    port: 80,
    isLocal: false,
    states: ["NEW"],
    statuses: [],
  };
  const chains = chainsOf([policy], "ipv4", "filter");
  const verdict = (one: Partial<Packet>): string | undefined =>
    verdictOf(chains, "FORWARD", { ...packet, ...one });
  assertEquals(verdict({}), "-j ACCEPT");
  assertEquals(verdict({ source: address("10.45.0.9") })?.startsWith("-j REJECT"), true);
  assertEquals(verdict({ states: ["INVALID"] })?.startsWith("-j REJECT"), true);
  assertEquals(verdict({ in: "eth1" })?.startsWith("-j REJECT"), true);
  assertEquals(verdict({ in: "eth1", states: ["ESTABLISHED"] }), undefined);
  assertEquals(verdict({ in: "eth1", source: address("10.45.0.9") }), undefined);
});

Deno.test("a network is stopped in the family that it does not use, and has nothing else there", () => {
  const parts = partsOf(filtered(`<forward mode='nat'/>${IPV4}`), "ipv6");
  assertEquals(
    parts.map(({ shared, chains }) => [
      shared.table,
      ...chains.map(({ rules }) => rules.map(({ verdict }) => verdict[1]).join()),
    ]),
    [["filter", "ACCEPT,REJECT", "REJECT"]],
  );
});

Deno.test("only a network that uses IPv6 cannot do without its rules for IPv6", () => {
  assertEquals(usesFamily(filtered(IPV4), "ipv4"), true);
  assertEquals(usesFamily(filtered(IPV6), "ipv4"), true);
  assertEquals(usesFamily(filtered(IPV4), "ipv6"), false);
  assertEquals(usesFamily(filtered(IPV6), "ipv6"), true);
  assertEquals(usesFamily({ ...filtered(IPV4), guestsOverIpv6: true }, "ipv6"), true);
});

Deno.test("everything that leaves, enters or is rejected is counted once", () => {
  const [forwarding] = partsOf(filtered(`<forward mode='nat'/>${IPV4}`), "ipv4");
  assertEquals(forwarding?.chains.map(({ rules }) => rules.map(({ counts }) => counts ?? "-")), [
    ["-", "out", "out", "out", "rejected"],
    ["in", "in", "rejected"],
  ]);
});

Deno.test("DHCP replies over IPv4 get their checksum, and nothing else is changed", () => {
  const dhcp = "<ip address='10.44.0.1' prefix='24'><dhcp><range start='10.44.0.2' " +
    "end='10.44.0.3'/></dhcp></ip>";
  const tables = (elements: string, family: Family): readonly string[] =>
    partsOf(filtered(elements), family).map(({ shared }) => shared.table);
  assertEquals(tables(dhcp, "ipv4"), ["filter", "filter", "mangle"]);
  assertEquals(tables(dhcp, "ipv6"), ["filter"]);
  assertEquals(tables(IPV4, "ipv4"), ["filter", "filter"]);
});

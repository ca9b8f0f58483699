import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { partsOf, usesFamily } from "../../../backends/iptables/ruleset.ts";
import { subnetOf } from "../../../core/address.ts";
import { masqueradePolicy } from "../../../core/policy/masquerade.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { policies, PREFIXES } from "../../support/arbitrary.ts";
import { address, filtered, IPV6, subnet } from "../../support/definitions.ts";
import { packetsOf } from "./arbitrary_packets.ts";
import { WRITABLE_NAMES } from "./names.ts";
import { type Chains, chainsOf, type Packet, verdictOf } from "./packets.ts";
import { masqueraded, translated } from "./policy_answers.ts";

const FAMILIES = ["ipv4", "ipv6"] as const;

const POLICIES: fc.Arbitrary<FilteredPolicy> = policies(undefined, WRITABLE_NAMES);

Deno.test("what leaves the subnets of a network is translated as its policy says, nothing else", () => {
  const cases = fc.tuple(POLICIES, fc.constantFrom(...FAMILIES)).chain(([policy, family]) =>
    fc.tuple(fc.constant(policy), fc.constant(family), packetsOf([policy], family))
  );
  fc.assert(
    fc.property(cases, ([policy, family, packet]) => {
      const chains = chainsOf([policy], family, "nat");
      assertEquals(verdictOf(chains, "POSTROUTING", packet), translated(policy, family, packet));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("what leaves a masqueraded prefix is translated, but where a network has decided", () => {
  const cases = fc.tuple(POLICIES, PREFIXES, fc.constantFrom(...FAMILIES))
    .chain(([policy, prefixes, family]) => {
      // Prefixes around and inside of the network, too.
      const own = policy.families.flatMap(({ subnets }) => subnets);
      const around = own.map((one) => subnetOf(one, Math.max(one.prefix - 3, 1)));
      const masquerade = fc.subarray([...prefixes, ...own, ...around], { minLength: 1 })
        .map(masqueradePolicy);
      return fc.tuple(
        fc.constant(policy),
        masquerade,
        fc.constant(family),
        packetsOf([policy], family),
      );
    });
  fc.assert(
    fc.property(cases, ([policy, masquerade, family, packet]) => {
      const chains = chainsOf([masquerade, policy], family, "nat");
      assertEquals(
        verdictOf(chains, "POSTROUTING", packet),
        translated(policy, family, packet) ?? masqueraded(masquerade, family, packet),
      );
    }),
    { numRuns: 2000 },
  );
});

const PACKET: Packet = {
  in: "",
  out: "eth0",
  source: address("fd44::1"),
  destination: address("ff05::1:3"),
  protocol: "udp",
  port: 5355,
  isLocal: false,
  states: ["NEW"],
  statuses: [],
};

function sentFrom(chains: Chains, packet: Partial<Packet>): string | undefined {
  return verdictOf(chains, "POSTROUTING", { ...PACKET, ...packet });
}

Deno.test("a link-local source is not translated: the host itself has one on every interface", () => {
  const nat = "<forward><nat ipv6='yes'/></forward>";
  const linkLocal = "<ip family='ipv6' address='fe80::1' prefix='64'/>";
  const chains = chainsOf([filtered(nat + IPV6 + linkLocal)], "ipv6", "nat");
  assertEquals(sentFrom(chains, { source: address("fe80::5054:ff:fe12:3456") }), undefined);
  assertEquals(sentFrom(chains, {}), "-j MASQUERADE --to-ports 1024-65535");
});

Deno.test("that property knows packets of prefixes that leave, stay, and are on the link", () => {
  const policy = masqueradePolicy([subnet("10.9.0.0/16"), subnet("10.8.0.0/16")]);
  const chains = chainsOf([policy], "ipv4", "nat");
  const from = (source: string, destination: string): string | undefined =>
    sentFrom(chains, { source: address(source), destination: address(destination) });
  assertEquals(from("10.9.1.1", "192.0.2.1"), "-j MASQUERADE");
  assertEquals(from("10.9.1.1", "10.8.1.1"), "-j MASQUERADE");
  assertEquals(from("10.9.1.1", "10.9.2.2"), undefined);
  assertEquals(from("10.9.1.1", "224.0.0.251"), undefined);
  assertEquals(from("10.7.1.1", "192.0.2.1"), undefined);
});

Deno.test("masqueraded prefixes have rules in the families that they are of, and in nat alone", () => {
  const policy = masqueradePolicy([subnet("fd99::/48")]);
  assertEquals(FAMILIES.map((family) => usesFamily(policy, family)), [false, true]);
  assertEquals(partsOf(policy, "ipv4"), []);
  assertEquals(partsOf(policy, "ipv6").map(({ shared }) => shared.table), ["nat"]);
});

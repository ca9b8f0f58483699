import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { fileText, type ZonePolicy } from "../../../backends/firewalld/objects.ts";
import {
  formatRichRule,
  type RichRule,
  richRuleElement,
} from "../../../backends/firewalld/rich_rule.ts";
import type { Family } from "../../../core/address.ts";
import { TRANSPORT_PROTOCOLS } from "../../../core/network/published_port.ts";
import { addressesOf, subnetsOf } from "../../support/arbitrary.ts";
import { address, subnet } from "../../support/definitions.ts";
import { objectsIn } from "../../support/firewalld_objects.ts";

const LAN = { subnet: subnet("10.44.0.0/24") };
const LAN6 = { subnet: subnet("fd44::/64") };

/** Rules, as firewalld 1.3.3 prints them (str(Rich_Rule(…))), and as its files have them. */
const RULES: readonly (readonly [RichRule, printed: string, element: string])[] = [
  [
    { family: "ipv4", source: LAN, action: "accept" },
    'rule family="ipv4" source address="10.44.0.0/24" accept',
    '<rule family="ipv4"><source address="10.44.0.0/24"/><accept/></rule>',
  ],
  [
    { family: "ipv4", source: { ...LAN, not: true }, action: "reject" },
    'rule family="ipv4" source NOT address="10.44.0.0/24" reject type="icmp-port-unreachable"',
    '<rule family="ipv4"><source address="10.44.0.0/24" invert="yes"/>' +
    '<reject type="icmp-port-unreachable"/></rule>',
  ],
  [
    { family: "ipv6", destination: { ...LAN6, not: true }, action: "reject" },
    'rule family="ipv6" destination NOT address="fd44::/64" reject type="icmp6-port-unreachable"',
    '<rule family="ipv6"><destination address="fd44::/64" invert="yes"/>' +
    '<reject type="icmp6-port-unreachable"/></rule>',
  ],
  [
    { family: "ipv6", priority: 1, action: "reject" },
    'rule priority="1" family="ipv6" reject type="icmp6-port-unreachable"',
    '<rule family="ipv6" priority="1"><reject type="icmp6-port-unreachable"/></rule>',
  ],
  [
    { family: "ipv4", priority: -5, source: LAN, destination: LAN, action: "accept" },
    'rule priority="-5" family="ipv4" source address="10.44.0.0/24" ' +
    'destination address="10.44.0.0/24" accept',
    '<rule family="ipv4" priority="-5"><source address="10.44.0.0/24"/>' +
    '<destination address="10.44.0.0/24"/><accept/></rule>',
  ],
  [
    { family: "ipv6", source: LAN6, service: "dns", action: "accept" },
    'rule family="ipv6" source address="fd44::/64" service name="dns" accept',
    '<rule family="ipv6"><source address="fd44::/64"/><service name="dns"/><accept/></rule>',
  ],
  [
    {
      family: "ipv4",
      source: LAN,
      destination: { subnet: subnet("0.0.0.0/5") },
      action: "masquerade",
    },
    'rule family="ipv4" source address="10.44.0.0/24" destination address="0.0.0.0/5" masquerade',
    '<rule family="ipv4"><source address="10.44.0.0/24"/><destination address="0.0.0.0/5"/>' +
    "<masquerade/></rule>",
  ],
  [
    {
      family: "ipv4",
      priority: -1,
      source: LAN,
      destination: { subnet: subnet("192.0.2.1") },
      action: { protocol: "tcp", ports: { start: 8080, end: 8080 }, to: address("192.0.2.1") },
    },
    'rule priority="-1" family="ipv4" source address="10.44.0.0/24" ' +
    'destination address="192.0.2.1/32" ' +
    'forward-port port="8080" protocol="tcp" to-addr="192.0.2.1"',
    '<rule family="ipv4" priority="-1"><source address="10.44.0.0/24"/>' +
    '<destination address="192.0.2.1/32"/>' +
    '<forward-port port="8080" protocol="tcp" to-addr="192.0.2.1"/></rule>',
  ],
  [
    {
      family: "ipv6",
      destination: { subnet: subnet("2001:db8::1") },
      action: {
        protocol: "sctp",
        ports: { start: 5000, end: 5010 },
        to: address("fd44::10"),
        toPort: 7,
      },
    },
    'rule family="ipv6" destination address="2001:db8::1/128" ' +
    'forward-port port="5000-5010" protocol="sctp" to-port="7" to-addr="fd44::10"',
    '<rule family="ipv6"><destination address="2001:db8::1/128"/>' +
    '<forward-port port="5000-5010" protocol="sctp" to-port="7" to-addr="fd44::10"/></rule>',
  ],
];

for (const [rule, printed, element] of RULES) {
  Deno.test(`as firewalld prints it: ${printed}`, () => {
    assertEquals(formatRichRule(rule), printed);
    assertEquals(richRuleElement(rule), element);
  });
}

function sides(family: Family): fc.Arbitrary<RichRule["source"]> {
  return fc.option(
    fc.tuple(subnetsOf(family), fc.boolean()).map(([one, not]) => ({ subnet: one, not })),
    { nil: undefined },
  );
}

function actions(family: Family): fc.Arbitrary<RichRule["action"]> {
  const ports = fc.tuple(fc.integer({ min: 1, max: 65535 }), fc.nat({ max: 9 }))
    .map(([start, more]) => ({ start, end: Math.min(start + more, 65535) }));
  return fc.oneof(
    fc.constantFrom<RichRule["action"]>("accept", "reject", "masquerade"),
    fc.record({
      protocol: fc.constantFrom(...TRANSPORT_PROTOCOLS),
      ports,
      to: addressesOf(family),
      toPort: fc.integer({ min: 1, max: 65535 }),
    }, { requiredKeys: ["protocol", "ports", "to"] }),
  );
}

const ANY_RULE: fc.Arbitrary<RichRule> = fc.constantFrom<Family>("ipv4", "ipv6").chain((family) =>
  fc.tuple(
    sides(family),
    sides(family),
    fc.integer({ min: -3, max: 3 }),
    fc.constantFrom("", "dns", "dhcpv6"),
    actions(family),
  ).map(([source, destination, priority, service, action]): RichRule => ({
    family,
    priority,
    action,
    ...(source === undefined ? {} : { source }),
    ...(destination === undefined ? {} : { destination }),
    ...(service === "" ? {} : { service }),
  }))
);

Deno.test("a rule read from its file is printed as we expect it: else it would be drift for ever", () => {
  const rules = fc.array(ANY_RULE, { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(rules, (some) => {
    const policy: ZonePolicy = {
      object: { kind: "policy", name: "bw-a-to" },
      priority: -700,
      target: "CONTINUE",
      from: "ANY",
      to: "bw-a",
      rules: some,
    };
    const files = new Map([["/etc/firewalld/policies/bw-a-to.xml", fileText(policy)]]);
    const [loaded] = objectsIn(files);
    assertEquals(loaded?.settings["rich_rules"]?.data, some.map(formatRichRule));
  }));
});

import { assert, assertEquals } from "@std/assert";
import {
  type FirewalldObject,
  isZone,
  type Zone,
  type ZonePolicy,
} from "../../../backends/firewalld/objects.ts";
import { formatRichRule } from "../../../backends/firewalld/rich_rule.ts";
import { networkObjects, type ZonesOfNetwork } from "../../../backends/firewalld/ruleset.ts";
import { filtered, IPV4, IPV6 } from "../../support/definitions.ts";

const OWN: ZonesOfNetwork = { kind: "own", name: "bw-virbr0" };
const NAMED: ZonesOfNetwork = { kind: "named", name: "guests" };
const UPLINK = { device: { zone: "uplink" } };
const NOWHERE = { device: {} };

function policiesIn(objects: readonly FirewalldObject[]): readonly ZonePolicy[] {
  return objects.flatMap((one) => isZone(one) ? [] : [one]);
}

function zonesIn(objects: readonly FirewalldObject[]): readonly Zone[] {
  return objects.filter(isZone);
}

/** Each as `KIND PRIORITY TARGET FROM>TO: NUMBER ACTION…`, in the order in which firewalld asks them. */
function outline(elements: string, zones: ZonesOfNetwork): readonly string[] {
  return policiesIn(networkObjects(filtered(elements), zones))
    .toSorted((one, other) => one.priority - other.priority)
    .map(({ object, priority, target, from, to, rules }) => {
      const kind = object.name.replace("bw-virbr0-", "");
      const actions = ["accept", "reject", "masquerade"].flatMap((action) => {
        const count = rules.filter((rule) => rule.action === action).length;
        return count === 0 ? [] : [` ${count} ${action}`];
      });
      return `${kind} ${priority} ${target} ${from}>${to}:${actions.join("")}`;
    });
}

function rulesOf(elements: string, zones: ZonesOfNetwork, kind: string): readonly string[] {
  return policiesIn(networkObjects(filtered(elements), zones))
    .filter(({ object }) => object.name === `bw-virbr0-${kind}`)
    .flatMap(({ rules }) => rules.map(formatRichRule));
}

const NAT = `<forward mode='nat'/>${IPV4}`;
const ROUTE = `<forward mode='route'/>${IPV4}${IPV6}`;
const ISOLATED = IPV4;
const LAN = "lan -702 ACCEPT bw-virbr0>bw-virbr0:";

/** The policies of each mode, zone and device, in the order of their priorities. */
const OUTLINES: readonly (readonly [string, string, ZonesOfNetwork, readonly string[]])[] = [
  ["an isolated network", ISOLATED, OWN, [
    LAN,
    "to -700 CONTINUE ANY>bw-virbr0: 2 reject",
    "from -700 CONTINUE bw-virbr0>ANY: 2 reject",
  ]],
  ["a nat network", NAT, OWN, [
    LAN,
    "to -700 CONTINUE ANY>bw-virbr0: 2 reject",
    "nat -700 CONTINUE ANY>ANY: 73 masquerade",
    "out 700 CONTINUE bw-virbr0>ANY: 1 accept 2 reject",
  ]],
  ["a routed network", ROUTE, OWN, [
    LAN,
    "to -700 CONTINUE ANY>bw-virbr0: 2 reject",
    "out 700 CONTINUE bw-virbr0>ANY: 2 accept 2 reject",
    "in 701 CONTINUE ANY>bw-virbr0: 2 accept",
  ]],
  ["a nat network through a device", NAT, { ...OWN, ...UPLINK }, [
    LAN,
    "out -702 CONTINUE bw-virbr0>uplink: 1 accept",
    "to -700 REJECT ANY>bw-virbr0: 2 reject",
    "from -700 REJECT bw-virbr0>ANY: 2 reject",
    "nat -700 CONTINUE ANY>uplink: 1 masquerade",
  ]],
  ["a routed network through a device", ROUTE, { ...OWN, ...UPLINK }, [
    LAN,
    "out -702 CONTINUE bw-virbr0>uplink: 2 accept",
    "in -702 CONTINUE uplink>bw-virbr0: 2 accept",
    "to -700 REJECT ANY>bw-virbr0: 2 reject",
    "from -700 REJECT bw-virbr0>ANY: 2 reject",
  ]],
  ["a routed network whose device lost its zone", ROUTE, { ...OWN, ...NOWHERE }, [
    LAN,
    "to -700 REJECT ANY>bw-virbr0: 2 reject",
    "from -700 REJECT bw-virbr0>ANY: 2 reject",
  ]],
  ["an isolated network in a named zone", ISOLATED, NAMED, [
    "lan -702 CONTINUE guests>guests: 1 accept",
    "to -700 CONTINUE ANY>guests: 1 reject",
    "from -700 CONTINUE guests>ANY: 1 reject",
    "ask 700 CONTINUE guests>HOST: 1 accept",
  ]],
  ["a nat network in a named zone", NAT, NAMED, [
    "lan -702 CONTINUE guests>guests: 1 accept",
    "to -700 CONTINUE ANY>guests: 1 reject",
    "nat -700 CONTINUE ANY>ANY: 73 masquerade",
    "out 700 CONTINUE guests>ANY: 1 accept",
    "ask 700 CONTINUE guests>HOST: 1 accept",
  ]],
  ["a routed network in a named zone", ROUTE, NAMED, [
    "lan -702 CONTINUE guests>guests: 2 accept",
    "out 700 CONTINUE guests>ANY: 2 accept",
    "ask 700 CONTINUE guests>HOST: 4 accept",
    "in 701 CONTINUE ANY>guests: 2 accept",
  ]],
  ["a nat network in a named zone through a device", NAT, { ...NAMED, ...UPLINK }, [
    "lan -702 CONTINUE guests>guests: 1 accept",
    "out -702 CONTINUE guests>uplink: 1 accept",
    "to -700 CONTINUE ANY>guests: 1 reject",
    "from -700 CONTINUE guests>ANY: 1 reject",
    "nat -700 CONTINUE ANY>uplink: 1 masquerade",
    "ask 700 CONTINUE guests>HOST: 1 accept",
  ]],
  ["a nat network in a named zone whose device lost its own", NAT, { ...NAMED, ...NOWHERE }, [
    "lan -702 CONTINUE guests>guests: 1 accept",
    "to -700 CONTINUE ANY>guests: 1 reject",
    "from -700 CONTINUE guests>ANY: 1 reject",
    "ask 700 CONTINUE guests>HOST: 1 accept",
  ]],
];

for (const [what, elements, zones, expected] of OUTLINES) {
  Deno.test(`${what} has these policies`, () => {
    assertEquals(outline(elements, zones), expected);
  });
}

Deno.test("guests of a nat network leave with their own addresses only, and nobody comes in", () => {
  assertEquals(rulesOf(NAT, OWN, "out"), [
    'rule family="ipv4" source address="10.44.0.0/24" accept',
    'rule priority="1" family="ipv4" reject type="icmp-port-unreachable"',
    'rule priority="1" family="ipv6" reject type="icmp6-port-unreachable"',
  ]);
  assertEquals(rulesOf(NAT, OWN, "to"), [
    'rule priority="1" family="ipv4" reject type="icmp-port-unreachable"',
    'rule priority="1" family="ipv6" reject type="icmp6-port-unreachable"',
  ]);
});

Deno.test("two subnets of one family are both let in: no rule rejects all but one of them", () => {
  const one = rulesOf(ROUTE, OWN, "to");
  assertEquals(one, [
    'rule family="ipv4" destination NOT address="10.44.0.0/24" reject ' +
    'type="icmp-port-unreachable"',
    'rule family="ipv6" destination NOT address="fd44::/64" reject ' +
    'type="icmp6-port-unreachable"',
  ]);
  const two = rulesOf(`${ROUTE}<ip address='10.45.0.1' prefix='24'/>`, OWN, "to")
    .filter((rule) => rule.includes('family="ipv4"'));
  assert(two.length > 2);
  assert(!two.some((rule) => rule.includes("NOT")));
});

Deno.test("guests reach the services of their network, ping, and nothing else of the host", () => {
  const dhcp = "<ip address='10.44.0.1' prefix='24'><tftp root='/srv'/>" +
    "<dhcp><range start='10.44.0.2' end='10.44.0.9'/></dhcp></ip>";
  const [zone] = zonesIn(networkObjects(filtered(dhcp + IPV6), OWN));
  assertEquals(zone, {
    object: { kind: "zone", name: "bw-virbr0" },
    interface: "virbr0",
    services: ["dhcp", "dhcpv6", "dns", "tftp"],
    protocols: ["icmp", "ipv6-icmp"],
  });
  assertEquals(zonesIn(networkObjects(filtered(IPV4), OWN))[0]?.services, ["dns"]);
});

Deno.test("in a named zone guests ask by their addresses, and for one before they have it", () => {
  const dhcp = "<ip address='10.44.0.1' prefix='24'>" +
    "<dhcp><range start='10.44.0.2' end='10.44.0.9'/></dhcp></ip>";
  assertEquals(rulesOf(dhcp + IPV6, NAMED, "ask"), [
    'rule family="ipv4" source address="0.0.0.0/32" service name="dhcp" accept',
    'rule family="ipv4" source address="10.44.0.0/24" service name="dhcp" accept',
    'rule family="ipv6" source address="fe80::/10" service name="dhcpv6" accept',
    'rule family="ipv6" source address="fd44::/64" service name="dhcpv6" accept',
    'rule family="ipv4" source address="10.44.0.0/24" service name="dns" accept',
    'rule family="ipv6" source address="fd44::/64" service name="dns" accept',
  ]);
  assertEquals(zonesIn(networkObjects(filtered(dhcp), NAMED)), []);
});

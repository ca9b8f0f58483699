import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type FirewalldObject,
  isZone,
  type Zone,
  type ZonePolicy,
} from "../../../backends/firewalld/objects.ts";
import { filePath, zoneName } from "../../../backends/firewalld/object_name.ts";
import { fileText } from "../../../backends/firewalld/objects.ts";
import { formatRichRule, type RichRule } from "../../../backends/firewalld/rich_rule.ts";
import { networkObjects, type ZonesOfNetwork } from "../../../backends/firewalld/ruleset.ts";
import {
  contains,
  type Family,
  formatSubnet,
  type IpAddress,
  overlaps,
  rangeOf,
} from "../../../core/address.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { addressesOf, policies } from "../../support/arbitrary.ts";
import { filtered, IPV4, IPV6, subnet } from "../../support/definitions.ts";
import { refusalOf } from "../../support/firewalld_objects.ts";

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
    "from -700 CONTINUE bw-virbr0>ANY: 2 reject",
    "nat -700 CONTINUE ANY>ANY: 43 masquerade",
    "out 700 CONTINUE bw-virbr0>ANY: 1 accept",
  ]],
  ["a routed network", ROUTE, OWN, [
    LAN,
    "to -700 CONTINUE ANY>bw-virbr0: 2 reject",
    "from -700 CONTINUE bw-virbr0>ANY: 2 reject",
    "out 700 CONTINUE bw-virbr0>ANY: 2 accept",
    "in 700 CONTINUE ANY>bw-virbr0: 2 accept",
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
    "nat -700 CONTINUE ANY>ANY: 43 masquerade",
    "out 700 CONTINUE guests>ANY: 1 accept",
    "ask 700 CONTINUE guests>HOST: 1 accept",
  ]],
  ["a routed network in a named zone", ROUTE, NAMED, [
    "lan -702 CONTINUE guests>guests: 2 accept",
    "out 700 CONTINUE guests>ANY: 2 accept",
    "in 700 CONTINUE ANY>guests: 2 accept",
    "ask 700 CONTINUE guests>HOST: 4 accept",
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

Deno.test("guests of a nat network leave with their own addresses only", () => {
  assertEquals(rulesOf(NAT, OWN, "from"), [
    'rule family="ipv4" source NOT address="10.44.0.0/24" reject type="icmp-port-unreachable"',
    'rule priority="1" family="ipv6" reject type="icmp6-port-unreachable"',
  ]);
  assertEquals(rulesOf(NAT, OWN, "to"), [
    'rule priority="1" family="ipv4" reject type="icmp-port-unreachable"',
    'rule priority="1" family="ipv6" reject type="icmp6-port-unreachable"',
  ]);
});

Deno.test("two subnets of one family are both let out: no rule rejects all but one of them", () => {
  const two = `${NAT}<ip address='10.45.0.1' prefix='24'/>`;
  const rules = rulesOf(two, OWN, "from").filter((rule) => rule.includes('family="ipv4"'));
  assert(rules.length > 2);
  assert(!rules.some((rule) => rule.includes("NOT")));
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

/** Any network in any of the zones. */
const ANY_CASE: fc.Arbitrary<readonly [FilteredPolicy, ZonesOfNetwork]> = fc.tuple(
  policies(),
  fc.constantFrom("own" as const, "named" as const),
  fc.constantFrom({}, UPLINK, NOWHERE),
).map(([policy, kind, device]) => {
  const name = kind === "own" ? zoneName(policy.bridge).name : "guests";
  return [policy, { kind, name, ...device }];
});

function netsOf({ families }: FilteredPolicy, family: Family): FilteredPolicy["families"] {
  return families.filter((one) => one.family === family);
}

Deno.test("nothing is accepted before the guards but among guests, or to and from the device", () => {
  fc.assert(fc.property(ANY_CASE, ([policy, zones]) => {
    for (const one of policiesIn(networkObjects(policy, zones))) {
      const accepts = one.target === "ACCEPT" ||
        one.rules.some(({ action }) => action === "accept");
      if (!accepts || one.priority > -700) continue;
      const { from, to } = one;
      const isAmongGuests = from === zones.name && to === zones.name;
      const ends = [from, to].toSorted();
      const isDevice = zones.device?.zone !== undefined &&
        ends.join() === [zones.name, zones.device.zone].toSorted().join();
      assert(one.priority < -700 && (isAmongGuests || isDevice), `${from}>${to}`);
    }
  }));
});

Deno.test("nothing is accepted but by the network's own addresses, save asking and a zone of ours", () => {
  fc.assert(fc.property(ANY_CASE, ([policy, zones]) => {
    for (const one of policiesIn(networkObjects(policy, zones))) {
      if (one.target === "ACCEPT") assertEquals([zones.kind, one.from], ["own", one.to]);
      if (one.to === "HOST") continue;
      for (const { family, action, source, destination } of one.rules) {
        if (action !== "accept") continue;
        const sides = [source, destination].flatMap((side) => side === undefined ? [] : [side]);
        const own = netsOf(policy, family).flatMap(({ subnets }) => subnets).map(formatSubnet);
        assert(sides.length > 0 && sides.every(({ not }) => not !== true));
        assert(sides.every((side) => own.includes(formatSubnet(side.subnet))));
      }
    }
  }));
});

const NEVER = ["224.0.0.0/24", "255.255.255.255/32", "ff02::/16"].map(subnet);

Deno.test("packets between guests, multicast of the link and broadcasts are never translated", () => {
  fc.assert(fc.property(ANY_CASE, ([policy, zones]) => {
    for (const { from, to, rules } of policiesIn(networkObjects(policy, zones))) {
      for (const { family, action, source, destination } of rules) {
        if (action !== "masquerade") continue;
        const subnets = netsOf(policy, family).flatMap((one) => one.subnets);
        assertEquals(from, "ANY");
        assert(source !== undefined && source.not !== true);
        assert(subnets.map(formatSubnet).includes(formatSubnet(source.subnet)));
        if (zones.device !== undefined) assertEquals(to, zones.device.zone);
        else {
          assert(destination !== undefined && destination.not !== true);
          const local = [...subnets, ...NEVER];
          assert(!local.some((one) => overlaps(one, destination.subnet)));
        }
      }
    }
  }));
});

/** Whether the rule speaks of a packet from or to that address. */
function matches(
  rule: RichRule,
  side: "source" | "destination",
  address: IpAddress,
): boolean {
  if (rule.family !== address.family) return false;
  const found = rule[side];
  return found === undefined || contains(found.subnet, address) !== (found.not === true);
}

/** Addresses at the edges of the subnets, and any. */
const ADDRESSES = fc.constantFrom<Family>("ipv4", "ipv6")
  .chain((family) => fc.array(addressesOf(family), { minLength: 3, maxLength: 6 }));

function edges({ families }: FilteredPolicy): readonly IpAddress[] {
  return families.flatMap(({ subnets }) => subnets.map(rangeOf))
    .flatMap(({ start, end }) => [start, end]);
}

Deno.test("whatever else leaves the subnets of a translated network is translated", () => {
  fc.assert(fc.property(policies(), ADDRESSES, (policy, destinations) => {
    const rules = policiesIn(networkObjects(policy, OWN)).flatMap((one) => one.rules)
      .filter(({ action }) => action === "masquerade");
    for (const { family, subnets, forwarding } of policy.families) {
      const isTranslated = forwarding.direction !== "none" && forwarding.translation !== undefined;
      for (const destination of destinations.filter((one) => one.family === family)) {
        const isLocal = [...subnets, ...NEVER].some((one) => contains(one, destination));
        for (const source of subnets.map(rangeOf).flatMap(({ start, end }) => [start, end])) {
          const found = rules.some((rule) =>
            matches(rule, "source", source) && matches(rule, "destination", destination)
          );
          assertEquals(found, isTranslated && !isLocal);
        }
      }
    }
  }));
});

Deno.test("a guard of an own zone stops all but the network's addresses, and all of a closed family", () => {
  fc.assert(fc.property(policies(), ADDRESSES, (policy, some) => {
    const objects = policiesIn(networkObjects(policy, OWN));
    for (const address of [...some, ...edges(policy)]) {
      for (const side of ["source", "destination"] as const) {
        const own = netsOf(policy, address.family).find(({ subnets, forwarding }) =>
          subnets.some((one) => contains(one, address)) &&
          (side === "source" ? forwarding.direction !== "none" : forwarding.direction === "both")
        );
        const stopped = objects.filter(({ object: { name }, priority }) =>
          priority === -700 && name.endsWith(side === "source" ? "-from" : "-to")
        ).some(({ rules }) => rules.some((rule) => matches(rule, side, address)));
        assertEquals(stopped, own === undefined);
      }
    }
  }));
});

Deno.test("firewalld takes the files in this order: each names only zones that are there by then", () => {
  const stock = ["guests", "public", "uplink"];
  fc.assert(
    fc.property(ANY_CASE, ([policy, zones]) => {
      const objects = networkObjects(policy, zones);
      const paths = objects.map(({ object }) => filePath(object));
      assertEquals(new Set(paths).size, paths.length);
      for (const count of objects.keys()) {
        const files = new Map(
          objects.slice(0, count + 1).flatMap((one) => // Names that XML cannot hold never come this far.
          [
            [
              filePath(one.object),
              fileText(isZone(one) ? { ...one, interface: "a" } : one),
            ] as const,
          ]),
        );
        assertEquals(refusalOf(files, stock, new Map()), undefined);
      }
    }),
    { numRuns: 30 },
  );
});

Deno.test("firewalld takes the priorities, which are never 0", () => {
  fc.assert(fc.property(ANY_CASE, ([policy, zones]) => {
    for (const { priority, rules } of policiesIn(networkObjects(policy, zones))) {
      assert(priority !== 0 && Math.abs(priority) < 32768);
      // A rule without addresses is none that firewalld takes without a priority.
      for (const rule of rules) {
        assert(rule.source !== undefined || rule.destination !== undefined || rule.priority === 1);
      }
    }
  }));
});

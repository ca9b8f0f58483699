import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { guardRules, guardsIn, isClosed, shieldRules } from "../../../backends/firewalld/guards.ts";
import { zoneName } from "../../../backends/firewalld/object_name.ts";
import { fileText, isZone, type ZonePolicy } from "../../../backends/firewalld/objects.ts";
import { listeningAt, NOTHING_PUBLISHED } from "../../../backends/firewalld/published.ts";
import type { RichRule } from "../../../backends/firewalld/rich_rule.ts";
import { networkObjects, type ZonesOfNetwork } from "../../../backends/firewalld/ruleset.ts";
import { contains, formatAddress, type IpAddress, rangeOf } from "../../../core/address.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { policies } from "../../support/arbitrary.ts";
import { address, filtered, IPV4, IPV6 } from "../../support/definitions.ts";

const HOST = [address("192.0.2.1"), address("2001:db8::1"), address("198.51.100.7")];

/** One port in each family, on any address. */
const WEB = filtered(
  "<bridge name='virbr1'/><metadata><b:network xmlns:b='urn:bridgewall:network:1'>" +
    "<b:publish proto='tcp' port='8080' to='10.99.0.10:80'/>" +
    "<b:publish proto='tcp' port='8080' to='[fd99::10]:80'/></b:network></metadata>" +
    "<forward mode='nat'/><ip address='10.99.0.1' prefix='24'/>" +
    "<ip family='ipv6' address='fd99::1' prefix='64'/>",
  "web",
);
const LISTENING = listeningAt(WEB, HOST);

/** Any network, on another bridge. */
const OTHERS = policies(fc.constant("lan"), fc.constant("virbr0")).map((policy) => ({
  ...policy,
  families: policy.families.map((one) => ({ ...one, published: [] })),
}));

function zonesOf({ bridge }: FilteredPolicy, kind: ZonesOfNetwork["kind"]): ZonesOfNetwork {
  return { kind, name: kind === "own" ? zoneName(bridge).name : "guests" };
}

/** Rules below 0, those at 0, and the others. */
function inOrder(rules: readonly RichRule[]): readonly RichRule[] {
  const rank = ({ priority = 0 }: RichRule): number => Math.sign(priority);
  return rules.toSorted((one, other) => rank(one) - rank(other));
}

/** Where a packet that came in by that zone is sent before the host decides what becomes of it. */
function sentTo(
  all: readonly ZonePolicy[],
  zone: string,
  source: IpAddress,
  to: IpAddress,
): string | undefined {
  const rules = all.filter((one) => one.to === "ANY" && (one.from === zone || one.from === "ANY"))
    .toSorted((one, other) => one.priority - other.priority)
    .flatMap((one) => inOrder(one.rules));
  const [found] = rules.flatMap(({ family, source: from, destination, action }) => {
    if (typeof action !== "object" || family !== to.family) return [];
    if (from !== undefined && !contains(from.subnet, source)) return [];
    if (destination !== undefined && !contains(destination.subnet, to)) return [];
    return [action];
  });
  return found === undefined ? undefined : formatAddress(found.to);
}

function policiesOf(
  policy: FilteredPolicy,
  zones: ZonesOfNetwork,
  published: Partial<typeof NOTHING_PUBLISHED>,
): readonly ZonePolicy[] {
  return networkObjects(policy, zones, { ...NOTHING_PUBLISHED, ...published })
    .flatMap((one) => isZone(one) ? [] : [one]);
}

for (const kind of ["own", "named"] as const) {
  for (const later of ["lan", "web"]) {
    Deno.test(`guests in a zone that is ${kind} are led to a port as they may leave, ${later} being later`, () => {
      fc.assert(fc.property(OTHERS, (lan) => {
        const zones = zonesOf(lan, kind);
        const guards = later === "lan" ? guardRules(lan, zones, LISTENING) : [];
        const shields = later === "web" ? shieldRules(LISTENING, [lan]) : [];
        const all = [
          ...policiesOf(lan, zones, { guards }),
          ...policiesOf(WEB, zonesOf(WEB, "own"), { listening: LISTENING, shields }),
        ];
        for (const { family, subnets } of lan.families) {
          for (const { start } of subnets.map(rangeOf)) {
            for (const to of HOST.filter((one) => one.family === family)) {
              const guest = family === "ipv4" ? "10.99.0.10" : "fd99::10";
              const expected = isClosed(lan, family) ? formatAddress(to) : guest;
              assertEquals(sentTo(all, zones.name, start, to), expected);
            }
          }
        }
      }));
    });
  }
}

Deno.test("in a zone of ours a borrowed address does not help, nor a family that the network lacks", () => {
  const isolated = filtered(IPV4);
  const zones = zonesOf(isolated, "own");
  const all = [
    ...policiesOf(isolated, zones, { guards: guardRules(isolated, zones, LISTENING) }),
    ...policiesOf(WEB, zonesOf(WEB, "own"), { listening: LISTENING }),
  ];
  assertEquals(sentTo(all, zones.name, address("203.0.113.66"), HOST[0] ?? fail()), "192.0.2.1");
  assertEquals(sentTo(all, zones.name, address("fd66::66"), HOST[1] ?? fail()), "2001:db8::1");
});

function fail(): never {
  throw new Error("the host has addresses");
}

Deno.test("networks may leave by any interface, or they are closed, each family by itself", () => {
  const closed = (elements: string): readonly boolean[] =>
    (["ipv4", "ipv6"] as const).map((family) => isClosed(filtered(elements), family));
  assertEquals(closed(IPV4 + IPV6), [true, true]);
  assertEquals(closed(`<forward mode='nat'/>${IPV4}`), [false, true]);
  assertEquals(closed(`<forward mode='nat'/>${IPV4}${IPV6}`), [false, false]);
  assertEquals(closed(`<forward mode='route' dev='eth0'/>${IPV4}${IPV6}`), [true, true]);
});

Deno.test("what keeps guests away is found in files, and nothing else is taken for it", () => {
  fc.assert(fc.property(OTHERS, (lan) => {
    const zones = zonesOf(lan, "own");
    const guards = guardRules(lan, zones, LISTENING);
    const shields = shieldRules(LISTENING, [lan]);
    const found = (all: readonly ZonePolicy[]): readonly RichRule[] =>
      all.flatMap((one) => guardsIn(fileText(one)));
    assertEquals(found(policiesOf(lan, zones, { guards })), guards);
    const web = policiesOf(WEB, zonesOf(WEB, "own"), { listening: LISTENING, shields });
    assertEquals(found(web), shields);
    assert(found(policiesOf(WEB, zonesOf(WEB, "own"), { listening: LISTENING })).length === 0);
  }));
});

Deno.test("networks without published ports around have the rules that they always had", () => {
  fc.assert(fc.property(OTHERS, fc.constantFrom("own", "named"), (lan, kind) => {
    const zones = zonesOf(lan, kind);
    const around = { guards: guardRules(lan, zones, []), shields: shieldRules([], [WEB]) };
    assertEquals(policiesOf(lan, zones, around), policiesOf(lan, zones, {}));
  }));
});

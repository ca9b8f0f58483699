import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { filePath, zoneName } from "../../../backends/firewalld/object_name.ts";
import {
  fileText,
  type FirewalldObject,
  isZone,
  type ZonePolicy,
} from "../../../backends/firewalld/objects.ts";
import type { RichRule } from "../../../backends/firewalld/rich_rule.ts";
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
import { subnet } from "../../support/definitions.ts";
import { refusalOf } from "../../support/firewalld_objects.ts";

const OWN: ZonesOfNetwork = { kind: "own", name: "bw-virbr0" };
const UPLINK = { device: { zone: "uplink" } };
const NOWHERE = { device: {} };

function policiesIn(objects: readonly FirewalldObject[]): readonly ZonePolicy[] {
  return objects.flatMap((one) => isZone(one) ? [] : [one]);
}

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

/** In the order in which firewalld asks them: below 0, then rejects, then accepts, then above 0. */
function inOrder(rules: readonly RichRule[]): readonly RichRule[] {
  const rank = ({ priority = 0, action }: RichRule): number =>
    priority === 0 ? (action === "reject" ? 0 : 0.5) : priority;
  return rules.toSorted((one, other) => rank(one) - rank(other));
}

/** What becomes of a packet that begins a connection, where nobody else has a policy. */
function verdict(
  objects: readonly FirewalldObject[],
  zone: string,
  side: "source" | "destination",
  address: IpAddress,
): RichRule["action"] | undefined {
  return policiesIn(objects)
    .filter(({ from, to }) => side === "source" ? from === zone && to === "ANY" : to === zone)
    .filter(({ from, to }) => from !== to)
    .toSorted((one, other) => one.priority - other.priority)
    .flatMap(({ rules }) => inOrder(rules))
    .find((rule) => matches(rule, side, address))?.action;
}

for (const kind of ["own", "named"] as const) {
  Deno.test(`in a zone that is ${kind} just the network's open subnets are let out and in`, () => {
    fc.assert(fc.property(policies(), ADDRESSES, (policy, some) => {
      const name = kind === "own" ? zoneName(policy.bridge).name : "guests";
      const objects = networkObjects(policy, { kind, name });
      for (const address of [...some, ...edges(policy)]) {
        const own = netsOf(policy, address.family)
          .find(({ subnets }) => subnets.some((one) => contains(one, address)));
        const direction = own?.forwarding.direction;
        // A named zone may have others, about whose addresses nothing is said.
        const stranger = kind === "own" ? "reject" : undefined;
        const expect = (isOpen: boolean): RichRule["action"] | undefined =>
          own === undefined ? stranger : isOpen ? "accept" : "reject";
        const isOut = direction === "replies" || direction === "both";
        assertEquals(verdict(objects, name, "source", address), expect(isOut));
        assertEquals(verdict(objects, name, "destination", address), expect(direction === "both"));
      }
    }));
  });
}

Deno.test("a network's rejections come before any network accepts what comes in", () => {
  fc.assert(fc.property(policies(), (policy) => {
    const zone = zoneName(policy.bridge).name;
    const all = policiesIn(networkObjects(policy, { kind: "own", name: zone }));
    const rejecting = all.filter(({ rules }) => rules.some(({ action }) => action === "reject"));
    const incoming = all.filter(({ from, rules }) =>
      from === "ANY" && rules.some(({ action }) => action === "accept")
    );
    // Both directions of a network have a rejection, and another network has the same priorities.
    assertEquals(rejecting.map(({ to }) => to === zone).toSorted(), [false, true]);
    for (const { priority } of incoming) {
      assert(rejecting.every((one) => one.priority < priority));
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

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { filePath, policyName, zoneName } from "../../../backends/firewalld/object_name.ts";
import { fileText, isZone, type ZonePolicy } from "../../../backends/firewalld/objects.ts";
import {
  formatListening,
  type Listening,
  listeningAt,
  listeningIn,
  NOTHING_PUBLISHED,
} from "../../../backends/firewalld/published.ts";
import { formatRichRule, type RichRule } from "../../../backends/firewalld/rich_rule.ts";
import { networkObjects } from "../../../backends/firewalld/ruleset.ts";
import {
  contains,
  formatAddress,
  formatSubnet,
  type IpAddress,
  rangeOf,
} from "../../../core/address.ts";
import { isLoopback, listeners } from "../../../core/network/published_port.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { addressesOf, policies } from "../../support/arbitrary.ts";
import { address, filtered, IPV4, IPV6 } from "../../support/definitions.ts";
import { objectsIn, refusalOf } from "../../support/firewalld_objects.ts";

/** Policies that publish on addresses that firewalld takes, on a bridge with a plain name. */
const PUBLISHERS: fc.Arbitrary<FilteredPolicy> = policies(
  fc.constant("lan"),
  fc.constant("virbr0"),
).map((policy) => ({
  ...policy,
  families: policy.families.map((one) => ({
    ...one,
    published: one.published.filter(({ hostAddress, ports, guestPorts }) =>
      (hostAddress === undefined || !isLoopback(hostAddress)) &&
      (ports.start === guestPorts.start || ports.end - ports.start < 20)
    ).map((published) => ({ ...published, localhost: false })),
  })),
}));

/** What the host has: some of them are those that ports are published on. */
function hostsOf({ families }: FilteredPolicy): fc.Arbitrary<readonly IpAddress[]> {
  const named = families.flatMap(({ published }) =>
    published.flatMap(({ hostAddress }) => hostAddress ?? [])
  );
  const other = fc.array(fc.oneof(addressesOf("ipv4"), addressesOf("ipv6")), { maxLength: 4 });
  return fc.tuple(fc.subarray([...named]), other).map(([some, more]) => {
    const all = [...some, ...more].filter((one) => !isLoopback(one));
    return [...new Map(all.map((one) => [formatAddress(one), one])).values()];
  });
}

const CASES = PUBLISHERS.chain((policy) =>
  fc.tuple(fc.constant(policy), hostsOf(policy)).map(([one, addresses]) =>
    [one, listeningAt(one, addresses), addresses] as const
  )
);

function policiesOf(
  policy: FilteredPolicy,
  listening: readonly Listening[],
): readonly ZonePolicy[] {
  const zones = { kind: "own", name: zoneName(policy.bridge).name } as const;
  return networkObjects(policy, zones, { ...NOTHING_PUBLISHED, listening })
    .flatMap((one) => isZone(one) ? [] : [one]);
}

function ruleOf(
  all: readonly ZonePolicy[],
  kind: "port" | "own",
): readonly RichRule[] {
  const { name } = policyName("virbr0", kind);
  return all.find(({ object }) => object.name === name)?.rules ?? [];
}

/** Where the first rule that speaks of the packet sends it. */
function sentTo(
  rules: readonly RichRule[],
  protocol: string,
  at: IpAddress,
  port: number,
): string | undefined {
  for (const { family, destination, action } of rules) {
    if (typeof action !== "object" || action.protocol !== protocol) continue;
    if (family !== at.family || destination === undefined) continue;
    if (!contains(destination.subnet, at)) continue;
    if (port < action.ports.start || port > action.ports.end) continue;
    return `${formatAddress(action.to)} ${action.toPort ?? port}`;
  }
  return undefined;
}

Deno.test("each port of each of its addresses leads to the guest's port, for the host's own too", () => {
  fc.assert(fc.property(CASES, ([policy, listening]) => {
    const all = policiesOf(policy, listening);
    for (const { published, address } of listening) {
      const { protocol, ports, guest, guestPorts } = published;
      for (const port of new Set([ports.start, (ports.start + ports.end) >> 1, ports.end])) {
        const expected = `${formatAddress(guest)} ${port - ports.start + guestPorts.start}`;
        for (const kind of ["port", "own"] as const) {
          assertEquals(sentTo(ruleOf(all, kind), protocol, address, port), expected);
        }
      }
    }
  }));
});

Deno.test("no port is taken from what goes to an address that the host does not have", () => {
  fc.assert(fc.property(CASES, ([policy, listening, addresses]) => {
    const known = addresses.map(formatAddress);
    for (const { rules } of policiesOf(policy, listening)) {
      for (const { destination, action } of rules) {
        if (typeof action !== "object") continue;
        assert(destination !== undefined && destination.not !== true);
        const { start, end } = rangeOf(destination.subnet);
        assertEquals(start.value, end.value);
        assert(known.includes(formatAddress(start)), formatAddress(start));
      }
    }
  }));
});

Deno.test("a port listens where it is published, and the host has the address", () => {
  fc.assert(fc.property(CASES, ([policy, listening, addresses]) => {
    for (const one of policy.families.flatMap(({ published }) => published)) {
      for (const address of addresses.filter(({ family }) => family === one.guest.family)) {
        const wanted = listeners(one).some((at) => at === "any" || at.value === address.value);
        const found = listening.some((at) => at.published === one && at.address === address);
        assertEquals(found, wanted);
      }
    }
  }));
});

Deno.test("a guest gets what comes from its own bridge as from the host, and nothing else", () => {
  fc.assert(fc.property(CASES, ([policy, listening]) => {
    const guests = listening.map(({ published: { guest } }) => formatAddress(guest));
    const rules = ruleOf(policiesOf(policy, listening), "port")
      .filter(({ action }) => action === "masquerade");
    const subnets = policy.families.flatMap((one) => one.subnets);
    for (const { source, destination } of rules) {
      assert(source !== undefined && destination !== undefined);
      assert(subnets.map(formatSubnet).includes(formatSubnet(source.subnet)));
      assert(guests.includes(formatAddress(rangeOf(destination.subnet).start)));
    }
    for (const { published: { guest } } of listening) {
      for (const subnet of subnets.filter(({ family }) => family === guest.family)) {
        assert(
          rules.some(({ source, destination }) =>
            formatSubnet(source?.subnet ?? subnet) === formatSubnet(subnet) &&
            destination !== undefined && contains(destination.subnet, guest)
          ),
        );
      }
    }
  }));
});

Deno.test("firewalld takes the files, prints the rules as we expect them, and each only once", () => {
  fc.assert(fc.property(CASES, ([policy, listening]) => {
    for (const one of policiesOf(policy, listening)) {
      const files = new Map([[filePath(one.object), fileText(one)]]);
      assertEquals(refusalOf(files, [one.from, one.to], new Map()), undefined);
      const printed = one.rules.map(formatRichRule);
      assertEquals(objectsIn(files)[0]?.settings["rich_rules"]?.data ?? [], printed);
      assertEquals(new Set(printed).size, printed.length);
    }
  }));
});

Deno.test("the file tells where ports lead to guests: what was right once is known later", () => {
  fc.assert(fc.property(CASES, ([policy, listening]) => {
    const port = policiesOf(policy, listening)
      .find(({ object }) => object.name === policyName("virbr0", "port").name);
    const read = port === undefined ? [] : listeningIn(policy, fileText(port));
    assertEquals(
      read.map(formatListening).toSorted(),
      listening.map(formatListening).toSorted(),
    );
  }));
});

Deno.test("a network that publishes nothing has no policy for it, and one that does has two", () => {
  const name = (elements: string): readonly string[] => {
    const policy = filtered(elements);
    const hosts = [address("192.0.2.1"), address("2001:db8::1")];
    return policiesOf(policy, listeningAt(policy, hosts)).map(({ object, priority, from, to }) =>
      `${object.name} ${priority} ${from}>${to}`
    ).filter((line) => /-(port|own) /.test(line));
  };
  const publish = "<metadata><b:publish xmlns:b='urn:bridgewall:network:1' proto='tcp' port='80' " +
    "to='10.44.0.10'/></metadata>";
  assertEquals(name(IPV4 + IPV6), []);
  for (const mode of ["", "<forward mode='nat'/>", "<forward mode='route'/>"]) {
    assertEquals(name(publish + mode + IPV4 + IPV6), [
      "bw-virbr0-port 702 ANY>ANY",
      "bw-virbr0-own 702 HOST>ANY",
    ]);
  }
});

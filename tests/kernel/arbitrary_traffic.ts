/** Networks of every kind on a Linux host, and packets that have something to do with them. */
import fc from "fast-check";
import type { Family, IpAddress } from "../../core/address.ts";
import { isLoopback, LOCALHOST } from "../../core/network/published_port.ts";
import type { FamilyPolicy, FilteredPolicy } from "../../core/policy/policy.ts";
import { address } from "../support/definitions.ts";
import { definitionOf, inFamily, SHAPES } from "../support/packets/arbitrary_definitions.ts";
import {
  type Addresses,
  AT_UPLINKS,
  beside,
  inside,
  oneOf,
  OUTSIDE,
  packets,
  policyOf,
  STRANGERS,
} from "../support/packets/arbitrary_packets.ts";
import { packetsToItself, packetsToPorts } from "../support/packets/arbitrary_ports.ts";
import { type Packet, packet, PROTOCOLS } from "../support/packets/packet.ts";
import {
  type Entry,
  type Sending,
  type Uplink,
  wayTo,
  type World,
} from "../support/packets/world.ts";

/** A host with networks, and packets of which each meets a host that knows of no connection. */
export interface Case {
  readonly definitions: readonly string[];
  readonly world: World;
  readonly sendings: readonly Sending[];
}

/** How many networks a case has at most. */
export const MAXIMUM = 4;

const FAMILIES = ["ipv4", "ipv6"] as const;

/** The ways to the outside, with the same numbers in both families. */
export const UPLINKS: World["uplinks"] = [
  uplink("re0", "203.0.113.2", ["203.0.113.0"], []),
  uplink("em1", "192.0.2.2", ["192.0.2.0"], ["192.0.3.0"]),
];

function uplink(
  name: string,
  own: string,
  links: readonly string[],
  behind: readonly string[],
): Uplink {
  const both = (texts: readonly string[]): Uplink["links"] =>
    texts.flatMap((text) =>
      FAMILIES.map((family) => ({
        ...inFamily(address(text), family),
        prefix: family === "ipv4" ? 24 : 120,
      }))
    );
  return {
    name,
    addresses: FAMILIES.map((family) => inFamily(address(own), family)),
    links: both(links),
    behind: both(behind),
  };
}

/** How the packet differs from one of IPv4 that begins a connection. */
const TWISTS = fc.record({
  family: fc.constantFrom(...FAMILIES),
  sctp: fc.constantFrom(false, false, false, true),
  // Of the others conntrack takes the first for the middle of a connection, the rest for nonsense.
  flags: fc.constantFrom("S", "S", "A", "R", "FS"),
});

function twisted(
  sent: Packet,
  { family, sctp, flags }: typeof TWISTS extends fc.Arbitrary<infer T> ? T : never,
): Packet {
  // Nothing of this family has a twin that means the same.
  const isOnly4 = [sent.source, sent.destination].some((one) =>
    isLoopback(one) || one.value === 0xffffffffn
  );
  const other: Family = isOnly4 ? "ipv4" : family;
  const isIpv6Echo = other === "ipv6" && sent.protocol === PROTOCOLS.icmp;
  const isTcp = sent.protocol === PROTOCOLS.tcp;
  return {
    ...sent,
    source: isOnly4 ? sent.source : inFamily(sent.source, other),
    destination: isOnly4 ? sent.destination : inFamily(sent.destination, other),
    protocol: isIpv6Echo ? PROTOCOLS.icmp6 : isTcp && sctp ? PROTOCOLS.sctp : sent.protocol,
    ...(isIpv6Echo ? { icmp: { type: 128, code: 0 } } : {}),
    ...(isTcp && !sctp ? { flags } : {}),
  };
}

/** The same network with all its addresses in IPv4, in which packets are thought of. */
function inIpv4(policy: FilteredPolicy): FilteredPolicy {
  const four = (one: IpAddress): IpAddress => inFamily(one, "ipv4");
  const families = policy.families.map((own): FamilyPolicy => ({
    ...own,
    family: "ipv4",
    subnets: own.subnets.map((one) => ({
      ...four(one),
      prefix: one.family === "ipv4" ? one.prefix : one.prefix - 96,
    })),
    hostAddresses: own.hostAddresses.map(four),
    published: own.published.map(({ hostAddress, protocol, ...port }) => ({
      ...port,
      // Which a packet becomes again, see `twisted()`.
      protocol: protocol === "sctp" ? "tcp" : protocol,
      guest: four(port.guest),
      ...(hostAddress === undefined ? {} : { hostAddress: four(hostAddress) }),
    })),
  }));
  return { ...policy, families };
}

function enters(
  entry: Entry,
  sent: fc.Arbitrary<Packet>,
  twists: typeof TWISTS = TWISTS,
): fc.Arbitrary<Sending> {
  return fc.tuple(sent, twists).map(([one, twist]) => ({ entry, sent: twisted(one, twist) }));
}

/** What no connection begins with, and nothing translates. */
const NONSENSE: typeof TWISTS = fc.record({
  family: fc.constantFrom(...FAMILIES),
  sctp: fc.constant(false),
  flags: fc.constantFrom("R", "FS"),
});

/** What a DHCP client sends that has no address yet (RFC 2131). */
const DISCOVERY = fc.constant(packet("udp", "0.0.0.0:68", "255.255.255.255:67"));

function tcp(from: Addresses, to: Addresses): fc.Arbitrary<Packet> {
  return fc.tuple(from, to).map(([source, destination]) =>
    packet("tcp", `${source}:30000`, `${destination}:80`)
  );
}

function sendingsTo(world: World): fc.Arbitrary<Sending> {
  const { policies, uplinks } = world;
  const pairs = policies.map((policy) => ({ policy, own: inIpv4(policy) }));
  const guestsOf = (own: FilteredPolicy): readonly IpAddress[] =>
    inside(own).filter((one) => wayTo(world, one) !== "host");
  const hosts = [
    ...AT_UPLINKS,
    ...pairs.flatMap(({ own }) => own.families)
      .flatMap(({ hostAddresses }) => hostAddresses),
  ];
  const guests = oneOf(...STRANGERS, ...pairs.flatMap(({ own }) => guestsOf(own)));
  const near = oneOf(
    ...pairs.flatMap(({ own }) => [...inside(own), ...beside(own)]),
    ...STRANGERS,
    ...AT_UPLINKS,
  );
  const outside = fc.oneof(...Object.values(OUTSIDE));
  const all = fc.oneof({ weight: 3, arbitrary: near }, outside);
  const ofHost = oneOf(...hosts);
  const everybody = fc.constant("255.255.255.255");
  const from = (own: FilteredPolicy): Addresses => {
    const inner = oneOf(...own.families.length === 0 ? STRANGERS : inside(own));
    return fc.oneof({ weight: 4, arbitrary: inner }, all);
  };
  const goals = [...Object.values(OUTSIDE), guests, guests, guests, ofHost, all, everybody];
  const more = [
    ...pairs.flatMap(({ policy, own }) =>
      goals.map((to) => enters({ kind: "guest", policy }, packets(from(own), to)))
    ),
    ...pairs.map(({ policy, own }) =>
      enters({ kind: "guest", policy }, tcp(from(own), outside), NONSENSE)
    ),
    ...pairs.flatMap(({ policy, own }) =>
      pairs.filter((other) => other.policy !== policy && guestsOf(other.own).length > 0)
        .map((other) =>
          enters({ kind: "guest", policy }, packets(from(own), oneOf(...guestsOf(other.own))))
        )
    ),
    ...policies.slice(0, 1).map((policy) => enters({ kind: "guest", policy }, DISCOVERY)),
    ...uplinks.flatMap(({ name }) => {
      const known = OUTSIDE[name] ?? outside;
      return [guests, guests, outside, all].map((to) =>
        enters({ kind: "uplink", name }, packets(fc.oneof(known, known, all), to))
      );
    }),
    ...[guests, outside, outside].map((to) => enters({ kind: "host" }, packets(ofHost, to))),
  ];
  const ports = pairs.flatMap(({ own }) => sendingsToPorts(pairs, own, hosts, from));
  return ports.length === 0
    ? fc.oneof(...more)
    : fc.oneof({ weight: 2, arbitrary: fc.oneof(...more) }, {
      weight: 1,
      arbitrary: fc.oneof(...ports),
    });
}

/** What has to do with published ports, from everywhere. */
function sendingsToPorts(
  pairs: readonly { readonly policy: FilteredPolicy; readonly own: FilteredPolicy }[],
  publisher: FilteredPolicy,
  hosts: readonly IpAddress[],
  from: (own: FilteredPolicy) => Addresses,
): readonly fc.Arbitrary<Sending>[] {
  const everywhere = [...hosts, LOCALHOST];
  return [
    ...pairs.flatMap(({ policy, own }) =>
      packetsToPorts(publisher, from(own), everywhere).map((sent) =>
        enters({ kind: "guest", policy }, sent)
      )
    ),
    ...Object.entries(OUTSIDE).flatMap(([name, known]) =>
      packetsToPorts(publisher, known, everywhere).map((sent) =>
        enters({ kind: "uplink", name }, sent)
      )
    ),
    ...packetsToPorts(publisher, oneOf(...hosts), hosts).map((sent) =>
      enters({ kind: "host" }, sent)
    ),
    ...packetsToItself(publisher, hosts).map((sent) => enters({ kind: "host" }, sent)),
  ];
}

/** Hosts with a few networks, and what is sent to them. */
export const CASES: fc.Arbitrary<Case> = fc.record({
  shapes: fc.uniqueArray(SHAPES, {
    minLength: 1,
    maxLength: MAXIMUM,
    selector: ({ name }) => name,
    size: "max",
  }),
  families: fc.array(
    fc.constantFrom(["ipv4"], FAMILIES, FAMILIES, ["ipv6"]) as fc.Arbitrary<readonly Family[]>,
    {
      minLength: MAXIMUM,
      maxLength: MAXIMUM,
    },
  ),
  natIpv6: fc.boolean(),
  sctp: fc.boolean(),
}).chain(({ shapes, families, natIpv6, sctp }) => {
  const definitions = shapes.map((shape, index) =>
    definitionOf({ ...shape, bridge: `virbr${index}` }, index, {
      families: families[index] ?? FAMILIES,
      natIpv6,
      localhost: true,
      sctp,
    })
  );
  const world: World = { policies: definitions.map(policyOf), uplinks: UPLINKS };
  return fc.array(sendingsTo(world), { minLength: 1, maxLength: 60, size: "max" })
    .map((sendings) => ({ definitions, world, sendings }));
});

/** Networks of every kind on a FreeBSD host, and packets that have something to do with them. */
import fc from "fast-check";
import type { IpAddress } from "../../../core/address.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { address, subnet } from "../../support/definitions.ts";
import { type Packet, packet } from "../../support/packets/packet.ts";
import { definitionOf, SHAPES } from "../../support/packets/arbitrary_definitions.ts";
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
} from "../../support/packets/arbitrary_packets.ts";
import { packetsToItself, packetsToPorts } from "../../support/packets/arbitrary_ports.ts";
import { type Sending as PlainSending, wayTo } from "../../support/packets/world.ts";
import type { Entry, World } from "./oracle_world.ts";
import { RELEASES } from "./releases.ts";
import { BRIDGE_SETTINGS, MAIN_RULESETS } from "./scene.ts";

/** A packet that comes to the host. */
export type Sending = PlainSending<Entry>;

/** A host with networks, and packets that each come to a host where nothing has been sent yet. */
export interface Case {
  readonly definitions: readonly string[];
  readonly world: World;
  /** By its name in the scene. */
  readonly main: string;
  /** By its name in the scene: what pf sees of bridges. */
  readonly setting: string;
  /** Whether pf sees what the host takes for itself. */
  readonly filterLocal: boolean;
  /** By its name among the versions of FreeBSD. */
  readonly release: string;
  readonly sendings: readonly Sending[];
}

/** The ways to the outside that the host of the scene has. */
const UPLINKS: World["uplinks"] = [
  {
    name: "re0",
    addresses: [address("203.0.113.2")],
    links: [subnet("203.0.113.0/24")],
    behind: [],
  },
  {
    name: "em1",
    addresses: [address("192.0.2.2")],
    links: [subnet("192.0.2.0/24")],
    behind: [subnet("192.0.3.0/24")],
  },
];

/** Those of the host beyond its bridges, and one that nobody has. */
const ODD = [...AT_UPLINKS, address("0.0.0.0")];

const FOR_ALL = fc.constantFrom("255.255.255.255", "224.0.0.1", "224.0.0.251", "239.255.255.250");

function enters(entry: Entry, packets: fc.Arbitrary<Packet>): fc.Arbitrary<Sending> {
  return packets.map((sent) => ({ entry, sent }));
}

/** What guests send, with addresses of their own most of the time. */
function fromGuests(
  policy: FilteredPolicy,
  others: readonly Addresses[],
  all: Addresses,
): readonly fc.Arbitrary<Sending>[] {
  const isStranger = policy.families.length === 0;
  const own = oneOf(...isStranger ? STRANGERS : inside(policy));
  const from = fc.oneof({ weight: 3, arbitrary: own }, all);
  const discover = packet("udp", "0.0.0.0:68", "255.255.255.255:67");
  const report = own.map((one) => packet("igmp", one, "224.0.0.22", { ipOptions: true }));
  const toAll = fc.oneof(packets(from, FOR_ALL), report, fc.constant(discover));
  const ipv6 = fc.constantFrom("[fd00::b]:2", "[2001:db8:9::9]:80")
    .map((to) => packet("tcp", "[fd00::a]:1", to));
  const beyond = [...Object.values(OUTSIDE), ...others, all];
  // What strangers send with the addresses of others is what their rules are about.
  const posing = isStranger ? Object.values(OUTSIDE).flatMap((to) => [to, to, to, to]) : [];
  return [
    ...beyond.map((to) => enters({ kind: "guest", policy }, packets(from, to))),
    ...posing.map((to) => enters({ kind: "guest", policy }, packets(fc.oneof(...others), to))),
    enters({ kind: "neighbour", policy }, packets(from, fc.oneof(own, own, all))),
    enters({ kind: "copy for neighbour", policy }, toAll),
    enters({ kind: "copy for host", policy }, toAll),
    fc.constantFrom("guest", "neighbour").chain((kind) => enters({ kind, policy }, ipv6)),
  ];
}

function sendingsTo(world: World): fc.Arbitrary<Sending> {
  const { policies, uplinks } = world;
  const known = [...STRANGERS, ...policies.flatMap(inside)];
  const guestsOf = (policy: FilteredPolicy): readonly IpAddress[] =>
    inside(policy).filter((one) => wayTo(world, one) === policy.bridge);
  const guests = oneOf(...STRANGERS, ...policies.flatMap(guestsOf));
  const near = oneOf(...known, ...policies.flatMap(beside), ...ODD);
  const all = fc.oneof({ weight: 3, arbitrary: near }, ...Object.values(OUTSIDE), FOR_ALL);
  const hosts = policies.flatMap(({ families }) => families)
    .flatMap(({ hostAddresses }) => hostAddresses);
  const atHost = [...hosts, ...uplinks.flatMap((one) => one.addresses)];
  const ofHost = oneOf(...atHost);
  const more = fc.oneof(
    ...policies.flatMap((policy) => {
      const others = policies.filter((one) => one !== policy).flatMap(guestsOf);
      const far = others.length === 0 ? guests : oneOf(...others);
      return fromGuests(policy, [far, far, ofHost], all);
    }),
    ...policies.flatMap(() => uplinks).map(({ name }) =>
      enters({ kind: "uplink", name }, packets(fc.oneof(OUTSIDE[name] ?? all, all), guests))
    ),
    enters({ kind: "host" }, packets(ofHost, guests)),
  );
  const ports = sendingsToPorts(world, atHost, all);
  return ports.length === 0
    ? more
    : fc.oneof({ weight: 4, arbitrary: more }, { weight: 1, arbitrary: fc.oneof(...ports) });
}

/** What has to do with published ports, from everywhere. */
function sendingsToPorts(
  { policies, uplinks }: World,
  hosts: readonly IpAddress[],
  all: Addresses,
): readonly fc.Arbitrary<Sending>[] {
  return policies.flatMap((publisher) => [
    ...policies.flatMap((policy) => {
      const own = oneOf(...policy.families.length === 0 ? STRANGERS : inside(policy));
      const from = fc.oneof({ weight: 4, arbitrary: own }, all);
      return packetsToPorts(publisher, from, hosts).flatMap((sent) => [
        enters({ kind: "guest", policy }, sent),
        enters({ kind: "guest", policy }, sent),
        enters({ kind: "neighbour", policy }, sent),
      ]);
    }),
    ...uplinks.flatMap(({ name }) =>
      packetsToPorts(publisher, fc.oneof(OUTSIDE[name] ?? all, OUTSIDE[name] ?? all, all), hosts)
        .map((sent) => enters({ kind: "uplink", name }, sent))
    ),
    ...packetsToItself(publisher, hosts).map((sent) => enters({ kind: "host" }, sent)),
  ]);
}

/** Hosts with one to five networks, and what is sent to them. */
export const CASES: fc.Arbitrary<Case> = fc.record({
  // Few of them most of the time, for speed.
  shapes: fc.constantFrom(2, 2, 5).chain((maxLength) =>
    fc.uniqueArray(SHAPES, {
      minLength: 1,
      maxLength,
      comparator: (one, other) => one.name === other.name || one.bridge === other.bridge,
    })
  ),
  main: fc.constantFrom(...Object.keys(MAIN_RULESETS)),
  setting: fc.constantFrom(...Object.keys(BRIDGE_SETTINGS)),
  filterLocal: fc.boolean(),
  release: fc.constantFrom(...Object.keys(RELEASES)),
}).chain(({ shapes, main, setting, filterLocal, release }) => {
  const abilities = { families: ["ipv4"], localhost: filterLocal } as const;
  const definitions = shapes.map((shape, index) => definitionOf(shape, index, abilities));
  const talks = !main.startsWith("block all") &&
    !(MAIN_RULESETS[main] ?? "").includes("skip on lo0");
  const { pfilBridge = false, pfilMember = false } = BRIDGE_SETTINGS[setting] ?? {};
  const world: World = {
    policies: definitions.map(policyOf),
    uplinks: UPLINKS,
    sees: { bridges: pfilBridge, members: pfilMember },
    seesLocal: filterLocal,
    hostTalks: talks,
    keepsStrangers: !pfilBridge || (RELEASES[release]?.kernel.startsWith("14.") ?? true),
  };
  return fc.array(sendingsTo(world), { minLength: 1, maxLength: 5 })
    .map((sendings) => ({ definitions, world, main, setting, filterLocal, release, sendings }));
});

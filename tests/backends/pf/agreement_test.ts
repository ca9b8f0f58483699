/** The pf backend agrees with the policies: what it compiles does to every packet what they say. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { contains, formatAddress, formatSubnet } from "../../../core/address.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import type { HostInterface, HostSetup, Journey, PfHost } from "../../support/pf/pf_host.ts";
import {
  describePacket,
  type Packet,
  packet,
  PROTOCOLS,
  replyTo,
} from "../../support/packets/packet.ts";
import { type Case, CASES, type Sending } from "./arbitrary_networks.ts";
import { verdictOf } from "./oracle.ts";
import { publishedPort } from "../../support/packets/published.ts";
import { POLICY, type Verdict } from "../../support/packets/verdict.ts";
import { linksOf, wayTo } from "../../support/packets/world.ts";
import type { Entry, World } from "./oracle_world.ts";
import { RELEASES } from "./releases.ts";
import { bareHost, BRIDGE_SETTINGS, loadInto, MAIN_RULESETS, upCommands } from "./scene.ts";
import { DIFFERENCES } from "./verdicts.ts";

type Arrival = Extract<Verdict, { readonly kind: "arrives" }>;

/** Of two guests on the bridge, the members that they are behind: the one that sends comes first. */
function membersOf({ bridge }: FilteredPolicy): readonly [string, string] {
  const number = Number(bridge.replace("virbr", ""));
  return [`tap${2 * number}`, `tap${2 * number + 1}`];
}

/** Interfaces as those who make bridges leave them. */
function interfacesOf({ policies, uplinks }: World): HostSetup["interfaces"] {
  const taps = policies.flatMap(membersOf).map((name) => [name, { addresses: [] }] as const);
  const bridges = policies.map((policy): readonly [string, HostInterface] => {
    const hosts = policy.families.flatMap(({ hostAddresses }) => hostAddresses);
    const addresses = linksOf(policy).flatMap((link) =>
      hosts.filter((host) => contains(link, host))
        .map((host) => `${formatAddress(host)}/${link.prefix}`)
    );
    return [policy.bridge, { addresses, members: membersOf(policy) }];
  });
  const outer = uplinks.map(({ name, addresses, links }) =>
    [
      name,
      { addresses: addresses.map((one) => `${formatAddress(one)}/${links[0]?.prefix}`) },
    ] as const
  );
  const loopback = ["lo0", { addresses: ["127.0.0.1/8"] }] as const;
  return Object.fromEntries([loopback, ...outer, ...bridges, ...taps]);
}

function routesOf({ policies, uplinks }: World): Readonly<Record<string, string>> {
  const [{ name: first }] = uplinks;
  return Object.fromEntries([
    ["0.0.0.0/0", first],
    ["::/0", first],
    ...uplinks.flatMap(({ name, links, behind }) =>
      [...links, ...behind].map((one) => [formatSubnet(one), name])
    ),
    ...policies.flatMap(({ families, bridge }) =>
      families.flatMap(({ subnets }) => subnets.map((one) => [formatSubnet(one), bridge]))
    ),
  ]);
}

/** Makes hosts with the networks of the case, where nothing has been sent yet. */
function hostMaker(
  { definitions, world, main, setting, filterLocal, release }: Case,
): () => PfHost {
  const host = { interfaces: interfacesOf(world), routes: routesOf(world), filterLocal };
  const setup = { ...BRIDGE_SETTINGS[setting], ...RELEASES[release], ...host };
  const commands = upCommands(definitions, setup);
  return () => {
    const host = bareHost(MAIN_RULESETS[main] ?? "", setup);
    loadInto(host, commands);
    return host;
  };
}

function send(host: PfHost, { entry, sent }: Sending): Journey | undefined {
  switch (entry.kind) {
    case "guest":
      return host.fromGuest(entry.policy.bridge, membersOf(entry.policy)[0], sent);
    case "neighbour":
      return host.betweenGuests(entry.policy.bridge, ...membersOf(entry.policy), sent);
    case "copy for neighbour":
    case "copy for host": {
      const [from, to] = membersOf(entry.policy);
      const copies = host.broadcast(entry.policy.bridge, from, sent);
      return copies.get(entry.kind === "copy for host" ? "host" : to);
    }
    case "uplink":
      return host.fromOutside(entry.name, sent);
    case "host":
      return host.fromHost(sent);
  }
}

/** What the interface is called that packets of this kind come from, and their answers go to. */
function originOf(entry: Entry): string {
  switch (entry.kind) {
    case "guest":
    case "neighbour":
    case "copy for neighbour":
    case "copy for host":
      return entry.policy.bridge;
    case "uplink":
      return entry.name;
    case "host":
      return "host";
  }
}

/** The way back; undefined where nobody answers, or the answer goes to somebody else. */
function answer(
  host: PfHost,
  world: World,
  { entry, sent }: Sending,
  { packet, to = "" }: Journey,
): Journey | undefined {
  const origin = originOf(entry);
  const isForAll = sent.destination.value >= 0xe0000000n;
  if (isForAll || wayTo(world, sent.source) !== origin) return undefined;
  const reply = replyTo(packet);
  // As the manual says: what the host sends from a port that it publishes gets no answer.
  if (entry.kind === "host" && publishedPort(world, reply) !== undefined) return undefined;
  if (entry.kind === "neighbour") {
    const [from, other] = membersOf(entry.policy);
    return host.betweenGuests(entry.policy.bridge, other, from, reply);
  }
  if (to === "host") return host.fromHost(reply);
  const policy = world.policies.find(({ bridge }) => bridge === to);
  if (policy === undefined) return host.fromOutside(to, reply);
  return host.fromGuest(policy.bridge, membersOf(policy)[0], reply);
}

/** What goes the other way, from where this one would have come to. */
function mirrored(world: World, { sent }: Sending): Sending | undefined {
  const to = wayTo(world, sent.destination);
  const policy = world.policies.find(({ bridge }) => bridge === to);
  const mirror = { ...replyTo(sent), flags: sent.flags, icmp: sent.icmp };
  if (policy !== undefined) return { entry: { kind: "guest", policy }, sent: mirror };
  return to === "host" ? undefined : { entry: { kind: "uplink", name: to }, sent: mirror };
}

function isSeenAs(sent: Packet, seen: Packet, { as }: Pick<Arrival, "as">): boolean {
  if (as === undefined) return describePacket(sent) === describePacket(seen);
  const { addresses, ports } = as;
  const { source: { value }, sourcePort: port } = seen;
  const hasPorts = [PROTOCOLS.tcp, PROTOCOLS.udp].some((each) => each === sent.protocol);
  return formatAddress(seen.destination) === formatAddress(sent.destination) &&
    addresses.some(({ start, end }) => value >= start.value && value <= end.value) &&
    (!hasPorts || seen.destinationPort === sent.destinationPort) &&
    (!hasPorts || port >= ports.start && port <= ports.end);
}

/** What is not as it must be; undefined: nothing. */
function problemOf(make: () => PfHost, { world }: Case, sending: Sending): string | undefined {
  const verdict = verdictOf(world, sending.entry, sending.sent);
  if (verdict.kind === "open") return undefined;
  const host = make();
  const journey = send(host, sending);
  if (journey === undefined) return "there is no copy";
  switch (verdict.kind) {
    case "is rejected":
    case "stops":
      return journey.delivered ? told(journey) : problemOfMirror(host, world, sending);
    case "arrives":
      return problemOfArrival(host, world, sending, verdict, journey);
  }
}

function problemOfArrival(
  host: PfHost,
  world: World,
  sending: Sending,
  verdict: Arrival,
  journey: Journey,
): string | undefined {
  const { entry, sent } = sending;
  const { at, to } = verdict;
  const [near, far] = "policy" in entry ? membersOf(entry.policy) : [];
  const redirected = to === undefined
    ? sent
    : { ...sent, destination: to.address, destinationPort: to.port };
  const isRight = journey.to === (at === "neighbour" ? far : at) &&
    isSeenAs(redirected, journey.packet, verdict);
  if (!isRight) return told(journey);
  const back = answer(host, world, sending, journey);
  if (back === undefined) return undefined;
  const isBack = back.to === (entry.kind === "neighbour" ? near : originOf(entry)) &&
    isSeenAs(replyTo(sent), back.packet, {});
  return isBack ? undefined : `its answer: ${told(back)}`;
}

/** What is stopped opens no way for others. */
function problemOfMirror(host: PfHost, world: World, sending: Sending): string | undefined {
  const mirror = mirrored(world, sending);
  if (mirror === undefined) return undefined;
  const { kind } = verdictOf(world, mirror.entry, mirror.sent);
  if (kind === "arrives" || kind === "open") return undefined;
  const journey = send(host, mirror);
  return journey?.delivered === true ? `the other way, then: ${told(journey)}` : undefined;
}

function told({ delivered, to, stoppedAt, hooks, packet, rule }: Journey): string {
  const where = delivered ? `came to ${to}` : `was stopped ${stoppedAt}`;
  return `${describePacket(packet)} ${where}\n  passed: ${hooks.join(", ")}\n  rule: ${rule}`;
}

function described(one: Case, { entry, sent }: Sending, problem: string): string {
  const { because, ...verdict } = verdictOf(one.world, entry, sent);
  const as = verdict.kind === "arrives" && verdict.as !== undefined ? " translated" : "";
  return [
    `${describePacket(sent)} from ${originOf(entry)} (${entry.kind})`,
    `  policy: ${because}: ${verdict.kind}${as}`,
    `  pf: ${problem}`,
    `  main ruleset: ${one.main}; ${one.setting}; ${one.release}`,
    ...one.definitions,
  ].join("\n");
}

Deno.test("pf: what becomes of a packet is what the policies say, whatever the networks are", () => {
  const met = new Set<string>();
  fc.assert(
    fc.property(CASES, (one) => {
      const make = hostMaker(one);
      for (const sending of one.sendings) {
        met.add(verdictOf(one.world, sending.entry, sending.sent).because);
        const problem = problemOf(make, one, sending);
        if (problem !== undefined) throw new Error(described(one, sending, problem));
      }
    }),
    { numRuns: 2500 },
  );
  // Else it would be about packets that nothing is said about.
  const { others, loopback, untranslatable, posing, ...policy } = POLICY;
  const elsewhere: readonly string[] = [others, loopback, untranslatable, posing];
  const sentences: readonly string[] = [...Object.values(policy), ...Object.values(DIFFERENCES)];
  assertEquals(sentences.filter((sentence) => !met.has(sentence)), []);
  assertEquals(elsewhere.filter((sentence) => met.has(sentence)), []);
});

Deno.test("pf: guests of a nat network get all addresses of its range, and no others", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 3, max: 200 }),
      fc.integer({ min: 1, max: 50 }),
      (from, count) => {
        const range = Array.from({ length: count }, (_, index) => `203.0.113.${from + index}`);
        const nat = `<nat><address start='${range[0]}' end='${range.at(-1)}'/></nat>`;
        const host = bareHost(MAIN_RULESETS["the anchors alone"] ?? "");
        const link = "<bridge name='virbr0'/><ip address='192.168.122.1' prefix='24'/>";
        const forward = `<forward mode='nat'>${nat}</forward>`;
        loadInto(host, upCommands([`<network><name>lan</name>${forward}${link}</network>`]));
        // One more than there are addresses, so that one of them comes twice.
        const sources = Array.from({ length: count + 1 }, (_, index) => {
          const sent = packet("udp", `192.168.122.${index + 2}:1`, "192.0.9.9:53");
          return formatAddress(host.fromGuest("virbr0", "tap0", sent).packet.source);
        });
        assertEquals(new Set(sources), new Set(range));
      },
    ),
  );
});

/**
 * A FreeBSD host with bridges: which hooks a packet meets on its way, in order. It follows
 * sys/net/if_bridge.c, bridge_input(), bridge_forward(), bridge_broadcast() and bridge_pfil(), and
 * the IP layer for what is routed. ARP and other frames never come to pf.
 */
import {
  contains,
  type IpAddress,
  isLinkLocal,
  parseSubnet,
  type Subnet,
} from "../../../core/address.ts";
import { createMachine, type MachineOptions, type PfMachine } from "./pf_machine.ts";
import { hostsOf, type InterfaceState } from "./pf_matching.ts";
import type { Packet } from "./pf_packet.ts";
import type { Direction } from "./pf_rules.ts";

/** An interface; a bridge has members, whose names are those of other interfaces. */
export interface HostInterface extends InterfaceState {
  readonly members?: readonly string[];
}

/** What a host is made of. */
export interface HostSetup extends MachineOptions {
  readonly interfaces: Readonly<Record<string, HostInterface>>;
  /** Besides the subnets of the interfaces: `0.0.0.0/0` → `re0`. */
  readonly routes?: Readonly<Record<string, string>>;
  /** net.inet.ip.forwarding and net.inet6.ip6.forwarding; on unless it is said. */
  readonly forwarding?: boolean;
  /** net.link.bridge.pfil_member: on in FreeBSD 13, off in 14 and 15, and here. */
  readonly pfilMember?: boolean;
  /** net.link.bridge.pfil_bridge: on in FreeBSD 13, off in 14 and 15, and here. */
  readonly pfilBridge?: boolean;
  /** net.link.bridge.pfil_local_phys, which does nothing without `pfilMember`. */
  readonly pfilLocalPhys?: boolean;
}

/** What became of one packet. */
export interface Journey {
  readonly delivered: boolean;
  /** `host`, or the interface that it left by. */
  readonly to: string | undefined;
  /** The hook that it was stopped at, such as `in on virbr0`. */
  readonly stoppedAt: string | undefined;
  /** What stopped it: a rule, or that there is no way; else what the last hook said. */
  readonly rule: string;
  /** Whether its sender hears of that. */
  readonly answered: boolean;
  /** As the receiver sees it, or as it was when it was stopped. */
  readonly packet: Packet;
  /** Those that it passed, in order. */
  readonly hooks: readonly string[];
}

/** A host, and the ways through it. */
export interface PfHost {
  readonly machine: PfMachine;
  /** A frame to the bridge itself: for the host, or for whom it routes to. */
  fromGuest(bridge: string, member: string, packet: Packet): Journey;
  /** A frame to another guest of the bridge. */
  betweenGuests(bridge: string, from: string, to: string, packet: Packet): Journey;
  /**
   * A frame to all: by the member that a copy leaves by; for the host's copies, `host` for what
   * arrives on the bridge and `host by MEMBER` for what arrives on the member.
   */
  broadcast(bridge: string, member: string, packet: Packet): ReadonlyMap<string, Journey>;
  /** A packet that arrives on an interface that is in no bridge. */
  fromOutside(interfaceName: string, packet: Packet): Journey;
  /** A packet of the host itself. */
  fromHost(packet: Packet): Journey;
}

type Hook = readonly [Direction, string];

/** A host with a pf that has no rules. */
export function createHost(setup: HostSetup): PfHost {
  const machine = createMachine(setup.interfaces, setup);
  const { pfilMember = false, pfilBridge = false, pfilLocalPhys = false } = setup;
  const go = (packet: Packet, hooks: readonly Hook[]): Journey =>
    run(machine, begin(packet), hooks);
  const arrive = (journey: Journey, name: string): Journey =>
    route(setup, machine, run(machine, journey, [["in", name]]), true);
  const forwarded = (bridge: string, from: string): readonly Hook[] => [
    ...on(pfilMember, ["in", from]),
    ...on(pfilBridge, ["in", bridge]),
    ...on(pfilBridge, ["out", bridge]),
  ];
  return {
    machine,
    fromGuest: (bridge, member, packet) =>
      arrive(go(packet, on(pfilLocalPhys && pfilMember, ["in", member])), bridge),
    betweenGuests: (bridge, from, to, packet) =>
      leave(go(packet, [...forwarded(bridge, from), ...on(pfilMember, ["out", to])]), to),
    broadcast: (bridge, member, packet) => {
      // One packet up to the copies, so that its states are made once.
      const shared = go(packet, forwarded(bridge, member));
      const journeys = new Map<string, Journey>();
      for (const to of setup.interfaces[bridge]?.members ?? []) {
        if (to === member) continue;
        journeys.set(to, leave(run(machine, shared, on(pfilMember, ["out", to])), to));
      }
      journeys.set("host", leave(go(packet, [["in", bridge]]), "host"));
      journeys.set(`host by ${member}`, leave(go(packet, [["in", member]]), "host"));
      return journeys;
    },
    fromOutside: (name, packet) => arrive(begin(packet), name),
    fromHost: (packet) => route(setup, machine, begin(packet), false),
  };
}

function on(isOn: boolean, hook: Hook): readonly Hook[] {
  return isOn ? [hook] : [];
}

function begin(packet: Packet): Journey {
  const none = { to: undefined, stoppedAt: undefined, rule: "no hook", answered: false };
  return { ...none, delivered: false, packet, hooks: [] };
}

/** Through the hooks up to the first one that blocks. */
function run(machine: PfMachine, journey: Journey, hooks: readonly Hook[]): Journey {
  let way = journey;
  for (const [direction, name] of hooks) {
    if (way.stoppedAt !== undefined) return way;
    const hook = `${direction} on ${name}`;
    const { verdict, answered, packet, rule } = machine.hook(way.packet, direction, name);
    way = verdict === "pass"
      ? { ...way, packet, rule, hooks: [...way.hooks, hook] }
      : { ...way, packet, rule, answered, stoppedAt: hook };
  }
  return way;
}

function leave(journey: Journey, to: string): Journey {
  return journey.stoppedAt === undefined ? { ...journey, delivered: true, to } : journey;
}

/** To the host, or out by the interface that a route leads to. */
function route(
  setup: HostSetup,
  machine: PfMachine,
  journey: Journey,
  isForwarded: boolean,
): Journey {
  if (journey.stoppedAt !== undefined) return journey;
  const { source, destination } = journey.packet;
  if (isForwarded && isForHost(setup, destination)) return leave(journey, "host");
  const isLocalOnly = [source, destination].some(isLinkLocalAddress);
  if (isForwarded && (setup.forwarding === false || isLocalOnly)) {
    return { ...journey, stoppedAt: "routing", rule: "not forwarded" };
  }
  const name = routeTo(setup, destination);
  if (name === undefined) return { ...journey, stoppedAt: "routing", rule: "no route" };
  return leave(run(machine, journey, [["out", name]]), name);
}

function isLinkLocalAddress(address: IpAddress): boolean {
  return isLinkLocal({ ...address, prefix: address.family === "ipv4" ? 32 : 128 });
}

const MULTICAST = ["224.0.0.0/4", "255.255.255.255/32", "ff00::/8"].map(parseSubnet);

/** Its own addresses on any interface, broadcasts, and multicast, which it does not route. */
function isForHost({ interfaces }: HostSetup, address: IpAddress): boolean {
  const addresses = Object.values(interfaces).flatMap((each) => each.addresses);
  const subnets = addresses.map(parseSubnet).filter((each) => each !== undefined);
  const own = [...hostsOf(addresses), ...subnets.flatMap(broadcastOf)];
  return [...own, ...MULTICAST].some((each) => each !== undefined && contains(each, address));
}

function broadcastOf(subnet: Subnet): readonly Subnet[] {
  if (subnet.family === "ipv6" || subnet.prefix > 30) return [];
  const size = 1n << BigInt(32 - subnet.prefix);
  return [{ ...subnet, value: subnet.value + size - 1n, prefix: 32 }];
}

/** By the longest prefix, of the interfaces' subnets and of the routes. */
function routeTo({ interfaces, routes = {} }: HostSetup, to: IpAddress): string | undefined {
  const connected = Object.entries(interfaces)
    .flatMap(([name, { addresses }]) => addresses.map((text) => [text, name] as const));
  return [...connected, ...Object.entries(routes)]
    .map(([text, name]) => ({ subnet: parseSubnet(text), name }))
    .filter(({ subnet }) => subnet !== undefined && contains(subnet, to))
    .toSorted((one, other) => (other.subnet?.prefix ?? 0) - (one.subnet?.prefix ?? 0))[0]?.name;
}

/**
 * A FreeBSD host with bridges: which hooks a packet meets on its way, in order. It follows
 * sys/net/if_bridge.c, bridge_input(), bridge_forward(), bridge_broadcast() and bridge_pfil(), and
 * the IP layer for what is routed. ARP and other frames never come to pf.
 */
import { createMachine, type MachineOptions, type PfMachine } from "./pf_machine.ts";
import type { InterfaceState } from "./pf_matching.ts";
import type { Packet } from "../packets/packet.ts";
import { hasLoopback, isForHost, isLinkLocalAddress, isOwn, routeTo } from "./pf_routing.ts";
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
  /** net.pf.filter_local: what the host takes for itself goes out on `lo0` as far as pf is concerned. */
  readonly filterLocal?: boolean;
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
  /** A packet of the host itself; one to an address of its own goes out and comes in on `lo0`. */
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
    route(setup, machine, run(machine, unlessMartian(journey, name), [["in", name]]), true);
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
      const toHost = (name: string): Journey => deliver(setup, machine, go(packet, [["in", name]]));
      journeys.set("host", toHost(bridge));
      journeys.set(`host by ${member}`, toHost(member));
      return journeys;
    },
    fromOutside: (name, packet) => arrive(begin(packet), name),
    fromHost: (packet) =>
      isOwn(setup, packet.destination)
        ? arrive(go(packet, [["out", LOOPBACK]]), LOOPBACK)
        : route(setup, machine, begin(packet), false),
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

const LOOPBACK = "lo0";

/** In ip_input(), before pf: addresses of `lo0` come by `lo0` alone (RFC 1122). */
function unlessMartian(journey: Journey, name: string): Journey {
  const isMartian = name !== LOOPBACK && hasLoopback(journey.packet);
  return journey.stoppedAt === undefined && isMartian
    ? { ...journey, stoppedAt: `arrival on ${name}`, rule: "an address of lo0" }
    : journey;
}

/** To the host's own programs, as ip_input() in sys/netinet/ip_input.c does it. */
function deliver({ filterLocal = false }: HostSetup, machine: PfMachine, way: Journey): Journey {
  return leave(run(machine, way, on(filterLocal, ["out", LOOPBACK])), "host");
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
  if (isForwarded && isForHost(setup, destination)) return deliver(setup, machine, journey);
  const isLocalOnly = [source, destination].some(isLinkLocalAddress);
  if (isForwarded && (setup.forwarding === false || isLocalOnly)) {
    return { ...journey, stoppedAt: "routing", rule: "not forwarded" };
  }
  const name = routeTo(setup, destination);
  if (name === undefined) return { ...journey, stoppedAt: "routing", rule: "no route" };
  const out = run(machine, journey, [["out", name]]);
  // In ip_output(), behind pf.
  return out.stoppedAt === undefined && hasLoopback(out.packet)
    ? { ...out, stoppedAt: "routing", rule: "an address of lo0" }
    : leave(out, name);
}

/** The state table: which packets belong to a connection that a rule let pass before. */
import { contains, type IpAddress, parseSubnet } from "../../../core/address.ts";
import { describeEnd, isEcho, type Packet } from "../packets/packet.ts";
import type { Direction, FilterRule } from "./pf_rules.ts";

/** One end of a connection. */
export interface End {
  readonly address: IpAddress;
  readonly port: number;
}

/**
 * A connection seen from outside: `remote` is the source of packets that come in and the
 * destination of those that go out.
 */
export interface StateKey {
  readonly protocol: number;
  /** For ICMP, what must be the same besides the id. */
  readonly type: number | "echo" | undefined;
  readonly remote: End;
  readonly local: End;
}

/** A connection, in one direction; without translation both keys are the same. */
export interface State {
  readonly direction: Direction;
  /** As the packets are on the wire. */
  readonly wire: StateKey;
  /** As the host sees them. */
  readonly stack: StateKey;
  /** The interface that it is bound to; `undefined`: it floats. */
  readonly bound: string | undefined;
  /** Where it was made. */
  readonly interface: string;
  /** `undefined`: the default rule, behind a `nat pass` or because nothing matched. */
  readonly rule: FilterRule | undefined;
  readonly tag: string | undefined;
}

/** What the packet's connection is on its side of the host. */
export function keyOf(packet: Packet, direction: Direction): StateKey {
  const from = { address: packet.source, port: packet.sourcePort };
  const to = { address: packet.destination, port: packet.destinationPort };
  const type = isEcho(packet) ? "echo" : packet.icmp?.type;
  const [remote, local] = direction === "in" ? [from, to] : [to, from];
  return { protocol: packet.protocol, type, remote, local };
}

/** Whether both are the same connection. */
export function equalKeys(one: StateKey, other: StateKey): boolean {
  return one.protocol === other.protocol && one.type === other.type &&
    equalEnds(one.remote, other.remote) && equalEnds(one.local, other.local);
}

function equalEnds(one: End, other: End): boolean {
  return one.port === other.port && one.address.family === other.address.family &&
    one.address.value === other.address.value;
}

/**
 * The state that a packet belongs to, in either direction: what comes in is compared with the wire
 * keys, what goes out with the stack keys, pf_find_state() in sys/netpfil/pf/pf.c.
 */
export function findState(
  states: Iterable<State>,
  packet: Packet,
  direction: Direction,
  interfaceName: string,
): State | undefined {
  const key = keyOf(packet, direction);
  for (const state of states) {
    const isHere = state.bound === undefined || state.bound === interfaceName;
    if (isHere && equalKeys(direction === "in" ? state.wire : state.stack, key)) return state;
  }
  return undefined;
}

/** The packet on the other side of the host: with the addresses of the other key. */
export function translate(packet: Packet, direction: Direction, key: StateKey): Packet {
  const { remote, local } = key;
  const [from, to] = direction === "in" ? [remote, local] : [local, remote];
  return {
    ...packet,
    source: from.address,
    sourcePort: from.port,
    destination: to.address,
    destinationPort: to.port,
  };
}

/** Whether a state with one of these keys is in the way, pf_state_key_attach(): the packet drops. */
export function isTaken(states: Iterable<State>, wanted: State): boolean {
  for (const state of states) {
    const isAlike = state.direction === wanted.direction && state.bound === wanted.bound;
    const isSame = equalKeys(state.wire, wanted.wire) || equalKeys(state.stack, wanted.stack);
    if (isAlike && isSame) return true;
  }
  return false;
}

/** What `pfctl -k` and its options choose; what is not given chooses all. */
export interface KillChoice {
  /** A host or a subnet: of the side that began, as it is on the wire. */
  readonly source?: string;
  readonly destination?: string;
  readonly label?: string;
  /** `-i`: where the state was made. */
  readonly interface?: string;
  /** `-M`: the state of the same connection in the other direction as well. */
  readonly matching?: boolean;
}

/** Takes the chosen states out, and tells how many, see pf_killstates_row() in pf_ioctl.c. */
export function killStates(states: Set<State>, choice: KillChoice): number {
  const before = states.size;
  for (const state of [...states]) {
    if (!states.has(state) || !isChosen(state, choice)) continue;
    states.delete(state);
    if (choice.matching === true) killMatching(states, state);
  }
  return before - states.size;
}

function isChosen(state: State, { source, destination, label, ...choice }: KillChoice): boolean {
  const { remote, local } = state.wire;
  const [from, to] = state.direction === "in" ? [remote, local] : [local, remote];
  return isIn(source, from) && isIn(destination, to) &&
    (label === undefined || state.rule?.label === label) &&
    (choice.interface === undefined || state.interface === choice.interface);
}

function isIn(text: string | undefined, { address }: End): boolean {
  if (text === undefined) return true;
  const subnet = parseSubnet(text);
  if (subnet === undefined) throw new Error(`"${text}" is no subnet`);
  return contains(subnet, address);
}

/** Where there are several that match, none of them goes. */
function killMatching(states: Set<State>, { direction, wire, stack }: State): void {
  const key = direction === "out" ? stack : wire;
  const mirrored = { ...key, remote: key.local, local: key.remote };
  const found = [...states].filter((state) =>
    equalKeys(direction === "out" ? state.wire : state.stack, mirrored)
  );
  if (found.length === 1) { for (const state of found) states.delete(state); }
}

/** `out 10.0.0.2:1 > 192.0.2.1:80 (192.0.2.9:50001)`, the translated end in brackets. */
export function describeState({ direction, wire, stack }: State): string {
  const [from, to] = [wire, stack].map(({ remote, local }) => {
    const ends = [remote, local].map(({ address, port }) => describeEnd(address, port));
    return (direction === "in" ? ends : ends.toReversed()).join(" > ");
  });
  return from === to ? `${direction} ${from}` : `${direction} ${from} (${to})`;
}

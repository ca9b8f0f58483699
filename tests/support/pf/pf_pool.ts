/** Which address and port a translation rule gives. */
import type { IpAddress, Subnet } from "../../../core/address.ts";
import { bitsOf, formatAddress } from "../../../core/address.ts";
import { subnetsOf, type Surroundings } from "./pf_matching.ts";
import { isEcho, type Packet, PROTOCOLS } from "../packets/packet.ts";
import type { Address, Pool, TranslationRule } from "./pf_rules.ts";
import { type End, equalKeys, keyOf, type State } from "./pf_states.ts";
import { findTable } from "./pf_tables.ts";

/** What pools remember: how far they have come, and who has which address. */
export interface PoolMemory {
  readonly counters: WeakMap<TranslationRule, bigint>;
  readonly sticky: WeakMap<TranslationRule, Map<string, IpAddress>>;
}

/** A memory without anything in it. */
export function emptyMemory(): PoolMemory {
  return { counters: new WeakMap(), sticky: new WeakMap() };
}

/**
 * The next address of a rule's pool for this source; `undefined` when there is none of the family.
 * Where pf would throw dice it takes one after the other, and the hash of a source is its value. A
 * prefix without a method is its first address, and nothing else, pf_map_addr() in
 * sys/netpfil/pf/pf_lb.c.
 */
export function takeAddress(
  rule: TranslationRule,
  { method, sticky, addresses }: Pool,
  source: IpAddress,
  path: string,
  surroundings: Surroundings,
  memory: PoolMemory,
): IpAddress | undefined {
  const subnets = addresses.flatMap((each) => poolSubnets(each, path, surroundings))
    .filter(({ family }) => family === source.family);
  const [first] = subnets;
  if (first === undefined) return undefined;
  const held = memory.sticky.get(rule) ?? new Map<string, IpAddress>();
  const known = held.get(formatAddress(source));
  if (sticky && method !== "single" && known !== undefined) return known;
  const taken = ((): IpAddress => {
    switch (method) {
      case "single":
        return first;
      case "bitmask":
        return hostOf(first, source.value);
      case "source-hash":
        return nth(subnets, source.value);
      case "round-robin":
      case "random": {
        const count = memory.counters.get(rule) ?? 0n;
        memory.counters.set(rule, count + 1n);
        return nth(subnets, count);
      }
    }
  })();
  memory.sticky.set(rule, held.set(formatAddress(source), taken));
  return { family: taken.family, value: taken.value };
}

function poolSubnets(
  address: Address,
  path: string,
  surroundings: Surroundings,
): readonly Subnet[] {
  switch (address.kind) {
    case "any":
      return [];
    case "subnet":
      return [address.subnet];
    case "interface":
      return subnetsOf(address, surroundings);
    case "table": {
      const entries = findTable(surroundings.tables, path, address.name);
      if (entries.some(({ negated }) => negated)) throw new Error("a pool with a negated entry");
      return entries.map(({ subnet }) => subnet);
    }
  }
}

function sizeOf({ family, prefix }: Subnet): bigint {
  return 1n << BigInt(bitsOf(family) - prefix);
}

/** The address of the subnet that has the host bits of the value. */
export function hostOf(subnet: Subnet, value: bigint): IpAddress {
  const { family, value: network } = subnet;
  return { family, value: network + (value & (sizeOf(subnet) - 1n)) };
}

function nth(subnets: readonly Subnet[], index: bigint): IpAddress {
  const total = subnets.reduce((sum, subnet) => sum + sizeOf(subnet), 0n);
  let left = index % total;
  for (const subnet of subnets) {
    if (left < sizeOf(subnet)) return hostOf(subnet, left);
    left -= sizeOf(subnet);
  }
  throw new Error("there is no subnet");
}

/**
 * The source that a nat rule gives to a packet that goes out; `undefined` when there is no address or
 * no free port. TCP and UDP get the first free port of the range, also when theirs is free; an ICMP
 * echo gets an id; all others keep what they have, ICMPv6 as well, pf_get_sport() in pf_lb.c.
 */
export function takeSource(
  pool: Pool,
  packet: Packet,
  states: ReadonlySet<State>,
  nextAddress: () => IpAddress | undefined,
): End | undefined {
  const isIcmp = packet.protocol === PROTOCOLS.icmp || packet.protocol === PROTOCOLS.icmp6;
  const start = nextAddress();
  for (let address = start; address !== undefined;) {
    if (isIcmp && !isEcho(packet)) return { address, port: packet.sourcePort };
    const { first, last } = portsFor(pool, packet);
    for (let port = first; port <= last; port++) {
      if (!isUsed(states, packet, { address, port })) return { address, port };
    }
    if (pool.method !== "round-robin" && pool.method !== "random") return undefined;
    address = nextAddress();
    if (address?.value === start?.value) return undefined;
  }
  return undefined;
}

function portsFor(
  { ports, staticPort }: Pool,
  { protocol, sourcePort }: Packet,
): { readonly first: number; readonly last: number } {
  if (protocol === PROTOCOLS.icmp) return { first: 1, last: 65535 };
  const isRewritten = protocol === PROTOCOLS.tcp || protocol === PROTOCOLS.udp;
  const own = { first: sourcePort, last: sourcePort };
  return isRewritten && !staticPort ? ports ?? own : own;
}

function isUsed(states: ReadonlySet<State>, packet: Packet, { address, port }: End): boolean {
  const isEchoId = packet.protocol === PROTOCOLS.icmp;
  const key = keyOf({
    ...packet,
    source: address,
    sourcePort: port,
    ...(isEchoId ? { destinationPort: port } : {}),
  }, "out");
  return [...states].some(({ wire }) => equalKeys(wire, key));
}

/** Where an rdr rule sends a port, of the one range to the same place in the other. */
export function redirectPort(rule: TranslationRule, port: number): number {
  const ports = rule.pool?.ports;
  if (ports === undefined) return port;
  const first = rule.criteria.destination.ports?.first ?? 0;
  return ports.first + (port - first) % (ports.last - ports.first + 1);
}

/** Whether a packet is what a rule matches. */
import { contains, type IpAddress, type Subnet, subnetOf } from "../../../core/address.ts";
import { isLinkLocal, parseAddress, parseSubnet } from "../../../core/address.ts";
import { type Packet, PROTOCOLS } from "../packets/packet.ts";
import type { Address, Criteria, Direction, Named, Peer, Ports } from "./pf_rules.ts";
import { findTable, tableMatches, type TableScopes } from "./pf_tables.ts";

/** What an interface has. */
export interface InterfaceState {
  /** `192.168.122.1/24`, in their order. */
  readonly addresses: readonly string[];
  /** Groups that it is in, such as `bridge`. */
  readonly groups?: readonly string[];
}

/** What rules are compared in the light of. */
export interface Surroundings {
  readonly interfaces: ReadonlyMap<string, InterfaceState>;
  readonly tables: TableScopes;
}

/** All but `tagged`, which is looked at last. `path` says whose tables are meant. */
export function matches(
  criteria: Criteria,
  packet: Packet,
  direction: Direction,
  interfaceName: string,
  path: string,
  surroundings: Surroundings,
): boolean {
  const { flags, icmp } = criteria;
  const has = (peer: Peer, address: IpAddress, port: number): boolean =>
    peerMatches(peer, address, port, path, surroundings);
  return interfaceMatches(criteria.interface, interfaceName, surroundings) &&
    isOrAny(criteria.direction, direction) &&
    isOrAny(criteria.family, packet.source.family) &&
    isOrAny(criteria.protocol, packet.protocol) &&
    has(criteria.source, packet.source, packet.sourcePort) &&
    has(criteria.destination, packet.destination, packet.destinationPort) &&
    (icmp === undefined ||
      icmp.type === packet.icmp?.type && isOrAny(icmp.code, packet.icmp.code)) &&
    (flags === undefined || packet.protocol !== PROTOCOLS.tcp ||
      [...flags.mask].every((flag) => packet.flags.includes(flag) === flags.set.includes(flag)));
}

function isOrAny<T>(wanted: T | undefined, value: T): boolean {
  return wanted === undefined || wanted === value;
}

/** By its name or by a group that it is in. */
export function interfaceMatches(
  on: Named | undefined,
  interfaceName: string,
  { interfaces }: Surroundings,
): boolean {
  if (on === undefined) return true;
  const groups = interfaces.get(interfaceName)?.groups ?? [];
  return [interfaceName, ...groups].includes(on.name) !== on.negated;
}

/** Whether address and port are those of one side of a rule. */
export function peerMatches(
  { address, negated, ports }: Peer,
  value: IpAddress,
  port: number,
  path: string,
  surroundings: Surroundings,
): boolean {
  return addressMatches(address, value, path, surroundings) !== negated &&
    (ports === undefined || portMatches(ports, port));
}

function addressMatches(
  address: Address,
  value: IpAddress,
  path: string,
  surroundings: Surroundings,
): boolean {
  switch (address.kind) {
    case "any":
      return true;
    case "subnet":
      return contains(address.subnet, value);
    case "table":
      return tableMatches(findTable(surroundings.tables, path, address.name), value);
    case "interface":
      return subnetsOf(address, surroundings).some((subnet) => contains(subnet, value));
  }
}

/**
 * What `(IF)` stands for now; all of a group, one after the other, and of all interfaces for `(self)`. `:0`
 * takes the first address of each family and passes over link-local ones, which `(IF)` does not,
 * pfi_dynaddr_setup() and pfi_instance_add() in sys/netpfil/pf/pf_if.c.
 */
export function subnetsOf(
  { name, part }: Extract<Address, { readonly kind: "interface" }>,
  surroundings: Surroundings,
): readonly Subnet[] {
  const on = { name, negated: false };
  return [...surroundings.interfaces]
    .filter(([interfaceName]) =>
      name === "self" || interfaceMatches(on, interfaceName, surroundings)
    )
    .flatMap(([, { addresses }]) => {
      if (part === "network") {
        return addresses.map(parseSubnet).filter((each) => each !== undefined);
      }
      if (part === "broadcast") return broadcastsOf(addresses);
      const hosts = hostsOf(addresses);
      if (part === "all") return hosts;
      const global = hosts.filter((host) => !isLinkLocal(host));
      return global.filter(({ family }, at) =>
        global.findIndex((other) => other.family === family) === at
      );
    });
}

/** The address for all in each subnet, RFC 919: none where it has two addresses or one. */
export function broadcastsOf(addresses: readonly string[]): readonly Subnet[] {
  return addresses.map(parseSubnet).flatMap((subnet) => {
    if (subnet === undefined || subnet.family === "ipv6" || subnet.prefix > 30) return [];
    const size = 1n << BigInt(32 - subnet.prefix);
    return [{ ...subnet, value: subnet.value + size - 1n, prefix: 32 }];
  });
}

/** The addresses themselves, as subnets of one. */
export function hostsOf(addresses: readonly string[]): readonly Subnet[] {
  return addresses.map((text) => parseAddress(text.split("/")[0] ?? ""))
    .filter((address) => address !== undefined)
    .map((address) => subnetOf(address, address.family === "ipv4" ? 32 : 128));
}

function portMatches({ operator, first, last }: Ports, port: number): boolean {
  switch (operator) {
    case "=":
      return port === first;
    case "!=":
      return port !== first;
    case "<":
      return port < first;
    case "<=":
      return port <= first;
    case ">":
      return port > first;
    case ">=":
      return port >= first;
    case ":":
      return port >= first && port <= last;
    case "><":
      return port > first && port < last;
    case "<>":
      return port < first || port > last;
  }
}

/** Packets as a firewall sees them. */
import { formatAddress, type IpAddress, parseAddress } from "../../../core/address.ts";

/** Numbers of protocols by the names that /etc/protocols of FreeBSD has for them. */
export const PROTOCOLS = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  gre: 47,
  esp: 50,
  ah: 51,
  icmp6: 58,
  sctp: 132,
} as const;

/** The name of a protocol. */
export type ProtocolName = keyof typeof PROTOCOLS;

/** One packet; its family is that of its addresses. */
export interface Packet {
  /** The number in the IP header. */
  readonly protocol: number;
  readonly source: IpAddress;
  /** 0 without TCP and UDP; for an ICMP echo its id, in both ports. */
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly destinationPort: number;
  /** TCP: the flags that are on, such as `S`, `SA`, `A`. */
  readonly flags: string;
  /** ICMP and ICMPv6. */
  readonly icmp: { readonly type: number; readonly code: number } | undefined;
  /**
   * An IPv4 header with options, such as that of IGMP with its Router Alert, or an IPv6 routing
   * header. Hop-by-hop options, such as those of MLD, are none of them.
   */
  readonly ipOptions: boolean;
  /** What a rule with `tag` gave it; it keeps it from hook to hook. */
  readonly tag: string | undefined;
}

/** What is not in the two addresses; an ICMP packet is an echo request unless it is said. */
export type PacketDetails = Partial<Pick<Packet, "flags" | "icmp" | "ipOptions" | "tag">>;

/**
 * A packet from texts such as `10.0.0.2:1234`, `[fd00::2]:1234` and, without a port, `10.0.0.2`.
 * A TCP packet is a SYN unless flags are given.
 */
export function packet(
  protocol: ProtocolName,
  from: string,
  to: string,
  details: PacketDetails = {},
): Packet {
  const [source, destination] = [readEnd(from), readEnd(to)];
  const echo = { icmp: 8, icmp6: 128 }[protocol as string];
  return {
    protocol: PROTOCOLS[protocol],
    source: source.address,
    sourcePort: source.port,
    destination: destination.address,
    destinationPort: destination.port,
    flags: protocol === "tcp" ? "S" : "",
    icmp: echo === undefined ? undefined : { type: echo, code: 0 },
    ipOptions: false,
    tag: undefined,
    ...details,
  };
}

function readEnd(text: string): { readonly address: IpAddress; readonly port: number } {
  const [, bracketed, plain, port = "0"] =
    /^(?:\[(.*)\]|([^:]*|[^.]*:[^.]*:[^.]*))(?::(\d+))?$/.exec(text) ?? [];
  const address = parseAddress(bracketed ?? plain ?? "");
  if (address === undefined) throw new Error(`"${text}" is no address`);
  return { address, port: Number(port) };
}

const ECHO_REPLIES: ReadonlyMap<number, number> = new Map([[8, 0], [128, 129]]);

/** What the receiver answers: to a SYN both flags, to an echo request the reply. */
export function replyTo(packet: Packet, details: PacketDetails = {}): Packet {
  const { icmp, flags } = packet;
  const type = icmp === undefined ? undefined : ECHO_REPLIES.get(icmp.type) ?? icmp.type;
  return {
    ...packet,
    source: packet.destination,
    sourcePort: packet.destinationPort,
    destination: packet.source,
    destinationPort: packet.sourcePort,
    flags: flags === "S" ? "SA" : flags,
    icmp: type === undefined ? undefined : { type, code: 0 },
    // The answer is another packet, which no rule has seen.
    tag: undefined,
    ...details,
  };
}

/** `tcp 10.0.0.2:1234 > 192.0.2.1:80 S`. */
export function describePacket(packet: Packet): string {
  const [name] = Object.entries(PROTOCOLS).find(([, value]) => value === packet.protocol) ??
    [`protocol ${packet.protocol}`];
  const ends = [
    describeEnd(packet.source, packet.sourcePort),
    describeEnd(packet.destination, packet.destinationPort),
  ];
  return `${name} ${ends.join(" > ")} ${packet.flags}`.trimEnd();
}

/** The address and the port, in brackets where it is one of IPv6. */
export function describeEnd(address: IpAddress, port: number): string {
  const text = formatAddress(address);
  if (port === 0) return text;
  return address.family === "ipv6" ? `[${text}]:${port}` : `${text}:${port}`;
}

/** Whether it tells of another packet, so that it belongs to the state of that one. */
export function isIcmpError({ protocol, icmp }: Packet): boolean {
  if (icmp === undefined) return false;
  const errors = protocol === PROTOCOLS.icmp ? [3, 4, 5, 11, 12] : [1, 2, 3, 4];
  return errors.includes(icmp.type);
}

/** Whether it is an echo request or a reply to one. */
export function isEcho({ icmp }: Packet): boolean {
  return icmp !== undefined && [0, 8, 128, 129].includes(icmp.type);
}

/**
 * Whether conntrack makes a connection of it, with its guess that `A` is in the middle of one; the rest of
 * TCP it calls invalid (nf_conntrack_proto_tcp.c). All other protocols have only such as begin.
 */
export function isTracked({ protocol, flags }: Packet): boolean {
  return protocol !== PROTOCOLS.tcp || ["S", "A"].includes(flags);
}

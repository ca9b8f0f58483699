/** Packets as bytes: what `wire.py` sends and tells. */
import { bitsOf, type Family, type IpAddress } from "../../../core/address.ts";
import { crc32c } from "./crc32c.ts";
import { type Packet, PROTOCOLS } from "./packet.ts";

/** Stands at the end of each packet of the tests, with its number. */
export const MARK = "bwall";

/** `MARK`, and the number in hexadecimal. */
const NUMBERED = new RegExp(`${MARK}([0-9a-f]{8})`);

/** What came out. */
export interface Seen {
  readonly packet: Packet;
  /** Of the packet that it is, or that it tells of. */
  readonly number: number;
  /** True: an error of ICMP about that packet. */
  readonly isError: boolean;
  /** From its IP header to its end. */
  readonly bytes: Uint8Array;
}

/** The bytes of a packet, from its IP header to its end. Checksums are right. */
export function packetBytes(packet: Packet, number: number): Uint8Array {
  const mark = new TextEncoder().encode(MARK + number.toString(16).padStart(8, "0"));
  return withHeader(packet, payloadOf(packet, mark));
}

/** An error about a packet that was seen, from who got it: nothing listens at its port. */
export function errorBytes({ packet, bytes }: Seen): Uint8Array {
  const { family } = packet.source;
  const [protocol, type, code] = family === "ipv4"
    ? [PROTOCOLS.icmp, 3, 3]
    : [PROTOCOLS.icmp6, 1, 4];
  const error = {
    ...packet,
    protocol,
    source: packet.destination,
    destination: packet.source,
  };
  return withHeader(error, concat(Uint8Array.of(type, code, 0, 0, 0, 0, 0, 0), bytes));
}

function payloadOf(packet: Packet, mark: Uint8Array): Uint8Array {
  const { sourcePort: from, destinationPort: to } = packet;
  switch (packet.protocol) {
    case PROTOCOLS.tcp: {
      const flags = [...packet.flags].reduce((all, flag) => all | (TCP_FLAGS[flag] ?? 0), 0);
      const [sequence, acknowledged] = [1000, packet.flags.includes("A") ? 1001 : 0];
      const head = words16(from, to, 0, sequence, 0, acknowledged, 0x5000 | flags, 8192, 0, 0);
      return concat(head, mark);
    }
    case PROTOCOLS.udp:
      return concat(words16(from, to, 8 + mark.length, 0), mark);
    case PROTOCOLS.icmp:
    case PROTOCOLS.icmp6:
      return concat(
        Uint8Array.of(packet.icmp?.type ?? 0, packet.icmp?.code ?? 0, 0, 0),
        words16(from, 1),
        mark,
      );
    case PROTOCOLS.sctp:
      return sctpPayload(packet, mark);
    case PROTOCOLS.gre:
      return concat(words16(0, 0x0800), mark);
    case PROTOCOLS.esp:
      return concat(words16(0, 1, 0, 1), mark);
    default:
      throw new Error(`no bytes for protocol ${packet.protocol}`);
  }
}

/** What begins an association, and the answer to it, as TCP would call them. */
const CHUNKS: ReadonlyMap<number, string> = new Map([[1, "S"], [2, "SA"]]);

const TCP_FLAGS: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16 };

/** An INIT, or where it is an answer the INIT-ACK to it, each with one parameter (RFC 9260). */
function sctpPayload({ sourcePort, destinationPort, flags }: Packet, mark: Uint8Array): Uint8Array {
  const isAnswer = flags.includes("A");
  const padded = concat(mark, new Uint8Array(-mark.length & 3));
  const cookie = concat(words16(isAnswer ? 7 : 0x8000, 4 + mark.length), padded);
  const body = concat(words16(0, 1, 1, 0, 1, 1, 0, 1), cookie);
  const chunk = concat(Uint8Array.of(isAnswer ? 2 : 1, 0), words16(4 + body.length), body);
  const ends = words16(sourcePort, destinationPort, 0, isAnswer ? 1 : 0);
  const sum = crc32c(concat(ends, new Uint8Array(4), chunk));
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, sum, true);
  return concat(ends, bytes, chunk);
}

/** The IP header before it, and the checksum inside where the protocol has one at a place of its own. */
function withHeader(packet: Packet, payload: Uint8Array): Uint8Array {
  const { protocol, source, destination } = packet;
  const [from, to] = [addressBytes(source), addressBytes(destination)];
  const place = CHECKSUMS.get(protocol);
  if (place !== undefined) {
    new DataView(payload.buffer).setUint16(place, transportSum(protocol, from, to, payload));
  }
  if (source.family === "ipv6") {
    const head = Uint8Array.of(0x60, 0, 0, 0, ...words16(payload.length), protocol, 64);
    return concat(head, from, to, payload);
  }
  const head = words16(0x4500, 20 + payload.length, 1, 0, 64 << 8 | protocol, 0);
  const sum = internetSum(concat(head, from, to));
  new DataView(head.buffer).setUint16(10, sum);
  return concat(head, from, to, payload);
}

/** Where the internet checksum stands, by protocol. */
const CHECKSUMS: ReadonlyMap<number, number> = new Map([
  [PROTOCOLS.tcp, 16],
  [PROTOCOLS.udp, 6],
  [PROTOCOLS.icmp, 2],
  [PROTOCOLS.icmp6, 2],
]);

/** Of a payload with its checksum inside it is 0. */
function transportSum(
  protocol: number,
  from: Uint8Array,
  to: Uint8Array,
  payload: Uint8Array,
): number {
  const ends = protocol === PROTOCOLS.icmp
    ? new Uint8Array()
    : concat(from, to, words16(payload.length >> 16, payload.length & 0xffff, 0, protocol));
  return internetSum(concat(ends, payload));
}

/** RFC 1071. */
function internetSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] ?? 0) << 8 | (bytes[at + 1] ?? 0);
  while (sum >> 16 !== 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum ^ 0xffff;
}

/**
 * Reads a packet from its IP header on.
 *
 * @throws {Error} When one of its checksums is wrong: who changed it forgot that.
 */
export function readPacket(bytes: Uint8Array): Seen {
  const isIpv6 = (bytes[0] ?? 0) >> 4 === 6;
  const [start, protocolAt, from, to, header] = isIpv6 ? [8, 6, 24, 40, 40] : [12, 9, 16, 20, 20];
  const family: Family = isIpv6 ? "ipv6" : "ipv4";
  const protocol = bytes[protocolAt] ?? 0;
  const [source, destination] = [bytes.slice(start, from), bytes.slice(from, to)];
  const payload = bytes.slice(header);
  if (!isIpv6 && internetSum(bytes.slice(0, header)) !== 0) {
    throw new Error("wrong checksum of IPv4");
  }
  const isIcmp = protocol === PROTOCOLS.icmp || protocol === PROTOCOLS.icmp6;
  const type = payload[0] ?? 0;
  const isError = isIcmp && (isIpv6 ? type < 128 : [3, 4, 5, 11, 12].includes(type));
  checkSums(protocol, source, destination, payload);
  const number = NUMBERED.exec(new TextDecoder("latin1").decode(bytes))?.[1];
  if (number === undefined) throw new Error(`a packet without a number: ${bytes.toHex()}`);
  const view = new DataView(payload.buffer);
  const hasPorts = [PROTOCOLS.tcp, PROTOCOLS.udp, PROTOCOLS.sctp].some((one) => one === protocol);
  const [sourcePort, destinationPort] = hasPorts
    ? [view.getUint16(0), view.getUint16(2)]
    : isIcmp && !isError
    ? [view.getUint16(4), view.getUint16(4)]
    : [0, 0];
  const packet: Packet = {
    protocol,
    source: { family, value: addressValue(source) },
    sourcePort,
    destination: { family, value: addressValue(destination) },
    destinationPort,
    flags: protocol === PROTOCOLS.tcp
      ? flagsOf(payload[13] ?? 0)
      : protocol === PROTOCOLS.sctp
      ? CHUNKS.get(payload[12] ?? 0) ?? ""
      : "",
    icmp: isIcmp ? { type, code: payload[1] ?? 0 } : undefined,
    ipOptions: false,
    tag: undefined,
  };
  return { packet, number: parseInt(number, 16), isError, bytes };
}

function checkSums(
  protocol: number,
  source: Uint8Array,
  destination: Uint8Array,
  payload: Uint8Array,
): void {
  const isWrong = protocol === PROTOCOLS.sctp
    ? crc32c(concat(payload.slice(0, 8), new Uint8Array(4), payload.slice(12))) !==
      new DataView(payload.buffer).getUint32(8, true)
    : CHECKSUMS.has(protocol) && transportSum(protocol, source, destination, payload) !== 0;
  if (isWrong) throw new Error(`wrong checksum of protocol ${protocol}`);
}

function flagsOf(bits: number): string {
  return Object.entries(TCP_FLAGS).filter(([, bit]) => (bits & bit) !== 0).map(([name]) => name)
    .join("");
}

function addressBytes({ family, value }: IpAddress): Uint8Array {
  const digits = value.toString(16).padStart(bitsOf(family) / 4, "0");
  return Uint8Array.fromHex(digits);
}

function addressValue(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytes.toHex()}`);
}

function words16(...words: readonly number[]): Uint8Array {
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

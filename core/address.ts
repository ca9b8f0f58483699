/** Text ↔ IP addresses and subnets. The one file that knows the address library. */
import ipaddr from "ipaddr.js";

/** An address family, in libvirt's spelling. */
export type Family = "ipv4" | "ipv6";

/** One address: its value as an unsigned number, 32 bits for IPv4 and 128 for IPv6. */
export interface IpAddress {
  /** Tells how many bits `value` has: `::1` and `0.0.0.1` have the same value. */
  readonly family: Family;
  /** The first byte is the highest: `10.0.0.1` is `0x0a000001n`. */
  readonly value: bigint;
}

/** A masked network: all bits of `value` below the prefix are zero. */
export interface Subnet {
  /** That of all its addresses; subnets of two families never overlap. */
  readonly family: Family;
  /** Its first address, as in {@linkcode IpAddress}. */
  readonly value: bigint;
  /** 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly prefix: number;
}

/** Both ends belong to the range. */
export interface AddressRange {
  /** Not above `end`, and of the same family. */
  readonly start: IpAddress;
  /** The same as `start` for a single address. */
  readonly end: IpAddress;
}

/** The number of bits of an address: 32 or 128. */
export function bitsOf(family: Family): number {
  return family === "ipv4" ? 32 : 128;
}

/**
 * Reads a numeric address, `undefined` when the text is none.
 *
 * IPv4 takes the forms of inet_aton(3) (`10.1`, `0x7f.1`), because libvirt reads addresses with
 * getaddrinfo(3). IPv6 takes no zone (`%eth0`): a rule cannot hold one, and in a dotted end four
 * plain decimal numbers, as in inet_pton(3).
 */
export function parseAddress(text: string): IpAddress | undefined {
  const plain = PLAIN.exec(text);
  if (plain !== null) {
    const bits = plain.slice(1).reduce((sum, octet) => sum * 256 + Number(octet), 0);
    return { family: "ipv4", value: BigInt(bits) };
  }
  if (!/^[0-9a-fA-FxX.:]+$/.test(text)) return undefined;
  const spelled = text.includes(":") ? withoutDots(text) : text;
  if (spelled === undefined) return undefined;
  try {
    return fromBytes(ipaddr.parse(spelled).toByteArray());
  } catch {
    return undefined;
  }
}

/** The form that nearly all have: reading it by itself takes a tenth of the time. */
const PLAIN = new RegExp(
  `^${
    Array.from({ length: 4 }, () => String.raw`(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`).join(
      String.raw`\.`,
    )
  }$`,
);

const DOTTED_END = /^(.*:)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/**
 * The IPv6 address with its dotted end as two groups: the library takes `::10.0.0.1` for
 * `::ffff:10.0.0.1`.
 */
function withoutDots(text: string): string | undefined {
  if (!text.includes(".")) return text;
  const [, start, ...octets] = DOTTED_END.exec(text) ?? [];
  if (start === undefined || octets.some((octet) => !isOctet(octet))) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = octets.map(Number);
  return `${start}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function isOctet(text: string): boolean {
  return String(Number(text)) === text && Number(text) < 256;
}

/** The shortest usual form: dotted decimal, or RFC 5952 for IPv6. */
export function formatAddress({ family, value }: IpAddress): string {
  // Written thousands of times for a definition with many ports.
  if (family === "ipv4") {
    const bits = Number(value);
    return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
  }
  return new ipaddr.IPv6(toBytes(value, bitsOf(family) / 8)).toRFC5952String();
}

/** `address/prefix`. */
export function formatSubnet({ family, value, prefix }: Subnet): string {
  return `${formatAddress({ family, value })}/${prefix}`;
}

/** Reads `address/prefix`, or an address alone as a host; `undefined` when it is neither. */
export function parseSubnet(text: string): Subnet | undefined {
  const [addressText = "", prefixText, ...rest] = text.split("/");
  const address = parseAddress(addressText);
  if (address === undefined || rest.length > 0) return undefined;
  const bits = bitsOf(address.family);
  if (prefixText === undefined) return subnetOf(address, bits);
  if (!/^\d{1,3}$/.test(prefixText) || Number(prefixText) > bits) return undefined;
  return subnetOf(address, Number(prefixText));
}

/** The subnet that holds the address: host bits are cleared. */
export function subnetOf(address: IpAddress, prefix: number): Subnet {
  const hostBits = BigInt(bitsOf(address.family) - prefix);
  return { family: address.family, value: (address.value >> hostBits) << hostBits, prefix };
}

/** The first and the last address of the subnet. */
export function rangeOf({ family, value, prefix }: Subnet): AddressRange {
  const size = 1n << BigInt(bitsOf(family) - prefix);
  return { start: { family, value }, end: { family, value: value + size - 1n } };
}

/** `start-end`, or one address where both are the same. */
export function formatRange({ start, end }: AddressRange): string {
  return start.value === end.value
    ? formatAddress(start)
    : `${formatAddress(start)}-${formatAddress(end)}`;
}

/** Whether the address lies in the subnet; addresses of the other family never do. */
export function contains(subnet: Subnet, address: IpAddress): boolean {
  return subnet.family === address.family &&
    subnetOf(address, subnet.prefix).value === subnet.value;
}

/** Whether the two share an address: one of them then holds the other. */
export function overlaps(one: Subnet, other: Subnet): boolean {
  return one.prefix <= other.prefix ? contains(one, other) : contains(other, one);
}

const LINK_LOCAL: Subnet = { family: "ipv6", value: 0xfe80n << 112n, prefix: 10 };

/** Whether the subnet is of IPv6 link-local addresses, which every link has anew (RFC 4291). */
export function isLinkLocal(subnet: Subnet): boolean {
  return overlaps(LINK_LOCAL, subnet) && subnet.prefix >= LINK_LOCAL.prefix;
}

/**
 * The same addresses without the subnets that another one holds, in the order given; of equal ones
 * the first stays.
 *
 * In order of their first address, larger ones first, a subnet is held by the last one that stays or
 * by none.
 */
export function withoutContained(subnets: readonly Subnet[]): readonly Subnet[] {
  const kept = new Set<Subnet>();
  let last: Subnet | undefined;
  for (const subnet of subnets.toSorted(compareSubnets)) {
    if (last !== undefined && overlaps(last, subnet)) continue;
    kept.add(subnet);
    last = subnet;
  }
  // Emptied on the way: a value that is given twice as the same object stays once.
  return subnets.filter((subnet) => kept.delete(subnet));
}

/**
 * Tells of any subnet whether it shares an address with one of these, by looking at one of them: the
 * last of those left by {@linkcode withoutContained} that begins no later than it ends.
 */
export function overlapFinder(subnets: readonly Subnet[]): (subnet: Subnet) => boolean {
  const apart = withoutContained(subnets).toSorted(compareSubnets);
  return (subnet) => {
    const last = { ...subnet, value: rangeOf(subnet).end.value, prefix: bitsOf(subnet.family) };
    let [low, high] = [0, apart.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const one = apart[middle];
      if (one !== undefined && compareSubnets(one, last) <= 0) low = middle + 1;
      else high = middle;
    }
    const nearest = apart[low - 1];
    return nearest !== undefined && overlaps(nearest, subnet);
  };
}

/** The fewest subnets of a family that together hold all addresses but those of these subnets. */
export function allBut(family: Family, subnets: readonly Subnet[]): readonly Subnet[] {
  return withoutSubnets({ family, value: 0n, prefix: 0 }, subnets);
}

function withoutSubnets(whole: Subnet, subnets: readonly Subnet[]): readonly Subnet[] {
  const inside = subnets.filter((subnet) => overlaps(whole, subnet));
  if (inside.length === 0) return [whole];
  if (inside.some(({ prefix }) => prefix <= whole.prefix)) return [];
  const prefix = whole.prefix + 1;
  const half = 1n << BigInt(bitsOf(whole.family) - prefix);
  return [whole.value, whole.value + half]
    .flatMap((value) => withoutSubnets({ ...whole, value, prefix }, inside));
}

/** By family, then by first address, larger ones first. */
export function compareSubnets(one: Subnet, other: Subnet): number {
  if (one.family !== other.family) return one.family === "ipv4" ? -1 : 1;
  if (one.value !== other.value) return one.value < other.value ? -1 : 1;
  return one.prefix - other.prefix;
}

/** The prefix length of a netmask, `undefined` when its one bits are not contiguous. */
export function prefixOfNetmask(mask: IpAddress): number | undefined {
  const bits = bitsOf(mask.family);
  for (let prefix = 0; prefix <= bits; prefix++) {
    const all = (1n << BigInt(bits)) - 1n;
    if (subnetOf({ family: mask.family, value: all }, prefix).value === mask.value) return prefix;
  }
  return undefined;
}

function fromBytes(bytes: readonly number[]): IpAddress {
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return { family: bytes.length === 4 ? "ipv4" : "ipv6", value };
}

function toBytes(value: bigint, length: number): number[] {
  return Array.from(
    { length },
    (_, index) => Number((value >> BigInt(8 * (length - 1 - index))) & 0xffn),
  );
}

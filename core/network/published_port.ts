/** A port of the host that leads to a guest: the value, its text, and what two of them cannot share. */
import {
  contains,
  type Family,
  formatAddress,
  type IpAddress,
  parseAddress,
  type Subnet,
} from "../address.ts";
import { quoted } from "../quoted.ts";
import { formatPorts, type PortRange } from "./network.ts";

/** Protocols whose packets have ports at the same place. */
export const TRANSPORT_PROTOCOLS = ["tcp", "udp", "sctp"] as const;

/** One of {@linkcode TRANSPORT_PROTOCOLS}. */
export type TransportProtocol = (typeof TRANSPORT_PROTOCOLS)[number];

/** Ports of the host that lead to ports of one guest. All addresses are of one family. */
export interface PublishedPort {
  /** The same on the host and on the guest. */
  readonly protocol: TransportProtocol;
  /** The only address of the host that is published; absent: all but those of `lo`. */
  readonly hostAddress?: IpAddress;
  /** On the host: from 1 to 65535. */
  readonly ports: PortRange;
  /** Inside the subnets of its network, and no address of the host's. */
  readonly guest: IpAddress;
  /** As many as `ports`: the first leads to the first. */
  readonly guestPorts: PortRange;
  /** Whether 127.0.0.1 leads there too, for the host itself. */
  readonly localhost: boolean;
  /** True: added while the network was up, by `publish`; `up` keeps it. */
  readonly runtime: boolean;
}

/** What `publish` takes. */
export const SPEC_FORM =
  "[HOST-ADDRESS:]PORT[-PORT]:GUEST-ADDRESS[:PORT]/tcp|udp|sctp, an IPv6 address in brackets";

/** Text that is no published port: what is wrong, and what to type instead. */
export class PublishedPortError extends SyntaxError {
  /** Shown before the message when nobody catches the error. */
  override readonly name = "PublishedPortError";
  /** Something to type. */
  readonly hint: string | undefined;

  /** Takes the message as it is printed: capital first letter, no final period. */
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** An IPv4 address or one of IPv6 in brackets, as it stands in a text with ports. */
const ADDRESS = String.raw`\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]`;
const SPEC = new RegExp(
  String.raw`^(?:(${ADDRESS}):)?(\d+(?:-\d+)?):((?:${ADDRESS})(?::\d+(?:-\d+)?)?)\/([a-z]+)$`,
);
const TARGET = new RegExp(String.raw`^(${ADDRESS})(?::(\d+(?:-\d+)?))?$`);

/**
 * Reads what `publish` is given: `[host-address:]port[-port]:guest-address[:port]/protocol`.
 *
 * @throws {PublishedPortError} When it is anything else.
 */
export function parseSpec(
  spec: string,
  { localhost }: Pick<PublishedPort, "localhost">,
): PublishedPort {
  const [matched, address, ports = "", to = "", protocol = ""] = SPEC.exec(spec) ?? [];
  if (matched === undefined) {
    const withProtocol = /\/[^/]*$/.test(spec) ? undefined : `${spec}/tcp`;
    throw new PublishedPortError(
      `Cannot read ${quoted(spec)} as a published port`,
      withProtocol !== undefined && SPEC.test(withProtocol)
        ? `Write the protocol as well: ${withProtocol}`
        : `Write ${SPEC_FORM}: 8080:192.168.122.10:80/tcp`,
    );
  }
  const words = { protocol, ports, to, localhost, runtime: true };
  return publishedPort(address === undefined ? words : { ...words, address });
}

/** A published port by its host's end alone, or as a whole. */
export interface NamedPort {
  /** As {@linkcode formatListener} writes it. */
  readonly listener: string;
  /** The host's end of it. */
  readonly end: Pick<PublishedPort, "hostAddress" | "ports" | "protocol">;
  /** Absent when the guest was not named: wherever it leads. */
  readonly whole?: PublishedPort;
}

const LISTENER = new RegExp(String.raw`^(?:(${ADDRESS}):)?(\d+(?:-\d+)?)\/([a-z]+)$`);

/**
 * Reads what `unpublish` is given: what `publish` takes, or the host's end of it, `8080/tcp`.
 *
 * @throws {PublishedPortError} When it is neither.
 */
export function parseNamedPort(spec: string): NamedPort {
  const [matched, address, ports = "", protocol = ""] = LISTENER.exec(spec) ?? [];
  if (matched === undefined) {
    const whole = parseSpec(spec, { localhost: false });
    return { listener: formatListener(whole), end: whole, whole };
  }
  const host = address === undefined ? {} : { hostAddress: readAddress(address) };
  const listener = { ...host, ports: readPorts(ports), protocol: readProtocol(protocol) };
  return { listener: formatListener(listener), end: listener };
}

/** What is written of a published port, in a definition or on the command line. */
export interface PublishedPortWords {
  /** One of {@linkcode TRANSPORT_PROTOCOLS}, to be checked. */
  readonly protocol: string;
  /** An address of the host; absent: any. */
  readonly address?: string;
  /** `8080` or `8000-8010`. */
  readonly ports: string;
  /** `192.168.122.10`, `192.168.122.10:80`, `[fd00::10]:80`, with a range as well. */
  readonly to: string;
  /** As in {@linkcode PublishedPort}. */
  readonly localhost: boolean;
  /** As in {@linkcode PublishedPort}. */
  readonly runtime: boolean;
}

/**
 * The words as values.
 *
 * @throws {PublishedPortError} When one of them means nothing, or they do not go together.
 */
export function publishedPort(words: PublishedPortWords): PublishedPort {
  const { localhost, runtime } = words;
  const protocol = readProtocol(words.protocol);
  const ports = readPorts(words.ports);
  const [matched, guestText = "", guestPortsText] = TARGET.exec(words.to) ?? [];
  if (matched === undefined) {
    throw new PublishedPortError(
      `Cannot read ${quoted(words.to)} as the address of a guest`,
      "Write 192.168.122.10:80 or [fd00::10]:80",
    );
  }
  const guest = readAddress(guestText);
  const guestPorts = readGuestPorts(guestPortsText, ports);
  const hostAddress = words.address === undefined ? undefined : readAddress(words.address);
  refuseAddresses(hostAddress, guest, localhost);
  const common = { protocol, ports, guest, guestPorts, runtime };
  if (hostAddress === undefined) return { ...common, localhost };
  // It is 127.0.0.1 itself then.
  return { ...common, hostAddress, localhost: localhost && !isLoopback(hostAddress) };
}

function readProtocol(text: string): TransportProtocol {
  const protocol = TRANSPORT_PROTOCOLS.find((known) => known === text);
  if (protocol !== undefined) return protocol;
  throw new PublishedPortError(
    `Cannot publish the protocol ${quoted(text)}`,
    `Choose one of ${TRANSPORT_PROTOCOLS.join(", ")}`,
  );
}

function readPorts(text: string): PortRange {
  const [start = NaN, end = start] = text.split("-").map(Number);
  if (!/^\d+(-\d+)?$/.test(text) || start < 1 || end > 65535) {
    throw new PublishedPortError(
      `Cannot read ${quoted(text)} as ports`,
      "Write numbers from 1 to 65535: 8080 or 8000-8010",
    );
  }
  if (end < start) {
    throw new PublishedPortError(
      `Ports ${quoted(text)} end before they begin`,
      `Write ${end}-${start}`,
    );
  }
  return { start, end };
}

/** Absent, or its first alone: as many as on the host. */
function readGuestPorts(text: string | undefined, ports: PortRange): PortRange {
  if (text === undefined) return ports;
  const { start, end } = readPorts(text);
  const last = start + ports.end - ports.start;
  if (text.includes("-") && end !== last) {
    throw new PublishedPortError(
      `Ports ${formatPorts(ports)} of the host and ${text} of the guest are not equally many`,
      `Write the first alone: ${start}`,
    );
  }
  if (last > 65535) {
    throw new PublishedPortError(
      `Ports of the guest would end at ${last}, at most 65535`,
      `Begin with ${65535 - ports.end + ports.start} or less`,
    );
  }
  return { start, end: last };
}

/** No form of inet_aton(3): in a text with ports `80` would be the address 0.0.0.80. */
function readAddress(text: string): IpAddress {
  const bare = /^\[.*\]$/.test(text) ? text.slice(1, -1) : text;
  const address = /^0\d|\.0\d/.test(bare) ? undefined : parseAddress(bare);
  const isPlain = address?.family === "ipv6" || /^\d+(\.\d+){3}$/.test(bare);
  if (address !== undefined && isPlain) return address;
  throw new PublishedPortError(
    `Cannot read ${quoted(text)} as an IP address`,
    "Write 192.168.122.10, or an IPv6 address",
  );
}

const LOOPBACK: Subnet = { family: "ipv4", value: 0x7f000000n, prefix: 8 };
const MULTICAST: Readonly<Record<Family, Subnet>> = {
  ipv4: { family: "ipv4", value: 0xe0000000n, prefix: 3 },
  ipv6: { family: "ipv6", value: 0xffn << 120n, prefix: 8 },
};

/** Whether the address is of the host's `lo`, which no packet from outside may name (RFC 1122). */
export function isLoopback(address: IpAddress): boolean {
  return contains(LOOPBACK, address);
}

function refuseAddresses(
  host: IpAddress | undefined,
  guest: IpAddress,
  localhost: boolean,
): void {
  if (localhost && guest.family === "ipv6") {
    throw new PublishedPortError(
      "Localhost cannot lead to an IPv6 guest: the kernel sends nothing from ::1 elsewhere",
      "Leave localhost out, or publish an IPv4 address of the guest as well",
    );
  }
  if (host === undefined) return;
  const text = quoted(formatAddress(host));
  if (host.value === 0n) {
    throw new PublishedPortError(`${text} is no address of a host`, "Leave it out for any");
  }
  if (host.family !== guest.family) {
    throw new PublishedPortError(
      `${text} and the guest's address ${quoted(formatAddress(guest))} are of two families`,
      "Publish each family by itself",
    );
  }
  if (contains(MULTICAST[host.family], host) || (host.family === "ipv6" && host.value === 1n)) {
    throw new PublishedPortError(
      `${text} is an address that cannot lead to a guest`,
      "Name an address that the host has on one of its interfaces, or leave it out for any",
    );
  }
}

/** As `publish` takes it: `192.0.2.1:8080:192.168.122.10:80/tcp`. */
export function formatSpec(published: PublishedPort): string {
  const { hostAddress, ports, protocol } = published;
  const address = hostAddress === undefined ? "" : `${bracketed(hostAddress)}:`;
  return `${address}${formatPorts(ports)}:${formatTarget(published)}/${protocol}`;
}

/** The guest's end: `192.168.122.10:80`, `[fd00::10]:8000-8010`. */
export function formatTarget({ guest, guestPorts }: PublishedPort): string {
  return `${bracketed(guest)}:${formatPorts(guestPorts)}`;
}

/** The host's end: `192.0.2.1:8080/tcp`, or `8080/tcp` for any address. */
export function formatListener(
  { hostAddress, ports, protocol }: Pick<PublishedPort, "hostAddress" | "ports" | "protocol">,
): string {
  const address = hostAddress === undefined ? "" : `${bracketed(hostAddress)}:`;
  return `${address}${formatPorts(ports)}/${protocol}`;
}

function bracketed(address: IpAddress): string {
  return address.family === "ipv6" ? `[${formatAddress(address)}]` : formatAddress(address);
}

/** A published port, whose it is, and whether it is there already. */
export interface OwnedPort<Owner> {
  /** What is published. */
  readonly published: PublishedPort;
  /** Whose it is. */
  readonly owner: Owner;
}

/**
 * The first two that want the same packets: ports of one protocol in common, on one address or on any. The
 * time grows with their number alone, however many addresses there are.
 */
export function findSharedPort<Owner>(
  all: readonly OwnedPort<Owner>[],
): readonly [OwnedPort<Owner>, OwnedPort<Owner>] | undefined {
  const groups = Map.groupBy(
    all,
    ({ published: { protocol, guest } }) => `${guest.family} ${protocol}`,
  );
  for (const group of groups.values()) {
    const shared = firstShared(
      group.toSorted((one, other) => one.published.ports.start - other.published.ports.start),
    );
    if (shared !== undefined) return shared;
  }
  return undefined;
}

/**
 * In order of their first port. Of what is on one address nothing overlaps so far, so that the last one
 * ends last: what does not meet that one meets none of them.
 */
function firstShared<Owner>(
  sorted: readonly OwnedPort<Owner>[],
): readonly [OwnedPort<Owner>, OwnedPort<Owner>] | undefined {
  const last = new Map<bigint | "any", OwnedPort<Owner>>();
  // Of those that "any" shares packets with, the one that ends last.
  let named: OwnedPort<Owner> | undefined;
  for (const current of sorted) {
    const { ports } = current.published;
    const addresses = listeners(current.published);
    const rivals = addresses.flatMap((address) =>
      address === "any"
        ? [last.get("any"), named]
        : [last.get(address.value), isLoopback(address) ? undefined : last.get("any")]
    );
    const hit = rivals.find((one) => one !== undefined && one.published.ports.end >= ports.start);
    if (hit !== undefined) return [hit, current];
    for (const address of addresses) {
      last.set(address === "any" ? "any" : address.value, current);
      const isNamed = address !== "any" && !isLoopback(address);
      if (isNamed && (named === undefined || named.published.ports.end < ports.end)) {
        named = current;
      }
    }
  }
  return undefined;
}

/** 127.0.0.1, where `localhost` leads to a guest. */
export const LOCALHOST: IpAddress = { family: "ipv4", value: 0x7f000001n };

/** The addresses of the host that are published; `any` stands for all but those of `lo`. */
export function listeners(
  { hostAddress, localhost }: PublishedPort,
): readonly (IpAddress | "any")[] {
  return [hostAddress ?? "any", ...(localhost ? [LOCALHOST] : [])];
}

/** Whether a packet of the host's own to an address of `lo` has to reach a guest. */
export function needsLocalhost(published: PublishedPort): boolean {
  return listeners(published).some((address) => address !== "any" && isLoopback(address));
}

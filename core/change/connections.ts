/** The kernel's table of connections, as conntrack(8) lists it and deletes from it. */
import { type Family, formatAddress, type IpAddress, parseAddress } from "../address.ts";
import type { Command } from "../command.ts";
import type { TransportProtocol } from "../network/published_port.ts";

/** One entry of the kernel's table, as far as it matters. */
export interface Connection {
  /** Who opened it, and to where. */
  readonly original: Direction;
  /** Who answers: the guest, where the connection was sent to one. */
  readonly reply: Direction;
  /** False until a packet has come back. */
  readonly isAnswered: boolean;
}

/** The addresses and ports of one direction. */
export interface Direction {
  /** The sender's. */
  readonly source: IpAddress;
  /** The receiver's. */
  readonly destination: IpAddress;
  /** From 0 to 65535. */
  readonly sourcePort: number;
  /** From 0 to 65535. */
  readonly destinationPort: number;
}

/** What is listed at once, and deleted. */
export interface ConnectionKind {
  /** The family of all addresses. */
  readonly family: Family;
  /** One that has ports. */
  readonly protocol: TransportProtocol;
}

/** The command that lists (`-L`) or deletes (`-D`) the entries that these options name. */
export function conntrack(
  verb: "-L" | "-D",
  { family, protocol }: ConnectionKind,
  options: readonly string[],
): Command {
  return { program: "conntrack", args: [verb, "-f", family, "-p", protocol, ...options] };
}

/** Reads what `conntrack -L` prints: the addresses and ports of both directions in each line. */
export function readConnections(listing: string): readonly Connection[] {
  return listing.split("\n").flatMap((line) => {
    const words = [...line.matchAll(/\b(src|dst|sport|dport)=(\S+)/g)];
    const values = (name: string): readonly string[] =>
      words.filter(([, key]) => key === name).map(([, , value = ""]) => value);
    const direction = (index: 0 | 1): Direction | undefined => {
      const source = parseAddress(values("src")[index] ?? "");
      const destination = parseAddress(values("dst")[index] ?? "");
      if (source === undefined || destination === undefined) return undefined;
      return {
        source,
        destination,
        sourcePort: Number(values("sport")[index]),
        destinationPort: Number(values("dport")[index]),
      };
    };
    const [original, reply] = [direction(0), direction(1)];
    if (original === undefined || reply === undefined) return [];
    return [{ original, reply, isAnswered: !line.includes("[UNREPLIED]") }];
  });
}

/** As many runs of conntrack as the host has at once: up to here nothing is gained by fewer. */
const FEW = 16;

/**
 * The deletions of some entries, and of no others that were listed with them. All that were opened to the
 * same port and led to the same place go at once. Each deletion reads the whole table: where they are many,
 * all that were opened to the same address and led to the same guest go at once, if that is all of them.
 *
 * @param listed All entries of the kind, those to be deleted included; undefined: not all were listed.
 */
export function deletions(
  kind: ConnectionKind,
  ended: readonly Connection[],
  listed: readonly Connection[] | undefined,
): readonly Command[] {
  const byPort = Map.groupBy(ended, portKey);
  if (byPort.size <= FEW || listed === undefined) {
    return [...byPort.values()].flatMap(([one]) => deletePort(kind, one));
  }
  const standing = Map.groupBy(listed, guestKey);
  return [...Map.groupBy(ended, guestKey)].flatMap(([key, group]) => {
    if (standing.get(key)?.length === group.length) return deleteGuest(kind, group[0]);
    return [...Map.groupBy(group, portKey).values()].flatMap(([one]) => deletePort(kind, one));
  });
}

function guestKey({ original, reply }: Connection): string {
  return `${original.destination.value} ${reply.source.value}`;
}

function portKey(connection: Connection): string {
  const { original, reply } = connection;
  return `${guestKey(connection)} ${original.destinationPort} ${reply.sourcePort}`;
}

function deleteGuest(kind: ConnectionKind, one: Connection | undefined): readonly Command[] {
  if (one === undefined) return [];
  const [asked, guest] = [one.original.destination, one.reply.source].map(formatAddress);
  return [conntrack("-D", kind, ["--orig-dst", asked ?? "", "--reply-src", guest ?? ""])];
}

function deletePort(kind: ConnectionKind, one: Connection | undefined): readonly Command[] {
  if (one === undefined) return [];
  const { original, reply } = one;
  return [
    conntrack("-D", kind, [
      "--orig-dst",
      formatAddress(original.destination),
      "--orig-port-dst",
      String(original.destinationPort),
      "--reply-src",
      formatAddress(reply.source),
      "--reply-port-src",
      String(reply.sourcePort),
    ]),
  ];
}

/** The deletion of one entry alone. */
export function deleteOne(kind: ConnectionKind, { original }: Connection): Command {
  return conntrack("-D", kind, [
    "--orig-src",
    formatAddress(original.source),
    "--orig-port-src",
    String(original.sourcePort),
    "--orig-dst",
    formatAddress(original.destination),
    "--orig-port-dst",
    String(original.destinationPort),
  ]);
}

/** A text that is the same for the same addresses and ports only. */
export function directionKey(direction: Direction): string {
  const { source, sourcePort, destination, destinationPort } = direction;
  return `${source.value} ${sourcePort} ${destination.value} ${destinationPort}`;
}

/**
 * Connections that began before their ports were published, taken back, or sent elsewhere. The kernel
 * decides on the first packet of a connection where it goes, and keeps to that: so the entries of its
 * table that are wrong by now are deleted, once the rules are right, and the next packet is decided anew.
 */
import { type Family, formatAddress, type IpAddress, parseAddress } from "../address.ts";
import type { Command, CommandRunner } from "../command.ts";
import {
  isLoopback,
  listeners,
  type PublishedPort,
  type TransportProtocol,
} from "../network/published_port.ts";
import { isNothingTracked } from "./already_so.ts";
import { runSideBySide } from "./run_side_by_side.ts";
import { lossOf } from "./step_error.ts";

/** How published ports differ from what they were. */
export interface PortChanges {
  /** What leads to a guest now and did not: connections to the host itself have gone on. */
  readonly added: readonly PublishedPort[];
  /** What led to a guest and does not: connections to that guest have gone on. */
  readonly removed: readonly PublishedPort[];
}

/** One entry of the kernel's table, as far as it matters. */
export interface Connection {
  /** Who opened it, and to where. */
  readonly original: Direction;
  /** Who answers: the guest, where the connection was sent to one. */
  readonly reply: Direction;
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

const LOSS =
  "Connections that began before go on as they were, to whom the ports led then, until " +
  "they end by themselves";

/**
 * Deletes the entries that are wrong now, and no others. It costs one listing for each family and
 * protocol, and a run of a program for each port that has such entries.
 *
 * @returns Warnings: what it means that they could not be deleted.
 */
export async function endStaleConnections(
  runner: CommandRunner,
  changes: PortChanges,
): Promise<readonly string[]> {
  const all = [...changes.added, ...changes.removed];
  const groups = Map.groupBy(all, ({ guest, protocol }) => `${guest.family} ${protocol}`);
  const warnings = await Promise.all([...groups.values()].map(async ([first]) => {
    if (first === undefined) return [];
    const { protocol, guest: { family } } = first;
    const own = (ports: readonly PublishedPort[]): readonly PublishedPort[] =>
      ports.filter((one) => one.protocol === protocol && one.guest.family === family);
    return await endOfKind(runner, { family, protocol }, {
      added: own(changes.added),
      removed: own(changes.removed),
    });
  }));
  return [...new Set(warnings.flat())];
}

interface Kind {
  readonly family: Family;
  readonly protocol: TransportProtocol;
}

async function endOfKind(
  runner: CommandRunner,
  kind: Kind,
  changes: PortChanges,
): Promise<readonly string[]> {
  const question = conntrack("-L", kind, onlyPort(changes));
  const listed = await runner.run(question);
  if (listed.status !== 0) return [lossOf(LOSS, question, listed)];
  const candidates = readConnections(listed.stdout).filter(isCandidate(changes));
  const led = candidates.filter((one) =>
    changes.removed.some((port) => isAskedFor(one, port) && leadsTo(one, port))
  );
  const untranslated = candidates.filter((one) =>
    isUntranslated(one) && changes.added.some((port) => isAskedFor(one, port))
  );
  const { own, warnings } = await ownConnections(runner, untranslated);
  const deletions = new Map(
    [...led, ...own].map((one) => [deletionKey(one), deletion(kind, one)]),
  );
  const results = await runSideBySide(runner, [...deletions.values()]);
  return [
    ...warnings,
    ...results.filter(({ result }) => result.status !== 0 && !isNothingTracked(result))
      .map(({ command, result }) => lossOf(LOSS, command, result)),
  ];
}

function conntrack(
  verb: "-L" | "-D",
  { family, protocol }: Kind,
  words: readonly string[],
): Command {
  return { program: "conntrack", args: [verb, "-f", family, "-p", protocol, ...words] };
}

/** A listing of one port is shorter. */
function onlyPort({ added, removed }: PortChanges): readonly string[] {
  const ports = new Set(
    [...added, ...removed].flatMap(({ ports: { start, end } }) => [start, end]),
  );
  const [port] = ports;
  return ports.size === 1 && port !== undefined ? ["--orig-port-dst", String(port)] : [];
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
    return original === undefined || reply === undefined ? [] : [{ original, reply }];
  });
}

/** By the port alone, which tells nearly all others apart. */
function isCandidate({ added, removed }: PortChanges): (one: Connection) => boolean {
  const ranges = [...added, ...removed].map(({ ports }) => ports);
  const single = new Set(
    ranges.filter(({ start, end }) => start === end).map(({ start }) => start),
  );
  const wide = ranges.filter(({ start, end }) => start < end);
  return ({ original: { destinationPort: port } }) =>
    single.has(port) || wide.some(({ start, end }) => start <= port && port <= end);
}

/** Whether the connection was opened to the published port. */
function isAskedFor({ original }: Connection, port: PublishedPort): boolean {
  const { destination, destinationPort } = original;
  return port.ports.start <= destinationPort && destinationPort <= port.ports.end &&
    listeners(port).some((address) =>
      address === "any" ? !isLoopback(destination) : address.value === destination.value
    );
}

/** Whether the connection was sent to the port's guest. */
function leadsTo(
  { original, reply }: Connection,
  { ports, guest, guestPorts }: PublishedPort,
): boolean {
  return reply.source.value === guest.value &&
    reply.sourcePort === original.destinationPort - ports.start + guestPorts.start;
}

/** Whether the host answers itself. */
function isUntranslated({ original, reply }: Connection): boolean {
  return reply.source.value === original.destination.value &&
    reply.sourcePort === original.destinationPort;
}

/** All connections that were opened to the same port and led to the same place go at once. */
function deletion(kind: Kind, { original, reply }: Connection): Command {
  return conntrack("-D", kind, [
    "--orig-dst",
    formatAddress(original.destination),
    "--orig-port-dst",
    String(original.destinationPort),
    "--reply-src",
    formatAddress(reply.source),
    "--reply-port-src",
    String(reply.sourcePort),
  ]);
}

function deletionKey({ original, reply }: Connection): string {
  return [original, reply].map(({ source, destination, sourcePort, destinationPort }, index) =>
    index === 0 ? `${destination.value} ${destinationPort}` : `${source.value} ${sourcePort}`
  ).join(" ");
}

const ADDRESSES: Command = { program: "ip", args: ["-o", "address", "show"] };

/** Those to the host itself: what is routed through it is none of ours. */
async function ownConnections(
  runner: CommandRunner,
  untranslated: readonly Connection[],
): Promise<{ readonly own: readonly Connection[]; readonly warnings: readonly string[] }> {
  if (untranslated.length === 0) return { own: [], warnings: [] };
  const listed = await runner.run(ADDRESSES);
  const found = [...listed.stdout.matchAll(/\binet6? ([0-9a-f.:]+)/g)];
  const local = new Set(found.flatMap(([, text = ""]) => {
    const address = parseAddress(text);
    return address === undefined ? [] : [formatAddress(address)];
  }));
  return {
    // All of 127.0.0.0/8 is the host's, of which `lo` has one address.
    own: untranslated.filter(({ original: { destination } }) =>
      isLoopback(destination) || local.has(formatAddress(destination))
    ),
    warnings: listed.status === 0 ? [] : [lossOf(LOSS, ADDRESSES, listed)],
  };
}

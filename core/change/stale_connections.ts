/**
 * Connections that began before their ports were published, taken back, or sent elsewhere. The kernel
 * decides on the first packet of a connection where it goes, and keeps to that: so the entries of its
 * table that are wrong by now are deleted, once the rules are right, and the next packet is decided anew.
 */
import { formatAddress, type IpAddress, parseAddress } from "../address.ts";
import type { Command, CommandRunner } from "../command.ts";
import type { Host } from "../host.ts";
import { isLoopback, listeners, type PublishedPort } from "../network/published_port.ts";
import { isNothingTracked } from "./already_so.ts";
import {
  type Connection,
  type ConnectionKind,
  conntrack,
  deleteOne,
  deletions,
  type Direction,
  directionKey,
  readConnections,
} from "./connections.ts";
import { runSideBySide } from "./run_side_by_side.ts";
import { lossOf } from "./step_error.ts";

/** How published ports differ from what they were. */
export interface PortChanges {
  /** What leads to a guest now and did not: connections to the host itself have gone on. */
  readonly added: readonly PublishedPort[];
  /** What led to a guest and does not: connections to that guest have gone on. */
  readonly removed: readonly PublishedPort[];
  /** All that leads to a guest now: what goes to the same place by one of these goes on. */
  readonly standing: readonly PublishedPort[];
}

const LOSS =
  "Connections that began before go on as they were, to whom the ports led then, until " +
  "they end by themselves";

/** The host, as far as its connections are concerned. */
export type TrackingHost = Pick<Host, "run" | "pause">;

/**
 * Deletes the entries that are wrong now, and no others. It costs one listing for each family and
 * protocol, and where there are such entries a run of a program for each port or guest, two more listings
 * and 50 ms.
 *
 * @returns Warnings: what it means that they could not be deleted.
 */
export async function endStaleConnections(
  host: TrackingHost,
  changes: PortChanges,
): Promise<readonly string[]> {
  const all = [...changes.added, ...changes.removed];
  const groups = Map.groupBy(all, ({ guest, protocol }) => `${guest.family} ${protocol}`);
  const warnings = await Promise.all([...groups.values()].map(async ([first]) => {
    if (first === undefined) return [];
    const { protocol, guest: { family } } = first;
    const own = (ports: readonly PublishedPort[]): readonly PublishedPort[] =>
      ports.filter((one) => one.protocol === protocol && one.guest.family === family);
    return await endOfKind(host, { family, protocol }, {
      added: own(changes.added),
      removed: own(changes.removed),
      standing: own(changes.standing),
    });
  }));
  return [...new Set(warnings.flat())];
}

async function endOfKind(
  host: TrackingHost,
  kind: ConnectionKind,
  changes: PortChanges,
): Promise<readonly string[]> {
  const port = onlyPort(changes);
  const listings = port === undefined ? [[]] : [
    ["--orig-port-dst", port],
    // What the host has answered meanwhile begins with the port.
    ...(changes.added.length === 0 ? [] : [["--reply-port-dst", port]]),
  ];
  const answers = await Promise.all(listings.map(async (options) => {
    const question = conntrack("-L", kind, options);
    return { question, result: await host.run(question) };
  }));
  const failed = answers.find(({ result }) => result.status !== 0);
  if (failed !== undefined) return [lossOf(LOSS, failed.question, failed.result)];
  const listed = answers.flatMap(({ result }) => readConnections(result.stdout));
  const { stale, late, warnings } = await staleAmong(host, listed, changes);
  if (stale.length + late.length === 0) return warnings;
  const failures = await runDeletions(host, [
    ...deletions(kind, stale, port === undefined ? listed : undefined),
    ...late.map((one) => deleteOne(kind, one)),
  ]);
  const asked = [...stale.map(({ original }) => original), ...late.map(({ reply }) => reply)];
  return [...warnings, ...failures, ...await endLateAnswers(host, kind, asked, port)];
}

async function runDeletions(
  runner: CommandRunner,
  commands: readonly Command[],
): Promise<readonly string[]> {
  const results = await runSideBySide(runner, commands);
  return results.filter(({ result }) => result.status !== 0 && !isNothingTracked(result))
    .map(({ command, result }) => lossOf(LOSS, command, result));
}

/** How long to wait before each look, in milliseconds: until whoever had a packet has answered it. */
const PAUSES = [10, 40] as const;

/** So often at the most: who goes on to answer without being asked is not waited for. */
const MOST_LOOKS = 6;

/**
 * Who had a packet when its connection was ended may answer it afterwards. For the kernel that answer opens
 * a connection of its own, whose other direction is what the client goes on to send: to whom it was
 * sent before.
 */
async function endLateAnswers(
  host: TrackingHost,
  kind: ConnectionKind,
  ended: readonly Direction[],
  port: string | undefined,
): Promise<readonly string[]> {
  const asked = new Set(ended.map(directionKey));
  const question = conntrack("-L", kind, port === undefined ? [] : ["--reply-port-dst", port]);
  let [looks, isQuiet] = [0, false];
  while (looks < PAUSES.length || (!isQuiet && looks < MOST_LOOKS)) {
    await host.pause(PAUSES[looks] ?? PAUSES[1]);
    looks++;
    const answer = await host.run(question);
    if (answer.status !== 0) return [lossOf(LOSS, question, answer)];
    const late = readConnections(answer.stdout)
      .filter(({ reply }) => asked.has(directionKey(reply)));
    isQuiet = late.length === 0;
    const failures = await runDeletions(host, late.map((one) => deleteOne(kind, one)));
    if (failures.length > 0) return failures;
  }
  return [];
}

/** A listing of one port is shorter. */
function onlyPort({ added, removed }: PortChanges): string | undefined {
  const ports = new Set(
    [...added, ...removed].flatMap(({ ports: { start, end } }) => [start, end]),
  );
  const [port] = ports;
  return ports.size === 1 && port !== undefined ? String(port) : undefined;
}

/** What is wrong by now. */
interface Stale {
  /** Connections that lead elsewhere than their port. */
  readonly stale: readonly Connection[];
  /** Answers of the host that have opened connections, which lead to the host. */
  readonly late: readonly Connection[];
  readonly warnings: readonly string[];
}

async function staleAmong(
  runner: CommandRunner,
  listed: readonly Connection[],
  { added, removed, standing }: PortChanges,
): Promise<Stale> {
  const isAdded = portFinder(added);
  const isRemoved = portFinder(removed);
  const isStanding = portFinder(standing);
  const led = listed.filter((one) =>
    !isUntranslated(one) && isRemoved(one.original, leadsTo(one)) &&
    !isStanding(one.original, leadsTo(one))
  );
  const untranslated = listed.filter(isUntranslated);
  const asked = untranslated.filter((one) => isAdded(one.original));
  // What the host has asked by itself, from a port of that number, has been answered, or soon is.
  const late = untranslated.filter((one) => !one.isAnswered && isAdded(one.reply));
  const { isOwn, warnings } = await ownAddresses(runner, asked.length + late.length > 0);
  return {
    stale: [...led, ...asked.filter(({ original }) => isOwn(original.destination))],
    late: late.filter(({ reply }) => isOwn(reply.destination)),
    warnings,
  };
}

/** Tells whether something was sent to one of the ports for which something more is true. */
function portFinder(
  all: readonly PublishedPort[],
): (asked: Direction, is?: (port: PublishedPort) => boolean) => boolean {
  const isSingle = ({ ports: { start, end } }: PublishedPort): boolean => start === end;
  const single = Map.groupBy(all.filter(isSingle), ({ ports }) => ports.start);
  const wide = all.filter((port) => !isSingle(port));
  return (asked, is = () => true) =>
    [...single.get(asked.destinationPort) ?? [], ...wide]
      .some((port) => isAskedFor(asked, port) && is(port));
}

/** Whether a packet was sent to the published port. */
function isAskedFor({ destination, destinationPort }: Direction, port: PublishedPort): boolean {
  return port.ports.start <= destinationPort && destinationPort <= port.ports.end &&
    listeners(port).some((address) =>
      address === "any" ? !isLoopback(destination) : address.value === destination.value
    );
}

/** Whether a port leads to where the connection does. */
function leadsTo({ original, reply }: Connection): (port: PublishedPort) => boolean {
  return ({ ports, guest, guestPorts }) =>
    reply.source.value === guest.value &&
    reply.sourcePort === original.destinationPort - ports.start + guestPorts.start;
}

/** Whether who was asked answers: nobody has sent the connection elsewhere. */
function isUntranslated({ original, reply }: Connection): boolean {
  return reply.source.value === original.destination.value &&
    reply.sourcePort === original.destinationPort;
}

const ADDRESSES: Command = { program: "ip", args: ["-o", "address", "show"] };

/** Which addresses are the host's: what is routed through it is none of ours. */
async function ownAddresses(
  runner: CommandRunner,
  isNeeded: boolean,
): Promise<
  { readonly isOwn: (address: IpAddress) => boolean; readonly warnings: readonly string[] }
> {
  if (!isNeeded) return { isOwn: isLoopback, warnings: [] };
  const listed = await runner.run(ADDRESSES);
  const found = [...listed.stdout.matchAll(/\binet6? ([0-9a-f.:]+)/g)];
  const local = new Set(found.flatMap(([, text = ""]) => {
    const address = parseAddress(text);
    return address === undefined ? [] : [formatAddress(address)];
  }));
  return {
    // All of 127.0.0.0/8 is the host's, of which `lo` has one address.
    isOwn: (address) => isLoopback(address) || local.has(formatAddress(address)),
    warnings: listed.status === 0 ? [] : [lossOf(LOSS, ADDRESSES, listed)],
  };
}

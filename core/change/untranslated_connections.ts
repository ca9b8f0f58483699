/**
 * Connections from a prefix that began before it was masqueraded. Nobody could answer them, but as long as
 * they try, the kernel keeps to what it decided with their first packet.
 */
import { contains, type Family, formatAddress, type Subnet } from "../address.ts";
import type { Command, CommandRunner } from "../command.ts";
import { isNothingTracked } from "./already_so.ts";
import { type Connection, readConnections } from "./connections.ts";
import { runSideBySide } from "./run_side_by_side.ts";
import { lossOf } from "./step_error.ts";

const LOSS = "Connections that began before stay untranslated until they end by themselves";

/**
 * Deletes the kernel's entries of connections from these prefixes to elsewhere that were neither
 * translated nor answered: the next packet is decided anew. What was answered is left alone, since somebody
 * knows the way back.
 *
 * @returns Warnings: what it means that they could not be deleted.
 */
export async function endUntranslatedConnections(
  runner: CommandRunner,
  prefixes: readonly Subnet[],
): Promise<readonly string[]> {
  const families = new Set(prefixes.map(({ family }) => family));
  const warnings = await Promise.all(
    [...families].map((family) =>
      endOfFamily(runner, family, prefixes.filter((one) => one.family === family))
    ),
  );
  return [...new Set(warnings.flat())];
}

async function endOfFamily(
  runner: CommandRunner,
  family: Family,
  prefixes: readonly Subnet[],
): Promise<readonly string[]> {
  const question: Command = { program: "conntrack", args: ["-L", "-f", family] };
  const listed = await runner.run(question);
  if (listed.status !== 0) return [lossOf(LOSS, question, listed)];
  const deletions = new Map(
    unanswered(listed.stdout).filter(({ connection }) => isUntranslated(connection, prefixes))
      .map((one) => deletion(family, one)).map((command) => [command.args.join(" "), command]),
  );
  const results = await runSideBySide(runner, [...deletions.values()]);
  return results.filter(({ result }) => result.status !== 0 && !isNothingTracked(result))
    .map(({ command, result }) => lossOf(LOSS, command, result));
}

/** An entry, and the number of its protocol. */
interface Unanswered {
  readonly protocol: string;
  readonly connection: Connection;
}

function unanswered(listing: string): readonly Unanswered[] {
  return listing.split("\n").filter((line) => line.includes("[UNREPLIED]")).flatMap((line) => {
    const protocol = /^\S+\s+(\d+)\s/.exec(line)?.[1];
    return protocol === undefined
      ? []
      : readConnections(line).map((connection) => ({ protocol, connection }));
  });
}

function isUntranslated(
  { original: { source, destination }, reply }: Connection,
  prefixes: readonly Subnet[],
): boolean {
  return reply.destination.value === source.value &&
    prefixes.some((prefix) => contains(prefix, source) && !contains(prefix, destination));
}

/** Of a protocol with ports that one alone: another between the same two may have been answered. */
function deletion(
  family: Family,
  { protocol, connection: { original } }: Unanswered,
): Command {
  const { sourcePort, destinationPort } = original;
  const [from, to] = [formatAddress(original.source), formatAddress(original.destination)];
  const ports = Number.isNaN(sourcePort)
    ? []
    : ["--orig-port-src", String(sourcePort), "--orig-port-dst", String(destinationPort)];
  const words = ["--orig-src", from, "--orig-dst", to, "--reply-dst", from, ...ports];
  return { program: "conntrack", args: ["-D", "-f", family, "-p", protocol, ...words] };
}

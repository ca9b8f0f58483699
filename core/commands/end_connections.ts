/** Records before and after a change → the connections that do not go on. */
import { formatSubnet, type Subnet } from "../address.ts";
import { endUntranslatedConnections } from "../change/untranslated_connections.ts";
import { endStaleConnections, type PortChanges } from "../change/stale_connections.ts";
import type { Host } from "../host.ts";
import { portsBeyond } from "../network/compare_ports.ts";
import { isElementNamed } from "../network/element_reader.ts";
import type { PublishedPort } from "../network/published_port.ts";
import { isMasquerade, recordedPrefixes } from "../policy/masquerade.ts";
import { RecordError } from "../record/record.ts";
import { recordedNetwork } from "./recorded_networks.ts";
import type { NamedInstallation } from "./recompile.ts";

/**
 * Ends the connections for which published ports lead elsewhere than before, or nowhere, and those that a
 * prefix would translate had they begun later.
 *
 * @param before What stood of the networks that a change touched.
 * @param after What stands of them, and of others that were made anew with them.
 * @param isUnsure True when what stood may not have led where it should: all of it is new then.
 * @returns Warnings: connections that may go on as they were.
 */
export async function endConnectionsOf(
  host: Host,
  before: readonly NamedInstallation[],
  after: readonly NamedInstallation[],
  isUnsure: boolean,
): Promise<readonly string[]> {
  // pf ends states itself.
  if (host.platform !== "linux") return [];
  try {
    const warnings = await Promise.all([
      endStaleConnections(host, portChanges(before, after, isUnsure)),
      endUntranslatedConnections(host, newPrefixes(before, after, isUnsure)),
    ]);
    return warnings.flat();
  } catch (error) {
    // A definition that this program does not take: the rules are right all the same.
    if (!(error instanceof RecordError)) throw error;
    return [`Connections to published ports may go on as they were: ${error.message}`];
  }
}

function portChanges(
  before: readonly NamedInstallation[],
  after: readonly NamedInstallation[],
  isUnsure: boolean,
): PortChanges {
  const [old, now] = [portsOf(before), portsOf(after)];
  return {
    added: isUnsure ? now : portsBeyond(now, old),
    removed: portsBeyond(old, now),
    standing: now,
  };
}

function newPrefixes(
  before: readonly NamedInstallation[],
  after: readonly NamedInstallation[],
  isUnsure: boolean,
): readonly Subnet[] {
  const [old, now] = [before, after]
    .map((installations) => installations.filter(isMasquerade).flatMap(recordedPrefixes));
  if (isUnsure) return now ?? [];
  const known = new Set(old?.map(formatSubnet));
  return (now ?? []).filter((prefix) => !known.has(formatSubnet(prefix)));
}

/** Most networks publish nothing, and are not read again for it. */
function portsOf(installations: readonly NamedInstallation[]): readonly PublishedPort[] {
  return installations.filter((one) => !isMasquerade(one) && hasMetadata(one))
    .flatMap((one) => recordedNetwork(one).network.published);
}

function hasMetadata({ network }: NamedInstallation): boolean {
  return network.children.some((node) => isElementNamed(node, "metadata"));
}

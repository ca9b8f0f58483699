/** What the records hold ↔ networks and their policies. */
import { networkFromElement } from "../network/parse_network.ts";
import type { Network } from "../network/network.ts";
import { withPublished } from "../network/parse_published.ts";
import type { PublishedPort } from "../network/published_port.ts";
import { derivePolicy, type PlacedNetwork } from "../policy/derive_policy.ts";
import { isMasquerade, masqueradePolicy, recordedPrefixes } from "../policy/masquerade.ts";
import type { Policy } from "../policy/policy.ts";
import { quoted } from "../quoted.ts";
import { type Installation, RecordError } from "../record/record.ts";

/** A definition on record, and whose it is. */
export type NamedDefinition = { readonly name: string } & Pick<Installation, "network">;

/** What must be true for what a record holds. */
export function recordedPolicy(record: NamedDefinition): Policy {
  return isMasquerade(record)
    ? masqueradePolicy(recordedPrefixes(record))
    : derivePolicy(recordedNetwork(record));
}

/** The networks on record, by name. */
export function recordedNetworks(
  records: readonly NamedDefinition[],
): ReadonlyMap<string, PlacedNetwork> {
  return new Map(
    records.filter((record) => !isMasquerade(record))
      .map((record) => [record.name, recordedNetwork(record)]),
  );
}

/**
 * The network of a record, its bridge known.
 *
 * @throws {RecordError} When this program does not take the definition that the record holds, or
 * it is that of another network.
 */
export function recordedNetwork(
  { name, network }: NamedDefinition,
): PlacedNetwork {
  const recorded = readRecorded(name, network);
  if (recorded.name !== name) {
    throw new RecordError(
      `Cannot use the record of network ${quoted(name)}: it holds the definition of network ` +
        quoted(recorded.name),
    );
  }
  return { network: recorded, bridge: recorded.bridge.name ?? "" };
}

/** The network with these ports, in its definition too, so that the record holds them. */
export function publishing(
  { network, bridge }: PlacedNetwork,
  published: readonly PublishedPort[],
): PlacedNetwork {
  if (published.length + network.published.length === 0) return { network, bridge };
  const source = withPublished(network.source, published);
  const after = { ...network, published, source };
  // It need not be read again: it was made from values that come from the definition's own.
  READ.set(source, after);
  return { network: after, bridge };
}

/** What a record holds is asked for several times, and does not change. */
const READ = new WeakMap<Installation["network"], Network>();

function readRecorded(name: string, network: Installation["network"]): Network {
  try {
    const known = READ.get(network) ?? networkFromElement(network, `record of ${name}`);
    READ.set(network, known);
    return known;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new RecordError(`Cannot use the record of network ${quoted(name)}: ${error.message}`);
  }
}

/** `bridgewall status`: the active networks. */
import { formatAddress, formatSubnet } from "../address.ts";
import type { Traffic } from "../firewall_backend.ts";
import { formatPorts } from "../network/network.ts";
import {
  formatListener,
  formatSpec,
  formatTarget,
  type PublishedPort,
} from "../network/published_port.ts";
import { subnetsOf } from "../network/subnets.ts";
import type { NetworkPolicy } from "../policy/policy.ts";
import { printable } from "../quoted.ts";
import type { CommandOutput, Context } from "./context.ts";
import { driftSentence, type InspectedNetwork, inspectRecords } from "./inspect_records.ts";
import { isOfPrefixes, prefixRows, prefixTable } from "./prefix_table.ts";
import { namedRecords, type NetworkArguments, refuseMissing } from "./read_definitions.ts";
import { bytes, countedText, table } from "./table.ts";

/**
 * Shows the networks that were named, else all: where they are, their traffic and their drift.
 *
 * @throws {HostError} When a network that was named is not active.
 */
export async function status(context: Context, names: NetworkArguments): Promise<CommandOutput> {
  const { networks, masquerade, drift } = await inspectRecords(context);
  const all = names.all || names.names.length === 0;
  const records = networks.map(({ record }) => record);
  const { found, missing } = await namedRecords(context, records, { ...names, all });
  refuseMissing(missing);
  const shown = networks.filter(({ record }) => found.includes(record));
  const rows = shown.map((one) => {
    const own = drift.filter(({ network }) =>
      network === one.record.name || (network === undefined && one.record.backend !== undefined)
    );
    return { ...one, drift: own };
  });
  if (rows.length === 0) context.messages.note("No network is active");
  // Who names networks asks for nothing else.
  const prefixes = all ? masquerade : undefined;
  const others = prefixes === undefined ? [] : drift.filter(isOfPrefixes);
  return {
    text: [
      ...apart(networkTable(rows), publishedTable(rows), prefixTable(prefixes)),
      ...new Set([...rows.flatMap((row) => row.drift), ...others].map(driftSentence)),
    ],
    json: {
      networks: rows.map(({ record, network, policy, traffic, counted, drift: own }) => ({
        name: record.name,
        mode: policy.mode,
        bridge: bridgeOf(policy),
        subnets: subnetsOf(network).map(formatSubnet),
        backend: record.backend ?? null,
        state: record.state,
        traffic: traffic ?? null,
        published: network.published.map((port) => publishedRow(port, counted)),
        drift: own.map(({ difference }) => difference),
      })),
      masquerade: prefixRows(prefixes),
    },
    exitCode: 0,
  };
}

/** For people; empty without networks. */
function networkTable(
  rows: readonly (InspectedNetwork & { readonly drift: readonly unknown[] })[],
): readonly string[] {
  return rows.length === 0 ? [] : table([
    ["NETWORK", "MODE", "BRIDGE", "SUBNETS", "BACKEND", "OUT", "IN", "REJECTED", "STATE"],
    ...rows.map((row) => cells(row, row.drift.length)),
  ]);
}

function cells(
  { record, network, policy, traffic }: InspectedNetwork,
  drift: number,
): readonly string[] {
  return [
    printable(record.name),
    policy.mode,
    printable(bridgeOf(policy) ?? "-"),
    subnetsOf(network).map(formatSubnet).join(",") || "-",
    record.backend ?? "-",
    bytes(traffic?.out),
    bytes(traffic?.in),
    traffic === undefined ? "-" : `${traffic.rejected.packets} packets`,
    drift > 0 ? "drifted" : record.state,
  ];
}

/** Published ports with what they have carried, for people; empty without any. */
function publishedTable(networks: readonly InspectedNetwork[]): readonly string[] {
  const rows = networks.flatMap(({ record, network, counted }) =>
    network.published.map((port) => {
      const traffic = counted.get(formatSpec(port));
      return [
        printable(record.name),
        formatListener(port) + (port.localhost ? " and 127.0.0.1" : ""),
        formatTarget(port),
        traffic === undefined ? "-" : countedText(traffic),
      ];
    })
  );
  return rows.length === 0 ? [] : table([["NETWORK", "PUBLISHED", "GUEST", "TRAFFIC"], ...rows]);
}

function publishedRow(
  port: PublishedPort,
  counted: ReadonlyMap<string, Traffic>,
): Readonly<Record<string, unknown>> {
  const { protocol, hostAddress, ports, localhost, runtime } = port;
  return {
    protocol,
    address: hostAddress === undefined ? null : formatAddress(hostAddress),
    port: formatPorts(ports),
    to: formatTarget(port),
    localhost,
    runtime,
    traffic: counted.get(formatSpec(port)) ?? null,
  };
}

/** Tables with an empty line between them; those without lines are left out. */
function apart(...tables: readonly (readonly string[])[]): readonly string[] {
  return tables.filter((lines) => lines.length > 0)
    .flatMap((lines, index) => index === 0 ? lines : ["", ...lines]);
}

function bridgeOf(policy: NetworkPolicy): string | null {
  return policy.kind === "bridged" ? null : policy.bridge;
}

/** `bridgewall status`: the active networks. */
import { formatSubnet } from "../address.ts";
import type { Traffic } from "../firewall_backend.ts";
import { subnetsOf } from "../network/subnets.ts";
import type { NetworkPolicy } from "../policy/policy.ts";
import { printable } from "../quoted.ts";
import type { CommandOutput, Context } from "./context.ts";
import { driftSentence, type InspectedNetwork, inspectRecords } from "./inspect_records.ts";
import { namedRecords, type NetworkArguments, refuseMissing } from "./read_definitions.ts";

/**
 * Shows the networks that were named, else all: where they are, their traffic and their drift.
 *
 * @throws {HostError} When a network that was named is not active.
 */
export async function status(context: Context, names: NetworkArguments): Promise<CommandOutput> {
  const { networks, drift } = await inspectRecords(context);
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
  return {
    text: rows.length === 0 ? [] : [
      ...table([
        ["NETWORK", "MODE", "BRIDGE", "SUBNETS", "BACKEND", "OUT", "IN", "REJECTED", "STATE"],
        ...rows.map((row) => cells(row, row.drift.length)),
      ]),
      ...[...new Set(rows.flatMap((row) => row.drift.map(driftSentence)))],
    ],
    json: {
      networks: rows.map(({ record, network, policy, traffic, drift: own }) => ({
        name: record.name,
        mode: policy.mode,
        bridge: bridgeOf(policy),
        subnets: subnetsOf(network).map(formatSubnet),
        backend: record.backend ?? null,
        state: record.state,
        traffic: traffic ?? null,
        drift: own.map(({ difference }) => difference),
      })),
    },
    exitCode: 0,
  };
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

function bridgeOf(policy: NetworkPolicy): string | null {
  return policy.kind === "bridged" ? null : policy.bridge;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

function bytes(traffic: Traffic | undefined): string {
  if (traffic === undefined) return "-";
  let value = traffic.bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? ""}`;
}

/** Columns as wide as their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => [...(row[column] ?? "")].length))
  );
  return rows.map((row) =>
    row.map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - [...cell].length))
      .join("  ").trimEnd()
  );
}

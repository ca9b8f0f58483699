/** Masqueraded prefixes, as `status` and `masquerade list` show them. */
import { formatSubnet, overlaps } from "../address.ts";
import type { Drift, Traffic } from "../firewall_backend.ts";
import { MASQUERADE } from "../policy/policy.ts";
import type { InspectedPrefixes } from "./inspect_records.ts";
import { countedText, table } from "./table.ts";

/** Whether the difference concerns the prefixes: what belongs to nobody alone (a missing table) does. */
export function isOfPrefixes({ network }: Drift): boolean {
  return network === undefined || network === MASQUERADE;
}

/** The prefixes as `status` and `masquerade list` tell them with `--json`. */
export function prefixRows(
  found: InspectedPrefixes | undefined,
): readonly globalThis.Record<string, unknown>[] {
  return countedPrefixes(found).map(({ prefix, backend, counted }) => ({
    prefix,
    backend,
    translated: counted ?? null,
  }));
}

/** The same for people; empty without prefixes. */
export function prefixTable(found: InspectedPrefixes | undefined): readonly string[] {
  const rows = countedPrefixes(found);
  return rows.length === 0 ? [] : table([
    ["PREFIX", "BACKEND", "TRANSLATED"],
    ...rows.map(({ prefix, backend, counted }) => [
      prefix,
      backend ?? "-",
      counted === undefined ? "-" : countedText(counted),
    ]),
  ]);
}

/** What lies inside another prefix is counted there. */
function countedPrefixes(found: InspectedPrefixes | undefined): readonly {
  readonly prefix: string;
  readonly backend: string | null;
  readonly counted: Traffic | undefined;
}[] {
  if (found === undefined) return [];
  const { prefixes, policy, record, counted } = found;
  const merged = policy.families.flatMap((one) => one.prefixes);
  return prefixes.map((prefix) => {
    const around = merged.find((one) => overlaps(one, prefix));
    return {
      prefix: formatSubnet(prefix),
      backend: record.backend ?? null,
      counted: around === undefined ? undefined : counted.get(formatSubnet(around)),
    };
  });
}

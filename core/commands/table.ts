/** What commands print for people in columns. */
import type { Traffic } from "../firewall_backend.ts";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** Bytes in a cell; unknown: a dash. */
export function bytes(traffic: Traffic | undefined): string {
  if (traffic === undefined) return "-";
  let value = traffic.bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? ""}`;
}

/** Packets and bytes in a cell. */
export function countedText(traffic: Traffic): string {
  return `${traffic.packets} packets, ${bytes(traffic)}`;
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

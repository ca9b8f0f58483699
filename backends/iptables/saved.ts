/** What iptables-save(8) prints, read. */
import type { Traffic } from "../../core/firewall_backend.ts";

/** A live rule. */
export interface SavedRule {
  /** The words behind `-A CHAIN`, without quotes. */
  readonly words: readonly string[];
  /** What it has counted. */
  readonly traffic: Traffic;
}

/** The chains of one table, each with its rules in their order. */
export type SavedTable = ReadonlyMap<string, readonly SavedRule[]>;

/** Tables that iptables-nft does not print, because somebody has put rules there that only nft can. */
export function hiddenTables(output: string): readonly string[] {
  return [...output.matchAll(/^# Table `(\w+)' is incompatible/gm)].map(([, table = ""]) => table);
}

/** Why nothing can be said about such a table. */
export function hiddenSentence(table: string): string {
  return `Cannot list the table "${table}" of iptables: somebody has put rules there that only nft can ` +
    "show";
}

/** Reads the output of one family; tables that nobody uses are not in it. */
export function readSaved(output: string): ReadonlyMap<string, SavedTable> {
  const tables = new Map<string, Map<string, SavedRule[]>>();
  let table = new Map<string, SavedRule[]>();
  for (const line of output.split("\n")) {
    if (line.startsWith("*")) {
      table = new Map();
      tables.set(line.slice(1), table);
    } else if (line.startsWith(":")) {
      table.set(line.slice(1).split(" ", 1).join(""), []);
    } else {
      const [, packets, bytes, chain = "", rule = ""] =
        /^(?:\[(\d+):(\d+)\] )?-A ([^ ]+) ?([^]*)$/.exec(line) ?? [];
      table.get(chain)?.push({
        words: readWords(rule),
        traffic: { packets: Number(packets ?? 0), bytes: Number(bytes ?? 0) },
      });
    }
  }
  return tables;
}

/**
 * Only a quote at the start of a word opens one: interface names are printed as they are, and may hold
 * what other programs take for white space or the end of a line.
 */
export function readWords(text: string): readonly string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\[^])*)"|([^ ]+)/g)].map(([, inQuotes, plain]) =>
    inQuotes === undefined ? plain ?? "" : inQuotes.replaceAll(/\\([^])/g, "$1")
  );
}

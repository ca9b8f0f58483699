/** What stands → the same with other published ports, by the rules and chains that differ alone. */
import { groupKey } from "../../core/change/change.ts";
import type { Command } from "../../core/command.ts";
import type { IptablesHost } from "./iptables_host.ts";
import {
  type ChainChanges,
  changePart,
  installPart,
  installShared,
  removePart,
  removeShared,
} from "./part_lines.ts";
import { ruleWords, type TableName } from "./parts.ts";
import { type Piece, removalOf, runRestore } from "./pieces.ts";
import { formatTable } from "./script.ts";

/**
 * At most one command for each program, so that what is in both stays where it is and goes on counting.
 * Undefined where what stands is something else, or where rules would have to move.
 */
export function adjustPieces(
  before: readonly Piece[],
  after: readonly Piece[],
  host: IptablesHost,
): readonly Command[] | undefined {
  if (removalOf(before).some((group) => host.holders(group) === 0)) return undefined;
  const standing = new Map(before.map((piece) => [keyOf(piece), piece]));
  const wanted = new Set(after.map(keyOf));
  const needed = new Set(after.map(({ shared }) => groupKey(shared)));
  const changes = [
    ...after.filter((piece) => !standing.has(keyOf(piece))).map((piece) => ({
      piece,
      change: { additions: newLines(piece, host), deletions: [] },
    })),
    ...after.filter((piece) => standing.has(keyOf(piece))).map((piece) => ({
      piece,
      change: changePart(standing.get(keyOf(piece))?.part ?? piece.part, piece.part),
    })),
    ...before.filter((piece) => !wanted.has(keyOf(piece))).map((piece) => ({
      piece,
      change: { additions: [], deletions: oldLines(piece, needed, host) },
    })),
  ];
  const possible = changes.flatMap(({ piece: { programs, part }, change }) =>
    change === undefined ? [] : [{ ...change, program: programs.restore, table: part.shared.table }]
  );
  if (possible.length < changes.length) return undefined;
  return [...Map.groupBy(possible, ({ program }) => program)]
    .map(([program, own]) => runRestore(program, scriptOf(own)))
    .filter(({ stdin }) => stdin !== "");
}

/** Others are kept from 127.0.0.0/8 before anything of it leads to guests. */
const ORDER: readonly TableName[] = ["raw", "mangle", "nat", "filter"];

function keyOf({ own: [own], shared }: Piece): string {
  return groupKey(own ?? shared);
}

/** Entries at the head: what comes back to its bridge stands before the translation of its network. */
function newLines({ part, shared }: Piece, host: IptablesHost): ChainChanges["additions"] {
  return [
    ...(host.holders(shared) > 0 ? [] : installShared(part.shared, false)),
    ...installPart({ ...part, entries: [] }, false),
    ...part.entries.map(({ chain, rule }) => ["-I", chain, ...ruleWords(rule)]),
  ];
}

/** What leads there is taken out by itself. */
function oldLines(
  { part, shared }: Piece,
  needed: ReadonlySet<string>,
  host: IptablesHost,
): ChainChanges["deletions"] {
  const isLast = !needed.has(groupKey(shared)) && host.holders(shared) === 1;
  return [...removePart({ ...part, users: [] }), ...(isLast ? removeShared(part.shared) : [])];
}

/**
 * The filter lets in before anything is led there, and stops after: with a moment between two tables, a
 * port that leads to another guest refuses nobody. So one table is given twice, which this script can
 * because it is run by itself: nothing else happens beside an adjustment.
 */
function scriptOf(changes: readonly (ChainChanges & { readonly table: TableName })[]): string {
  const sections = ORDER.map((table) => {
    const own = changes.filter((one) => one.table === table);
    return {
      table,
      additions: own.flatMap(({ additions }) => additions),
      deletions: own.flatMap(({ deletions }) => deletions),
    };
  });
  return [
    ...sections.filter(({ table }) => table === "filter")
      .map(({ table, additions }) => ({ table, lines: additions })),
    ...sections.filter(({ table }) => table !== "filter")
      .map(({ table, additions, deletions }) => ({ table, lines: [...additions, ...deletions] })),
    ...sections.filter(({ table }) => table === "filter")
      .map(({ table, deletions }) => ({ table, lines: deletions })),
  ].filter(({ lines }) => lines.length > 0)
    .map(({ table, lines }) => formatTable(table, lines)).join("");
}

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

/** An adjustment in two parts. */
export interface Adjustment {
  /** What leads to guests, and lets it through. */
  readonly leading: readonly Command[];
  /** What does not come to guests any more is stopped. */
  readonly closing: readonly Command[];
}

/**
 * At most one command for each program in each part, so that what is in both stays where it is and goes on
 * counting.
 * Undefined where what stands is something else, or where rules would have to move.
 */
export function adjustPieces(
  before: readonly Piece[],
  after: readonly Piece[],
  host: IptablesHost,
): Adjustment | undefined {
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
  const programs = [...Map.groupBy(possible, ({ program }) => program)];
  const commands = (scriptOf: (own: typeof possible) => string): readonly Command[] =>
    programs.map(([program, own]) => runRestore(program, scriptOf(own)))
      .filter(({ stdin }) => stdin !== "");
  return { leading: commands(leadingScript), closing: commands(closingScript) };
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

type TableChanges = ChainChanges & { readonly table: TableName };

/**
 * The filter lets in before anything is led there, and stops after: with a moment between two tables, a
 * port that leads to another guest refuses nobody.
 */
function leadingScript(changes: readonly TableChanges[]): string {
  const lines = (table: TableName, kind: keyof ChainChanges): readonly (readonly string[])[] =>
    changes.filter((one) => one.table === table).flatMap((one) => one[kind]);
  return sectionsOf([
    { table: "filter", lines: lines("filter", "additions") },
    ...ORDER.filter((table) => table !== "filter").map((table) => ({
      table,
      lines: [...lines(table, "additions"), ...lines(table, "deletions")],
    })),
  ]);
}

function closingScript(changes: readonly TableChanges[]): string {
  const own = changes.filter(({ table }) => table === "filter");
  return sectionsOf([{ table: "filter", lines: own.flatMap(({ deletions }) => deletions) }]);
}

function sectionsOf(
  sections: readonly {
    readonly table: TableName;
    readonly lines: readonly (readonly string[])[];
  }[],
): string {
  return sections.filter(({ lines }) => lines.length > 0)
    .map(({ table, lines }) => formatTable(table, lines)).join("");
}

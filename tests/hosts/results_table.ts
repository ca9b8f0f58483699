/** What became of the host tests, one row for each and one column for each backend. */

/** What became of one test with one backend; `-`: there is no such test, or it was not run. */
export type Cell = "ok" | "FAILED" | "skipped" | "-";

const WORDS: Readonly<Record<string, Cell>> = { ok: "ok", FAILED: "FAILED", ignored: "skipped" };

const TITLE = "host test";

/**
 * The table, from what `deno test` printed.
 *
 * @param backends The names that titles of host tests begin with, as in `nftables: guests reach …`.
 * @returns Lines; none when no host test was run.
 */
export function resultsTable(output: string, backends: readonly string[]): readonly string[] {
  const rows = new Map<string, Map<string, Cell>>();
  for (const [, backend = "", test = "", word = ""] of output.matchAll(endOfTest(backends))) {
    const row = rows.get(test) ?? new Map<string, Cell>();
    rows.set(test, row.set(backend, WORDS[word] ?? "-"));
  }
  if (rows.size === 0) return [];
  const width = Math.max(...[TITLE, ...rows.keys()].map((test) => test.length));
  const line = (first: string, cells: readonly string[]): string =>
    [
      first.padEnd(width),
      ...cells.map((cell, column) => cell.padEnd(backends[column]?.length ?? 0)),
    ].join("  ").trimEnd();
  return [
    line(TITLE, backends),
    ...[...rows].map(([test, row]) => line(test, backends.map((name) => row.get(name) ?? "-"))),
  ];
}

/** `nftables: a sentence ... ok (1s)`, at the end of a test without steps and of one with them. */
function endOfTest(backends: readonly string[]): RegExp {
  return new RegExp(`^(${backends.join("|")}): (.*) \\.\\.\\. (ok|FAILED|ignored)\\b`, "gm");
}

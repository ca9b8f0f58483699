/** Numbers out of repeated runs. */

/** The middle of the values; robust against the moments in which the machine did something else. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}

/** Milliseconds that the work takes. */
export async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** One way of doing something, to be compared with others. */
export interface Candidate {
  readonly name: string;
  /** Done before each run, not counted. */
  readonly prepare?: () => Promise<unknown>;
  /** Gives the number to compare; by default the milliseconds that it takes. */
  readonly run: () => Promise<number | void>;
}

/**
 * Medians of all candidates, by name. They take turns, so that a machine that becomes slower or faster
 * on the way does so for all of them.
 */
export async function compare(
  candidates: readonly Candidate[],
  rounds: number,
): Promise<ReadonlyMap<string, number>> {
  const values = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, prepare, run } of candidates) {
      await prepare?.();
      let result: number | void = undefined;
      const time = await milliseconds(async () => {
        result = await run();
      });
      values.get(name)?.push(result ?? time);
    }
  }
  return new Map([...values].map(([name, all]) => [name, median(all)]));
}

/** Prints a table to standard output. */
export function printTable(title: string, rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length))
  );
  const lines = rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()
  );
  const text = ["", title, "", ...lines, ""].join("\n");
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

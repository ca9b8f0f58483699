/** What an operation costs with few and with many networks: time, and the number of programs. */
import { makeNamespace, removeNamespace } from "../hosts/namespace.ts";
import { median, milliseconds, printTable } from "./measure.ts";
import { bundleProgram, type Program } from "./program.ts";

const COUNTS = [1, 50, 200, 1000];
const BACKENDS = ["nftables", "iptables"];
const ROUNDS = 5;

/** Prints the table. */
export async function benchOperations(): Promise<void> {
  await using program = await bundleProgram();
  const namespace = await makeNamespace("bench");
  try {
    const rows: string[][] = [];
    for (const backend of BACKENDS) {
      for (const count of COUNTS) {
        rows.push(await measureCount(program, namespace, backend, count));
      }
    }
    printTable(`Operations: medians of ${ROUNDS} runs, milliseconds`, [
      ["backend", "networks", "up", "up again", "reload", "one more", "check", "down"],
      ...rows,
    ]);
  } finally {
    await removeNamespace(namespace);
  }
}

async function measureCount(
  program: Program,
  namespace: string,
  backend: string,
  count: number,
): Promise<string[]> {
  const files = await program.definitions(count);
  const last = files.slice(-1);
  const name = `bench${count - 1}`;
  const chosen = ["--backend", backend];
  const steps: readonly (readonly string[])[] = [
    ["up", ...chosen, ...files],
    ["up", ...chosen, ...files],
    ["reload", ...chosen],
    ["up", ...chosen, ...last],
    ["check"],
    ["down", "--all"],
  ];
  const times = steps.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, step] of steps.entries()) {
      if (index === 3) await program.run(namespace, ["down", name]);
      times[index]?.push(await milliseconds(() => program.run(namespace, step)));
    }
  }
  return [backend, String(count), ...times.map((values) => median(values).toFixed(0))];
}

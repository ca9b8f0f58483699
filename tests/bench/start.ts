/** How long a command takes, compared with a Deno program that does nothing and the nft it needs. */
import { bundle } from "../../dist/bundle.ts";
import { configure, makeNamespace, removeNamespace } from "../hosts/namespace.ts";
import { mustRun } from "../hosts/run_program.ts";
import { compare, printTable } from "./measure.ts";
import { bundleProgram, MEMORY } from "./program.ts";

const ROUNDS = 30;

/** Prints the table. */
export async function benchStart(): Promise<void> {
  await using program = await bundleProgram();
  const shipped = `${await Deno.makeTempDir({ dir: MEMORY, prefix: "bridgewall-shipped-" })}/`;
  await bundle(shipped);
  const wrapper = await Deno.readTextFile(`${shipped}bridgewall`);
  await Deno.writeTextFile(
    `${shipped}bridgewall`,
    wrapper.replace("/var/cache/bridgewall", `${shipped}cache`),
  );
  await Deno.symlink(Deno.execPath(), `${shipped}deno`);
  const namespace = await makeNamespace("bench");
  try {
    await configure(namespace, ["link add br0 type bridge"]);
    const [file = ""] = await program.definitions(1);
    const script = await program.run(namespace, ["plan", file]);
    const down = (): Promise<unknown> => program.run(namespace, ["down", "--all"]);
    const times = await compare([
      { name: "deno run, nothing", run: () => ignore(mustRun(program.nothing)) },
      {
        name: "nft -f, the script of up",
        prepare: () => mustRun(["nft", "flush", "ruleset"], { namespace }),
        run: () => ignore(mustRun(["nft", "-f", "-"], { namespace, stdin: script })),
      },
      { name: "bridgewall --version", run: () => ignore(program.run(namespace, ["--version"])) },
      {
        name: "bridgewall --version, the shipped script",
        run: () => ignore(mustRun([`${shipped}bridgewall`, "--version"])),
      },
      { name: "bridgewall plan", run: () => ignore(program.run(namespace, ["plan", file])) },
      {
        name: "bridgewall up",
        prepare: down,
        run: () => ignore(program.run(namespace, ["up", file])),
      },
      { name: "bridgewall status", run: () => ignore(program.run(namespace, ["status"])) },
    ], ROUNDS);
    const base = (times.get("deno run, nothing") ?? NaN) +
      (times.get("nft -f, the script of up") ?? NaN);
    printTable(`Start: medians of ${ROUNDS} runs in turns, one nat network`, [
      ["what", "ms", "of nothing + nft"],
      ...[...times].map(([name, time]) => [name, time.toFixed(1), (time / base).toFixed(2)]),
    ]);
  } finally {
    await removeNamespace(namespace);
    await Deno.remove(shipped, { recursive: true });
  }
}

async function ignore(work: Promise<unknown>): Promise<void> {
  await work;
}

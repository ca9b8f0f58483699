/** What firewalld needs for few and for many networks: most of it is its own reload. */
import { startFirewalld } from "../hosts/firewalld_host.ts";
import { mustRun } from "../hosts/run_program.ts";
import { makeHost } from "../hosts/topology.ts";
import { milliseconds, printTable } from "./measure.ts";
import { bundleProgram, type Program } from "./program.ts";

const COUNTS = [1, 5, 10];

/** Prints the table. Needs firewalld, dbus and busctl as well. */
export async function benchFirewalld(): Promise<void> {
  await using program = await bundleProgram();
  const rows: string[][] = [];
  for (const rules of ["nftables", "iptables"] as const) {
    for (const count of COUNTS) rows.push(await measureCount(program, rules, count));
  }
  printTable("firewalld: one run each, milliseconds", [
    ["FirewallBackend", "networks", "up", "up again", "firewalld's reload", "check", "down"],
    ...rows,
  ]);
}

async function measureCount(
  program: Program,
  rules: "nftables" | "iptables",
  count: number,
): Promise<string[]> {
  await using host = await makeHost([]);
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-bench-" });
  host.atEnd.defer(() => Deno.remove(directory, { recursive: true }));
  const firewalld = await startFirewalld(host, directory, rules);
  const files = await program.definitions(count);
  const run = (args: readonly string[]): Promise<number> =>
    milliseconds(() => program.run(host.host, args, firewalld.onHost));
  const times = [
    await run(["up", "--backend", "firewalld", ...files]),
    await run(["up", "--backend", "firewalld", ...files]),
    await milliseconds(() =>
      mustRun(firewalld.onHost(["firewall-cmd", "--reload"]), { namespace: host.host })
    ),
    await run(["check"]),
    await run(["down", "--all"]),
  ];
  return [rules, String(count), ...times.map((value) => value.toFixed(0))];
}

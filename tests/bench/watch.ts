/**
 * What `bridgewall watch` costs while nothing happens, before and after it had to put rules back, and how long
 * traffic is out when somebody removes all rules: the longest time without an answer to a stream of datagrams
 * through a published port.
 */
import { startInNamespace } from "../hosts/background.ts";
import { PROJECT } from "../hosts/bridgewall.ts";
import { mustRun } from "../hosts/run_program.ts";
import { definition, testNetwork } from "../hosts/test_network.ts";
import { makeTopology, type Topology } from "../hosts/topology.ts";
import { ANSWERING_PORT } from "../hosts/namespace.ts";
import { median, printTable } from "./measure.ts";
import { bundleProgram, type Program } from "./program.ts";

/** How often all rules are removed, and how many milliseconds apart: enough not to be taken for a fight. */
const CASES = [
  { count: 1, rounds: 100, every: 1300 },
  { count: 200, rounds: 100, every: 1300 },
  { count: 1000, rounds: 20, every: 10_000 },
] as const;
/** In milliseconds: it looks several times while what it listens to begins (`core/commands/follow_signs.ts`). */
const BEGINS = 32_000;
const IDLE_SECONDS = 10;
const PORT = 8080;
const GUEST = "10.98.0.10";

const NETWORK = testNetwork(0, "served", {
  forward: '<forward mode="nat"/>',
  addresses: ["10.98.0.1/16"],
  guests: { guest: [`${GUEST}/16`] },
});

/** Prints the table. */
export async function benchWatch(): Promise<void> {
  await using program = await bundleProgram();
  const rows: string[][] = [];
  for (const backend of ["nftables", "iptables"]) {
    for (const one of CASES) {
      await using topology = await makeTopology([NETWORK]);
      const { count, rounds } = one;
      const measured = await measure(program, topology, backend, one);
      rows.push([backend, ...[count, rounds].map(String), ...measured]);
    }
  }
  printTable("bridgewall watch: all rules are removed under traffic", [
    [
      ...["backend", "networks", "times", "resident MB", "afterwards", "CPU idle"],
      ...["outage median ms", "longest ms", "left"],
    ],
    ...rows,
  ]);
}

async function measure(
  program: Program,
  { host, uplink }: Topology,
  backend: string,
  { count, rounds, every }: (typeof CASES)[number],
): Promise<string[]> {
  const file = await Deno.makeTempFile({ suffix: ".xml" });
  await Deno.writeTextFile(file, definition(NETWORK));
  const others = (await program.definitions(count)).slice(1);
  await program.run(host, ["up", "--backend", backend, file, ...others]);
  await Deno.remove(file);
  await program.run(host, ["publish", "served", `${PORT}:${GUEST}:${ANSWERING_PORT}/udp`]);
  const watching = startInNamespace(host, program.argv(["watch"]));
  await pause(BEGINS);
  await restsAgain(watching.pid);
  const before = await processorTime(watching.pid);
  await pause(1000 * IDLE_SECONDS);
  const spent = await processorTime(watching.pid) - before;
  const resident = await residentMegabytes(watching.pid);
  const script = `${PROJECT}tests/bench/outage.ts`;
  const flags = ["run", "--quiet", "--no-config", "--no-lock", "--unstable-net", "--allow-net"];
  const stream = startInNamespace(uplink.outside.namespace, [
    ...[Deno.execPath(), ...flags, script, uplink.host4, String(PORT)],
  ]);
  await stream.read();
  const flush = backend === "nftables" ? ["nft", "flush", "ruleset"] : ["nft", "-f", "-"];
  for (let round = 0; round < rounds; round++) {
    await mustRun(flush, {
      namespace: host,
      stdin: backend === "nftables" ? "" : "flush ruleset\n",
    });
    await pause(every);
  }
  await stream.write("end");
  const gaps: number[] = JSON.parse(await stream.read() ?? "[]");
  const check = await program.run(host, ["check"]);
  await restsAgain(watching.pid);
  const afterwards = await residentMegabytes(watching.pid);
  Deno.kill(watching.pid, "SIGTERM");
  while (await watching.read() !== undefined);
  await watching[Symbol.asyncDispose]();
  await stream[Symbol.asyncDispose]();
  await program.run(host, ["down", "--all"]);
  const outages = gaps.slice(0, rounds);
  return [
    resident.toFixed(0),
    afterwards.toFixed(0),
    `${(100 * spent / (IDLE_SECONDS * 100)).toFixed(1)} %`,
    median(outages).toFixed(0),
    Math.max(...outages).toFixed(0),
    check === "" ? "nothing" : check,
  ];
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** In hundredths of a second, the programs that it follows left out: they are asleep (proc(5)). */
async function processorTime(pid: number): Promise<number> {
  const fields = (await Deno.readTextFile(`/proc/${pid}/stat`)).replace(/^.*\) /, "").split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Until it has done nothing for longer than a listing takes, and with that has given back what it needed. */
async function restsAgain(pid: number): Promise<void> {
  let [before, now] = [-1, await processorTime(pid)];
  while (now > before) {
    await pause(3000);
    [before, now] = [now, await processorTime(pid)];
  }
}

async function residentMegabytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/**
 * What a published port costs with few and with many of them: one more, for the whole program and for nft
 * alone; and the first packet of a connection, on which the kernel decides where it goes.
 */
import { PROJECT } from "../hosts/bridgewall.ts";
import { inNamespace, mustRun } from "../hosts/run_program.ts";
import { definition, testNetwork } from "../hosts/test_network.ts";
import { makeTopology, type Topology } from "../hosts/topology.ts";
import { compare, median, milliseconds, printTable } from "./measure.ts";
import { bundleProgram, type Program } from "./program.ts";

const COUNTS = [10, 1000, 10_000];
const ROUNDS = 7;
/** Each is a connection that the kernel has to decide about. */
const FLOWS = 2000;

const FIRST = 20_000;
const RANGE = { start: 40_000, end: 49_999 };
const NETWORK = "many";
const GUEST = "10.98.0.10";

/** Prints both tables. */
export async function benchPublish(): Promise<void> {
  await using program = await bundleProgram();
  const network = testNetwork(0, NETWORK, {
    forward: '<forward mode="nat"/>',
    addresses: ["10.98.0.1/16"],
    guests: { guest: [`${GUEST}/16`] },
  });
  await using topology = await makeTopology([network]);
  await using answering = await startAnswering(topology);
  const changes: string[][] = [];
  const packets: string[][] = [];
  for (const count of COUNTS) {
    const file = await Deno.makeTempFile({ suffix: ".xml" });
    try {
      await Deno.writeTextFile(file, withPorts(definition(network), count));
      await program.run(topology.host, ["up", "--backend", "nftables", file]);
      changes.push([String(count), ...await changeTimes(program, topology.host)]);
      packets.push([String(count), ...await packetTimes(topology, count)]);
      await program.run(topology.host, ["down", NETWORK]);
    } finally {
      await Deno.remove(file);
    }
  }
  printTable(`One more published port: medians of ${ROUNDS} runs, milliseconds`, [
    ["ports", "publish", "of that nft", "nft with a range", "unpublish"],
    ...changes,
  ]);
  printTable(`The first packet and its answer: medians of ${FLOWS} UDP flows, microseconds`, [
    ["ports", "to the first", "to the last", "into a range of 10000"],
    ...packets,
  ]);
  answering.child.kill();
}

/** So many single ports, and a range that is one element. */
function withPorts(xml: string, count: number): string {
  const ports = Array.from({ length: count }, (_, index) => {
    const port = FIRST + index;
    return `<b:publish proto="udp" port="${port}" to="${GUEST}:${port - FIRST + 1}"/>`;
  });
  const range = `<b:publish proto="udp" port="${RANGE.start}-${RANGE.end}" to="${GUEST}"/>`;
  const metadata = `<metadata><b:network xmlns:b="urn:bridgewall:network:1">${
    [...ports, range].join("")
  }</b:network></metadata>`;
  return xml.replace("</name>", `</name>${metadata}`);
}

async function changeTimes(program: Program, host: string): Promise<string[]> {
  const spec = `9:${GUEST}:9/tcp`;
  const [publishing, unpublishing]: number[][] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    publishing?.push(await milliseconds(() => program.run(host, ["publish", NETWORK, spec])));
    unpublishing?.push(await milliseconds(() => program.run(host, ["unpublish", NETWORK, spec])));
  }
  const nft = (lines: readonly string[]) => () =>
    mustRun(["nft", "-f", "-"], {
      namespace: host,
      stdin: lines.map((line) => `${line}\n`).join(""),
    });
  const add = (elements: readonly string[]): string[] =>
    elements.map((element) => `add element inet bridgewall ${element}`);
  const remove = (elements: readonly string[]): string[] =>
    elements.map((element) => `delete element inet bridgewall ${element.replace(/ : .* }/, " }")}`);
  const single = [
    `publish_any_ipv4 { tcp . 9 : ${GUEST} . 9 }`,
    `published_ipv4 { tcp . ${GUEST} . 9 }`,
  ];
  const range = [
    `publish_any_ranges_ipv4 { tcp . 10000-19999 : ${GUEST} }`,
    `published_ranges_ipv4 { tcp . ${GUEST} . 10000-19999 }`,
  ];
  const times = await compare([
    { name: "single", prepare: nft([]), run: async () => void await nft(add(single))() },
    { name: "without", run: async () => void await nft(remove(single))() },
    { name: "range", run: async () => void await nft(add(range))() },
    { name: "without range", run: async () => void await nft(remove(range))() },
  ], ROUNDS);
  return [
    median(publishing ?? []).toFixed(0),
    (times.get("single") ?? NaN).toFixed(1),
    (times.get("range") ?? NaN).toFixed(1),
    median(unpublishing ?? []).toFixed(0),
  ];
}

/** All ports lead to ports that answer only where they are asked here. */
async function packetTimes({ uplink }: Topology, count: number): Promise<string[]> {
  const time = async (port: number): Promise<number> =>
    Number(
      await mustRun([...SCRIPT, uplink.host4, String(FLOWS), String(port)], {
        namespace: uplink.outside.namespace,
      }),
    );
  const ports = { first: FIRST, last: FIRST + count - 1, range: RANGE.end };
  const times = await compare(
    Object.entries(ports).map(([name, port]) => ({ name, run: () => time(port) })),
    3,
  );
  return Object.keys(ports).map((name) => (times.get(name) ?? NaN).toFixed(1));
}

const SCRIPT = [
  ...[Deno.execPath(), "run", "--quiet", "--no-config", "--no-lock", "--unstable-net"],
  ...["--allow-net", `${PROJECT}tests/bench/first_packets.ts`],
];

/** The guest answers where the first, the last and the end of the range lead. */
async function startAnswering(
  topology: Topology,
): Promise<AsyncDisposable & { readonly child: Deno.ChildProcess }> {
  const ports = [1, ...COUNTS, RANGE.end].map(String);
  const [program = "", ...args] = inNamespace(
    topology.guest("guest").namespace,
    [...SCRIPT, "answer", ...ports],
  );
  const child = new Deno.Command(program, { args, stdout: "piped", stderr: "null" }).spawn();
  const reader = child.stdout.getReader();
  await reader.read(); // it says that it listens
  reader.releaseLock();
  return {
    child,
    [Symbol.asyncDispose]: async () => {
      await child.status;
    },
  };
}

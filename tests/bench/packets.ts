/**
 * What a forwarded packet costs: small UDP packets from a guest to the outside, as many as the machine
 * can send. Needs two processors; on a machine that others use too, the numbers differ by a tenth and more
 * from run to run. The kernel forwards them in the sender's own time, so fewer packets mean dearer ones.
 */
import { mustRun } from "../hosts/run_program.ts";
import { makeTopology, type Topology } from "../hosts/topology.ts";
import { testNetwork } from "../hosts/test_network.ts";
import { compare, printTable } from "./measure.ts";
import { benchNetwork, bundleProgram, type Program } from "./program.ts";

const ROUNDS = 9;
const MANY = 1000;
/** For iptables, where each network costs every packet something. */
const SOME = 200;

const MASQUERADE = `table ip plain {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "eth0" masquerade
  }
}
`;

/** Prints the table. */
export async function benchPackets(): Promise<void> {
  await using program = await bundleProgram();
  // The first, the last and none of ours: guests of three bridges.
  const first = { ...benchNetwork(0), guests: guest(0) };
  const last = { ...benchNetwork(MANY - 1), guests: guest(MANY - 1) };
  const other = testNetwork(5000, "other", {
    addresses: ["10.99.0.1/24"],
    guests: { other: OTHER },
  });
  await using topology = await makeTopology([first, last, other]);
  const { host, uplink } = topology;
  await mustRun(["sysctl", "-qw", "net.ipv4.ip_forward=1"], { namespace: host });
  const server = await startServer(uplink.outside.namespace);
  try {
    const files = await program.definitions(MANY);
    const rates = await compare(candidates(program, topology, files), ROUNDS);
    const [plain, one] = [rates.get(PLAIN) ?? NaN, rates.get(ONE) ?? NaN];
    printTable(`Packets: medians of ${ROUNDS} turns of a second, UDP with 32 bytes`, [
      ["rules, and whose packet", "packets/s", "of one masquerade rule", "of one network"],
      ...[...rates].map(([name, rate]) => [
        name,
        rate.toFixed(0),
        (rate / plain).toFixed(3),
        (rate / one).toFixed(3),
      ]),
    ]);
  } finally {
    server.kill();
    await server.status;
  }
}

const PLAIN = "one masquerade rule";
const ONE = "1 network, its own";
const OTHER = ["10.99.0.10/24"];

function guest(index: number): Readonly<Record<string, readonly string[]>> {
  const subnet = `10.${100 + Math.floor(index / 250)}.${index % 250}`;
  return { [`g${index}`]: [`${subnet}.10/24`] };
}

function candidates(
  program: Program,
  { host, uplink, guest: guestNamed }: Topology,
  files: readonly string[],
): Parameters<typeof compare>[0] {
  const outside = uplink.outside.v4;
  const flush = (): Promise<string> => mustRun(["nft", "flush", "ruleset"], { namespace: host });
  const send = (name: string) => (): Promise<number> => rate(guestNamed(name).namespace, outside);
  const many = async (): Promise<void> => {
    await flush();
    await program.run(host, ["up", ...files]);
  };
  const iptables = (count: number) => async (): Promise<void> => {
    await program.run(host, ["down", "--all"]);
    await program.run(host, ["up", "--backend", "iptables", ...files.slice(-count)]);
  };
  return [
    { name: "no rules", prepare: flush, run: send("other") },
    {
      name: PLAIN,
      prepare: () => mustRun(["nft", "-f", "-"], { namespace: host, stdin: MASQUERADE }),
      run: send("g0"),
    },
    {
      name: ONE,
      prepare: async () => {
        await program.run(host, ["down", "--all"]);
        await flush();
        await program.run(host, ["up", ...files.slice(0, 1)]);
      },
      run: send("g0"),
    },
    { name: "1 network, none of ours", run: send("other") },
    { name: `${MANY} networks, the first`, prepare: many, run: send("g0") },
    { name: `${MANY} networks, the last`, run: send(`g${MANY - 1}`) },
    { name: `${MANY} networks, none of ours`, run: send("other") },
    { name: "iptables: 1 network, its own", prepare: iptables(1), run: send(`g${MANY - 1}`) },
    {
      name: `iptables: ${SOME} networks, the last`,
      prepare: iptables(SOME),
      run: send(`g${MANY - 1}`),
    },
    { name: `iptables: ${SOME} networks, none of ours`, run: send("other") },
  ];
}

/** Sender and receiver keep a processor each, and the kernel has freed what the last rules held. */
const SETTLED_MILLISECONDS = 1000;

async function rate(namespace: string, address: string): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, SETTLED_MILLISECONDS));
  const args = ["-c", address, "-u", "-b", "0", "-l", "32", "-t", "1", "-J"];
  const answer: unknown = JSON.parse(
    await mustRun(["taskset", "-c", "1", "iperf3", ...args], { namespace }),
  );
  const { packets, seconds } = (answer as { end: { sum: { packets: number; seconds: number } } })
    .end.sum;
  return packets / seconds;
}

async function startServer(namespace: string): Promise<Deno.ChildProcess> {
  const server = new Deno.Command("ip", {
    args: ["netns", "exec", namespace, "taskset", "-c", "0", "iperf3", "-s", "--forceflush"],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = server.stdout.getReader();
  await reader.read(); // it says that it listens
  reader.releaseLock();
  return server;
}

/** Connections that began before a port led where it leads: what becomes of them, and of all others. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { startInNamespace, startResponder } from "./background.ts";
import { BACKENDS, type BackendUnderTest } from "./backends.ts";
import { showBridged } from "./bridged_to_firewall.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { NOBODY, startDatagrams } from "./datagrams.ts";
import { NAT66, ROUTE } from "./five_networks.ts";
import { hidePrograms } from "./hidden_programs.ts";
import { flushEverything } from "./iptables_variant.ts";
import { ANSWERING_PORT, type Place } from "./namespace.ts";
import { publishing } from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { mustRun, run } from "./run_program.ts";
import { bare, isIpv6, type TestNetwork } from "./test_network.ts";
import { makeTopology, place, type Topology } from "./topology.ts";
import { tcp } from "./traffic.ts";
import { trustEveryone } from "./trust_everyone.ts";

/**
 * Led to the first guest, to the host itself, to nobody, to the host itself by 127.0.0.1; the last stays as
 * it is.
 */
const [PORT, OF_HOST, OF_NOBODY, OF_LOCAL, OTHER] = [8080, 8081, 8082, 8083, 8090];

type Letter = "a" | "b";

function guest(letter: Letter, over: "v4" | "v6"): string {
  const [v4 = "", v6 = ""] = (NAT66.guests[`${NAT66.name}-${letter}`] ?? []).map(bare);
  return over === "v4" ? v4 : `[${v6}]`;
}

/** The ports in both protocols and families, as SPECs. */
function specs(letter: Letter, ...ports: readonly number[]): readonly string[] {
  return ports.flatMap((port) =>
    (["v4", "v6"] as const).flatMap((over) =>
      ["tcp", "udp"].map((proto) => `${port}:${guest(letter, over)}:${ANSWERING_PORT}/${proto}`)
    )
  );
}

function by(letter: Letter): string {
  return `${NAT66.name}-${letter}:${ANSWERING_PORT}`;
}

/** A TCP connection on which lines are said one by one. */
interface Talk extends AsyncDisposable {
  /** Who answers the next line; `nobody` when the connection is broken, or silent. */
  next(): Promise<string>;
}

function startTalk({ namespace }: Place, to: string, port: number, fromPort: number): Talk {
  const address = isIpv6(to) ? `TCP6:[${to}]` : `TCP4:${to}`;
  const socket = `${address}:${port},sourceport=${fromPort},reuseaddr`;
  const socat = startInNamespace(namespace, ["socat", "-", socket]);
  return {
    next: async () => {
      const silence = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => silence.resolve(undefined), 1500);
      // What is broken takes no line.
      await socat.write("still there?").catch(() => undefined);
      const line = await Promise.race([socat.read(), silence.promise]);
      clearTimeout(timer);
      return line?.split(" ")[2] ?? NOBODY;
    },
    [Symbol.asyncDispose]: () => socat[Symbol.asyncDispose](),
  };
}

/** What goes on in a test: one who asks, again and again. */
interface Going {
  readonly says: string;
  readonly asks: { next(): Promise<string> };
  readonly isOfGuest: boolean;
  /** The entry in the kernel's table is told from others by this port. */
  readonly fromPort: number;
}

function startAll(
  { host, uplink, secondUplink, guest }: Topology,
  stack: AsyncDisposableStack,
): Readonly<
  Record<"stale" | "broken" | "ofHost" | "ofNobody" | "local" | "others", readonly Going[]>
> {
  const { outside } = uplink;
  const { outside: second } = secondUplink;
  const [neighbour, route] = [guest(`${NAT66.name}-b`), guest(`${ROUTE.name}-a`)];
  let fromPort = 40_000;
  const start = (
    begin: typeof startDatagrams | typeof startTalk,
    says: string,
    from: Place,
    to: string,
    port: number,
  ): Going => {
    const number = fromPort++;
    const kind = begin === startTalk ? "TCP" : "UDP";
    const asks = stack.use(begin(from, to, port, number));
    return {
      says: `${says} (${kind}, ${isIpv6(to) ? "IPv6" : "IPv4"})`,
      asks,
      isOfGuest: [neighbour, route].includes(from),
      fromPort: number,
    };
  };
  const udp = startDatagrams;
  const itself = place(host, [uplink.host4, uplink.host6]);
  const [bridge4 = "", bridge6 = ""] = NAT66.addresses.map(bare);
  const [routed4 = "", routed6 = ""] = ROUTE.addresses.map(bare);
  const toHost = (port: number): readonly Going[] => [
    start(udp, `outside to ${port}`, outside, uplink.host4, port),
    start(udp, `outside to ${port}`, outside, uplink.host6, port),
    start(udp, `the host to ${port}`, itself, bridge4, port),
    start(udp, `a guest to ${port}`, neighbour, bridge4, port),
    start(udp, `a guest to ${port}`, neighbour, bridge6, port),
    start(udp, `a guest of another network to ${port}`, route, routed4, port),
    start(udp, `a guest of another network to ${port}`, route, routed6, port),
  ];
  return {
    stale: toHost(PORT),
    broken: [
      start(startTalk, "outside", outside, uplink.host4, PORT),
      start(startTalk, "outside", outside, uplink.host6, PORT),
      start(startTalk, "the host", itself, uplink.host4, PORT),
      start(startTalk, "a guest of another network", route, routed6, PORT),
    ],
    local: [start(udp, "the host to 127.0.0.1", itself, "127.0.0.1", OF_LOCAL)],
    ofHost: toHost(OF_HOST),
    ofNobody: toHost(OF_NOBODY),
    others: [udp, startTalk].flatMap((begin) => [
      start(begin, "to another port of the guest", outside, uplink.host4, OTHER),
      start(begin, "to another port of the guest", outside, uplink.host6, OTHER),
      start(begin, "of a guest to the same port elsewhere", neighbour, outside.v4, PORT),
      start(begin, "of a guest to the same port elsewhere", neighbour, outside.v6, PORT),
      start(begin, "of the host to the same port elsewhere", itself, outside.v4, PORT),
      start(begin, "to the same port of a routed guest", outside, route.v4, PORT),
      start(begin, "through the host to the same port", second, outside.v4, PORT),
    ]),
  };
}

/** Everyone's next question is answered so. */
async function proveNext(
  { t, host, firewalld }: Proof,
  says: string,
  going: readonly Going[],
  answer: string,
): Promise<void> {
  const answers = await Promise.all(going.map(({ asks }) => asks.next()));
  await t.step(says, async (step) => {
    for (const [index, one] of going.entries()) {
      // Where firewalld is, the host's ports are closed to guests.
      const isClosed = firewalld !== undefined && one.isOfGuest && answer.startsWith("host:");
      const expected = isClosed ? NOBODY : answer;
      if (answers[index] === expected) continue;
      const entries = (await entriesOf(host, [one])).join("\n");
      await step.step(one.says, () => assertEquals(answers[index], expected, entries));
    }
  });
}

/** What is proved where. */
interface Proof extends BackendUnderTest {
  readonly t: Deno.TestContext;
  /** Whose table shows why, when it fails. */
  readonly host: string;
}

/** The entries of these connections in the host's table, in whatever direction they were made. */
async function entriesOf(host: string, going: readonly Going[]): Promise<readonly string[]> {
  const listed = await Promise.all(
    ["ipv4", "ipv6"].map((family) =>
      mustRun(["conntrack", "-L", "-f", family, "-o", "id"], { namespace: host })
    ),
  );
  const lines = listed.join("").split("\n");
  return going.flatMap(({ fromPort }) =>
    lines.filter((line) => new RegExp(` [sd]port=${fromPort} `).test(line))
  );
}

/** Each entry by what nothing but itself has. */
function idsOf(entries: readonly string[]): readonly (string | undefined)[] {
  return entries.map((line) => line.match(/ id=\d+/)?.[0]);
}

/** Answers on ports of the host, until the test ends. */
async function answerOnHost({ atEnd, host }: Topology, ports: readonly number[]): Promise<void> {
  atEnd.use(await startResponder(host, ports));
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: connections follow a published port, and no others are touched`,
    tools: [...tools, "conntrack"],
    body: async (t) => {
      await using topology = await makeTopology([NAT66, ROUTE], [ANSWERING_PORT, PORT]);
      await showBridged(topology.host, false);
      await answerOnHost(topology, [PORT, OF_HOST, OF_LOCAL]);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      await bridgewall.up(NAT66, ROUTE);
      const change = (
        command: string,
        ...ports: readonly string[]
      ): ReturnType<Bridgewall["run"]> => bridgewall.succeed([command, NAT66.name, ...ports]);
      await change("publish", ...specs("a", PORT, OTHER));
      const proof = { ...backend, t, host: topology.host };
      await using stack = new AsyncDisposableStack();
      const { stale, broken, ofHost, ofNobody, local, others } = startAll(topology, stack);
      await Promise.all([...others, ...stale].map(({ asks }) => asks.next()));
      const before = idsOf(await entriesOf(topology.host, others));
      assertEquals(before.length, others.length);
      await proveNext(proof, "before", [...stale, ...broken], by("a"));
      await proveNext(proof, "before, the host answers", ofHost, `host:${OF_HOST}`);
      await proveNext(proof, "before, the host answers itself", local, `host:${OF_LOCAL}`);
      await proveNext(proof, "before, nobody answers", ofNobody, NOBODY);
      await change("publish", ...specs("b", PORT));
      await proveNext(proof, "sent to another guest", stale, by("b"));
      await proveNext(
        proof,
        "sent to another guest, which knows no such connection",
        broken,
        NOBODY,
      );
      await change("publish", ...specs("a", OF_HOST, OF_NOBODY));
      await proveNext(proof, "published, where the host had answered", ofHost, by("a"));
      await proveNext(proof, "published, where nobody had answered", ofNobody, by("a"));
      // firewalld: `publish_localhost_test.ts`.
      if (backend.firewalld === undefined) {
        const [, ofLocal = ""] = specs("a", OF_LOCAL);
        await change("publish", ofLocal, "--localhost");
        await proveNext(
          proof,
          "published on 127.0.0.1, where the host had answered",
          local,
          by("a"),
        );
        await change("unpublish", ofLocal);
      }
      await change("unpublish", ...specs("b", PORT), ...specs("a", OF_HOST, OF_NOBODY));
      await proveNext(proof, "taken back", stale, `host:${PORT}`);
      await proveNext(proof, "taken back", ofHost, `host:${OF_HOST}`);
      await proveNext(proof, "taken back", ofNobody, NOBODY);
      await proveNext(proof, "taken back", local, `host:${OF_LOCAL}`);
      await t.step("all others are the connections that they were", async (step) => {
        for (const { says, asks } of others) {
          await step.step(says, async () => assertEquals(await asks.next() === NOBODY, false));
        }
        assertEquals(idsOf(await entriesOf(topology.host, others)), before);
      });
    },
  });

  hostTest({
    name: `${name}: connections follow a port that up, reload and down lead elsewhere`,
    tools: [...tools, "conntrack"],
    body: async (t) => {
      await using topology = await makeTopology([NAT66]);
      const { host, uplink: { outside, host4 } } = topology;
      await answerOnHost(topology, [PORT]);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      const leading = (letter: Letter): TestNetwork =>
        publishing(NAT66, [{
          proto: "udp",
          port: PORT,
          to: `${guest(letter, "v4")}:${ANSWERING_PORT}`,
        }]);
      await using stream = startDatagrams(outside, host4, PORT, 40_000);
      const expect = async (says: string, expected: string): Promise<void> => {
        await t.step(says, async () => assertEquals(await stream.next(), expected));
      };
      await expect("before", `host:${PORT}`);
      await bridgewall.up(leading("a"));
      await expect("up with a port", by("a"));
      await bridgewall.up(leading("b"));
      await expect("up again with another guest", by("b"));
      await bridgewall.up(NAT66);
      await expect("up again without the port", `host:${PORT}`);
      await bridgewall.up(leading("a"));
      await flushEverything(host, backend);
      // The kernel may have forgotten it together with the last rule that needed it.
      await run(["conntrack", "-D", "-p", "udp", "--orig-port-dst", String(PORT)], {
        namespace: host,
      });
      await expect("somebody removes all rules", `host:${PORT}`);
      await bridgewall.succeed(["reload"]);
      await expect("reload", by("a"));
      await bridgewall.down(NAT66);
      await expect("down", `host:${PORT}`);
    },
  });

  hostTest({
    name:
      `${name}: without conntrack a port is published all the same, and a warning says what that means`,
    tools,
    body: async () => {
      await using topology = await makeTopology([NAT66]);
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(NAT66);
      await using hidden = await hidePrograms(["conntrack"]);
      const publish = async (letter: Letter): Promise<string> => {
        const argv = hidden.wrap(bridgewall.argv(["publish", NAT66.name, ...specs(letter, PORT)]));
        const { code, stderr } = await run(argv, { namespace: topology.host });
        assertEquals(code, 0, stderr);
        return stderr;
      };
      for (const letter of ["a", "b"] as const) {
        assertStringIncludes(
          await publish(letter),
          "Connections that began before go on as they were",
        );
        const { by: answered } = await tcp(topology.uplink.outside, topology.uplink.host4, {
          port: PORT,
        });
        assertEquals(answered, by(letter));
      }
    },
  });
}

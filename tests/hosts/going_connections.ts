/** Connections of everybody to ports of the host and of others, which go on while those change. */
import { assertEquals } from "@std/assert";
import { startInNamespace } from "./background.ts";
import type { BackendUnderTest } from "./backends.ts";
import { NOBODY, startDatagrams } from "./datagrams.ts";
import { NAT66, ROUTE } from "./five_networks.ts";
import type { Place } from "./namespace.ts";
import { mustRun } from "./run_program.ts";
import { bare, isIpv6 } from "./test_network.ts";
import { place, type Topology } from "./topology.ts";

/**
 * Led to the first guest, to the host itself, to nobody, to the host itself by 127.0.0.1; the last stays as
 * it is.
 */
export const [PORT, OF_HOST, OF_NOBODY, OF_LOCAL, OTHER] = [8080, 8081, 8082, 8083, 8090];

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
export interface Going {
  readonly says: string;
  readonly asks: { next(): Promise<string> };
  readonly isOfGuest: boolean;
  /** The entry in the kernel's table is told from others by this port. */
  readonly fromPort: number;
}

/** Begins to ask: by datagrams, or by a connection of TCP. */
type Start = (
  begin: typeof startDatagrams | typeof startTalk,
  says: string,
  from: Place,
  to: string,
  port: number,
) => Going;

/** Everybody who asks in a test, by who answers at first; `stale` and `broken` ask the first guest. */
export function startAll(
  topology: Topology,
  stack: AsyncDisposableStack,
): Readonly<
  Record<"stale" | "broken" | "ofHost" | "ofNobody" | "local" | "others", readonly Going[]>
> {
  const { host, uplink: { outside, host4, host6 }, guest } = topology;
  const start = startOf(topology, stack);
  const itself = place(host, [host4, host6]);
  const routed = bare(ROUTE.addresses[1] ?? "");
  return {
    stale: askHost(topology, start, PORT),
    broken: [
      start(startTalk, "outside", outside, host4, PORT),
      start(startTalk, "outside", outside, host6, PORT),
      start(startTalk, "the host", itself, host4, PORT),
      start(startTalk, "a guest of another network", guest(ROUTED), routed, PORT),
    ],
    local: [start(startDatagrams, "the host to 127.0.0.1", itself, "127.0.0.1", OF_LOCAL)],
    ofHost: askHost(topology, start, OF_HOST),
    ofNobody: askHost(topology, start, OF_NOBODY),
    others: [startDatagrams, startTalk].flatMap((begin) => askOthers(topology, start, begin)),
  };
}

/** The guests who ask. */
const [NEIGHBOUR, ROUTED] = [`${NAT66.name}-b`, `${ROUTE.name}-a`];

function startOf({ guest }: Topology, stack: AsyncDisposableStack): Start {
  const guests = [guest(NEIGHBOUR), guest(ROUTED)];
  let next = 40_000;
  return (begin, says, from, to, port) => {
    const fromPort = next++;
    const kind = begin === startTalk ? "TCP" : "UDP";
    return {
      says: `${says} (${kind}, ${isIpv6(to) ? "IPv6" : "IPv4"})`,
      asks: stack.use(begin(from, to, port, fromPort)),
      isOfGuest: guests.includes(from),
      fromPort,
    };
  };
}

/** Everybody asks one port of the host, by the nearest address of it. */
function askHost(
  { host, uplink: { outside, host4, host6 }, guest }: Topology,
  start: Start,
  port: number,
): readonly Going[] {
  const [bridge4 = "", bridge6 = ""] = NAT66.addresses.map(bare);
  const [routed4 = "", routed6 = ""] = ROUTE.addresses.map(bare);
  const ask = (who: string, from: Place, to: string): Going =>
    start(startDatagrams, `${who} to ${port}`, from, to, port);
  return [
    ask("outside", outside, host4),
    ask("outside", outside, host6),
    ask("the host", place(host, [host4, host6]), bridge4),
    ask("a guest", guest(NEIGHBOUR), bridge4),
    ask("a guest", guest(NEIGHBOUR), bridge6),
    ask("a guest of another network", guest(ROUTED), routed4),
    ask("a guest of another network", guest(ROUTED), routed6),
  ];
}

/** What has the same guest, or the same port, and is nobody's business. */
function askOthers(
  { host, uplink: { outside, host4, host6 }, secondUplink, guest }: Topology,
  start: Start,
  begin: typeof startDatagrams | typeof startTalk,
): readonly Going[] {
  const [neighbour, route] = [guest(NEIGHBOUR), guest(ROUTED)];
  const itself = place(host, [host4, host6]);
  return [
    start(begin, "to another port of the guest", outside, host4, OTHER),
    start(begin, "to another port of the guest", outside, host6, OTHER),
    start(begin, "of a guest to the same port elsewhere", neighbour, outside.v4, PORT),
    start(begin, "of a guest to the same port elsewhere", neighbour, outside.v6, PORT),
    start(begin, "of the host to the same port elsewhere", itself, outside.v4, PORT),
    start(begin, "to the same port of a routed guest", outside, route.v4, PORT),
    start(begin, "through the host to the same port", secondUplink.outside, outside.v4, PORT),
  ];
}

/** Everyone's next question is answered so. */
export async function proveNext(
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
export interface Proof extends BackendUnderTest {
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

/** Each entry that they have made, by what nothing but itself has. */
export async function idsOf(host: string, going: readonly Going[]): Promise<readonly string[]> {
  const ports = going.map(({ fromPort }) => String(fromPort));
  return (await entriesOf(host, going))
    .filter((line) => ports.includes(line.match(/ sport=(\d+) /)?.[1] ?? ""))
    .map((line) => line.match(/ id=\d+/)?.[0] ?? line).sort();
}

/** Prefixes that belong to no network: what leaves them leaves as the host. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { ask, ASKING_TOOLS, startAsking } from "./asking.ts";
import { startResponder } from "./background.ts";
import { BACKENDS, NFTABLES } from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { type Claim, passedAs, prove, REFUSED, resultsOf } from "./claims.ts";
import { attachContainer } from "./container.ts";
import { NOBODY, startDatagrams } from "./datagrams.ts";
import { ISOLATED, NAT, ROUTE } from "./five_networks.ts";
import { flushEverything } from "./iptables_variant.ts";
import { ANSWERING_PORT, changeSetting, configure, type Place } from "./namespace.ts";
import { addressOf, isTranslated, numberOf, proveLive } from "./prefixes.ts";
import { answered, provePorts, publishing } from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { mustRun } from "./run_program.ts";
import { bare, isIpv6, type TestNetwork } from "./test_network.ts";
import { makeHost, makeTopology, type Topology } from "./topology.ts";
import { trustEveryone } from "./trust_everyone.ts";
import { arrivals, startWitness } from "./witness.ts";

/** One inside the other. */
const RINGS = ["10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/28"] as const;

/** An address in each of them and in no smaller one; the last is in none. */
const IN_RINGS = ["10.9.0.5", "10.0.9.5", "10.0.0.5", "11.0.0.5"] as const;

/** The same of a machine outside. */
const OUT_RINGS = ["10.200.0.9", "10.0.200.9", "10.0.0.9"] as const;

/** Gives the outside these addresses, too. */
async function moveOutside(
  { host, uplink: { outside, device } }: Topology,
  addresses: readonly string[],
): Promise<void> {
  await configure(outside.namespace, addresses.map((one) => `addr add ${one} dev eth0`));
  await configure(host, addresses.map((one) => `route add ${one} dev ${device}`));
}

/** Who sends to whom. */
interface Pair {
  readonly source: string;
  readonly destination: string;
}

/** What the outside sees each container's address come from is what these prefixes say. */
async function proveSources(
  { uplink: { host4, host6 } }: Topology,
  container: Place,
  prefixes: readonly string[],
  pairs: readonly Pair[],
): Promise<void> {
  const asked = await resultsOf(
    pairs,
    ({ source, destination }) => ask("tcp", container, destination, { from: source }),
  );
  const lines = (seen: (pair: Pair, index: number) => string): readonly string[] =>
    pairs.map((pair, index) => `${pair.source} to ${pair.destination} as ${seen(pair, index)}`);
  assertEquals(
    lines((_pair, index) => {
      const { source, outcome } = asked[index]?.[1] ?? { outcome: "not asked" };
      return source === undefined ? outcome : inFull(source.address);
    }),
    lines(({ source, destination }) =>
      inFull(
        !isTranslated(prefixes, source, destination) ? source : isIpv6(source) ? host6 : host4,
      )
    ),
  );
}

/** One text for each address. */
function inFull(address: string): string {
  return addressOf(numberOf(address), isIpv6(address) ? 128 : 32);
}

/** All ways to put them in a row. */
function orders<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  if (items.length < 2) return [items];
  return items.flatMap((item) =>
    orders(items.filter((other) => other !== item)).map((rest) => [item, ...rest])
  );
}

async function change(bridgewall: Bridgewall, ...args: readonly string[]): Promise<void> {
  await bridgewall.succeed(["masquerade", ...args]);
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name:
      `${name}: masqueraded prefixes inside one another go in every order, and the rest stays right`,
    tools: [...tools, ...ASKING_TOOLS],
    body: async (t) => {
      await using topology = await makeTopology([]);
      const { host, uplink: { outside } } = topology;
      const container = await attachContainer(topology, IN_RINGS);
      await startAsking(topology, [container]);
      await moveOutside(topology, OUT_RINGS);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      const before = await firewallState(host);
      const pairs = [
        ...IN_RINGS.map((source) => ({ source, destination: outside.v4 })),
        ...OUT_RINGS.map((destination) => ({ source: IN_RINGS[2], destination })),
      ];
      const prove = async (prefixes: readonly string[]): Promise<void> => {
        await proveLive(host, backend, bridgewall, prefixes);
        await proveSources(topology, container, prefixes, pairs);
      };
      const all = orders(RINGS);
      // firewalld takes a second for each.
      const chosen = backend.firewalld === undefined ? all : [all[0] ?? [], all[3] ?? []];
      for (const order of chosen) {
        await t.step(`removed: ${order.join(", ")}`, async (step) => {
          await change(bridgewall, "add", ...order);
          let left: readonly string[] = RINGS;
          await step.step("all", () => prove(left));
          for (const prefix of order.slice(0, -1)) {
            await change(bridgewall, "remove", prefix);
            left = left.filter((one) => one !== prefix);
            const rest = left;
            await step.step(`${rest.join(", ")} left`, () => prove(rest));
          }
          await bridgewall.succeed(["check"]);
          await change(bridgewall, "remove", ...order);
          await step.step("none left", async () => {
            assertEquals(await firewallState(host), before);
          });
        });
      }
      await t.step("none: nothing is translated", () => prove([]));
    },
  });
}

/** What is typed after `masquerade`, and a word of the answer. */
const BAD: readonly (readonly [args: readonly string[], word: string])[] = [
  [[], "masqueraded prefixes"],
  [["add"], "add nothing"],
  [["remove"], "remove nothing"],
  [["put", "10.0.0.0/8"], "put"],
  [["list", "10.0.0.0/8"], "list"],
  [["add", "0.0.0.0/0"], "0.0.0.0/0"],
  [["add", "::/0"], "::/0"],
  [["add", "10.1.2.3/0"], "10.1.2.3/0"],
  [["add", "10.0.0.0/33"], "10.0.0.0/33"],
  [["add", "fd00::/129"], "fd00::/129"],
  [["add", "10/8"], "10/8"],
  [["add", "10.0.0.0/255.0.0.0"], "255.0.0.0"],
  [["add", "elsewhere"], "elsewhere"],
  // One that is good does not help the other.
  [["add", "10.0.0.0/8", "0.0.0.0/0"], "0.0.0.0/0"],
];

hostTest({
  name:
    "what is no prefix, or every address, is not masqueraded (exit code 2), and nothing is loaded",
  tools: NFTABLES.tools,
  body: async (t) => {
    await using host = await makeHost([]);
    const bridgewall = await openBridgewall(host, NFTABLES);
    const results = await resultsOf(BAD, ([args]) => bridgewall.run(["masquerade", ...args]));
    for (const [[args, word], { code, stderr }] of results) {
      await t.step(`masquerade ${args.join(" ")}`, () => {
        assertEquals(code, 2, stderr);
        assertStringIncludes(stderr, word);
      });
    }
    await t.step("no table is there, and nothing is listed", async () => {
      assertEquals(await mustRun(["nft", "list", "ruleset"], { namespace: host.host }), "");
      const { stdout } = await bridgewall.succeed(["masquerade", "list", "--json"]);
      assertEquals(JSON.parse(stdout), { prefixes: [], drift: [] });
      await bridgewall.succeed(["masquerade", "remove", "10.0.0.0/8"]);
      assertEquals(await mustRun(["nft", "list", "ruleset"], { namespace: host.host }), "");
    });
  },
});

/** Prefixes of random length with random bits, their first and last address, and the ones beside them. */
function randomPrefixes(
  seed: number,
  bits: 32 | 128,
  lengths: { readonly min: number; readonly max: number },
): readonly { readonly prefix: string; readonly addresses: readonly string[] }[] {
  const arbitrary = fc.record({
    // Addresses that a host routes like any others: 32.0.0.0 to 95.255.255.255, 2000:: to 5fff:….
    value: fc.bigInt(1n << BigInt(bits - 3), (3n << BigInt(bits - 3)) - 1n),
    length: fc.integer(lengths),
  });
  return fc.sample(arbitrary, { seed, numRuns: 8 }).map(({ value, length }) => {
    const size = 1n << BigInt(bits - length);
    const first = value - value % size;
    const numbers = [first - 1n, first, value, first + size - 1n, first + size];
    return {
      prefix: `${addressOf(value, bits)}/${length}`,
      addresses: numbers.map((one) => addressOf(one, bits)),
    };
  });
}

/** Where the container's addresses are, and none of a network. */
const [CONTAINERS4, CONTAINERS6] = ["10.0.0.0/24", "fd00:3::/64"] as const;
const PORT = 8080;
const PUBLISHING = publishing(NAT, [
  { proto: "tcp", port: PORT, to: `192.168.101.10:${ANSWERING_PORT}` },
]);

/** Who sees the container, or a guest, come from where. */
async function proveSeen(
  t: Deno.TestContext,
  topology: Topology,
  container: Place,
  isMasqueraded: boolean,
): Promise<void> {
  const { guest, uplink: { outside, host4, host6 } } = topology;
  const [nat, route] = [guest(`${NAT.name}-a`), guest(`${ROUTE.name}-a`)];
  const isolated = guest(`${ISOLATED.name}-a`);
  const seen = (host: string, itself: string): string => isMasqueraded ? host : itself;
  const claim = (says: string, from: Place, to: Place, over: "v4" | "v6", as: string): Claim => ({
    says,
    from,
    to,
    over,
    expect: as === "" ? REFUSED : passedAs(as),
  });
  const bridge = (network: TestNetwork, index: number): string =>
    bare(network.addresses[index] ?? "");
  await prove(t, [
    claim("the container asks outside", container, outside, "v4", seen(host4, container.v4)),
    claim("the container asks outside", container, outside, "v6", seen(host6, container.v6)),
    claim("a routed guest", container, route, "v4", seen(bridge(ROUTE, 0), container.v4)),
    claim("a routed guest", container, route, "v6", seen(bridge(ROUTE, 1), container.v6)),
    claim("a nat guest", container, nat, "v4", ""),
    claim("an isolated guest", container, isolated, "v6", ""),
    claim("a nat guest asks outside", nat, outside, "v4", host4),
    claim("a routed guest asks outside", route, outside, "v4", route.v4),
    claim("a routed guest asks the container", route, container, "v4", route.v4),
    claim("an isolated guest asks outside", isolated, outside, "v4", ""),
  ]);
  await provePorts(t, [{
    says: "the container asks a published port",
    from: container,
    at: host4,
    port: PORT,
    expect: answered(`${NAT.name}-a`, ANSWERING_PORT, seen(bridge(NAT, 0), container.v4)),
  }], ["tcp"]);
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: masqueraded prefixes and networks come and go without one another`,
    tools,
    body: async (t) => {
      const networks = [PUBLISHING, ROUTE, ISOLATED];
      await using topology = await makeTopology(networks);
      const { host } = topology;
      const container = await attachContainer(topology, ["10.0.0.5", "fd00:3::5"]);
      topology.atEnd.use(await startResponder(container.namespace));
      await startWitness(container.namespace);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      const before = await firewallState(host);
      await bridgewall.up(...networks);
      const without = await firewallState(host);
      const prefixes = [CONTAINERS4, CONTAINERS6];
      await change(bridgewall, "add", ...prefixes);
      await t.step("beside networks", (step) => proveSeen(step, topology, container, true));
      await t.step("flushed: check tells it, reload brings all back", async (step) => {
        await flushEverything(host, backend);
        const { code, stdout } = await bridgewall.run(["check"]);
        assertEquals(code, 3, stdout);
        await bridgewall.succeed(["reload"]);
        await bridgewall.succeed(["check"]);
        await proveSeen(step, topology, container, true);
      });
      await t.step("removed, the networks are as they were", async () => {
        await change(bridgewall, "remove", ...prefixes);
        assertEquals(await firewallState(host), without);
      });
      await t.step("without networks", async (step) => {
        await change(bridgewall, "add", ...prefixes);
        const { stderr } = await bridgewall.succeed(["masquerade", "add", "192.168.103.0/25"]);
        assertStringIncludes(stderr, ROUTE.name);
        await bridgewall.down(...networks);
        await proveLive(host, backend, bridgewall, [...prefixes, "192.168.103.0/25"]);
        const { uplink: { outside, host4 } } = topology;
        await prove(step, [{
          says: "the container asks outside",
          from: container,
          to: outside,
          over: "v4",
          expect: passedAs(host4),
        }]);
        await bridgewall.succeed(["check"]);
      });
      await t.step("after the last one nothing is left", async () => {
        await change(bridgewall, "remove", ...prefixes, "192.168.103.0/25");
        assertEquals(await firewallState(host), before);
      });
    },
  });

  hostTest({
    name:
      `${name}: what a prefix has sent before it was masqueraded is sent by the host from then on`,
    tools: [...tools, "conntrack"],
    body: async () => {
      await using topology = await makeTopology([]);
      const { host, uplink: { outside, host4 } } = topology;
      await changeSetting(host, "net.ipv4.ip_forward", 1);
      const container = await attachContainer(topology, ["10.0.0.5"]);
      // As on the internet: nobody knows the way back.
      await configure(outside.namespace, ["route add blackhole 10.0.0.0/8"]);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      // Something has to keep the kernel's table.
      await change(bridgewall, "add", "10.1.0.0/16");
      await using stream = startDatagrams(container, outside.v4, ANSWERING_PORT, 40_000);
      assertEquals(await stream.next(), NOBODY);
      await change(bridgewall, "add", "10.0.0.0/24");
      assertEquals(await stream.next(), `eth0:${ANSWERING_PORT}`);
      const sources = (await arrivals(outside.namespace)).map(({ source }) => source);
      assertEquals([...new Set(sources)].sort(), ["10.0.0.5", host4].sort());
    },
  });

  hostTest({
    name: `${name}: masqueraded prefixes of any length begin and end where they say`,
    tools: [...tools, ...ASKING_TOOLS],
    body: async (t) => {
      const seed = Number(Deno.env.get("BRIDGEWALL_SEED") ?? Math.floor(Math.random() * 2 ** 31));
      const chosen = [
        ...randomPrefixes(seed, 128, { min: 8, max: 128 }),
        ...randomPrefixes(seed, 32, { min: 4, max: 32 }),
      ];
      const prefixes = chosen.map(({ prefix }) => prefix);
      const addresses = [...new Set(chosen.flatMap((one) => one.addresses))];
      await using topology = await makeTopology([]);
      const { host, uplink: { outside } } = topology;
      const container = await attachContainer(topology, addresses);
      await startAsking(topology, [container]);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      const before = await firewallState(host);
      await t.step(`BRIDGEWALL_SEED=${seed}: ${prefixes.join(", ")}`, async () => {
        await change(bridgewall, "add", ...prefixes);
        await proveLive(host, backend, bridgewall, prefixes);
        await proveSources(
          topology,
          container,
          prefixes,
          addresses.map((source) => ({
            source,
            destination: isIpv6(source) ? outside.v6 : outside.v4,
          })),
        );
        await bridgewall.succeed(["check"]);
      });
      await t.step("removed as they were written", async () => {
        await change(bridgewall, "remove", ...prefixes);
        assertEquals(await firewallState(host), before);
      });
    },
  });
}

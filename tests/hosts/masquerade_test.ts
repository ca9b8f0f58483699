/** Prefixes that belong to no network: what leaves them leaves as the host. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { ask, ASKING_TOOLS, startAsking } from "./asking.ts";
import { BACKENDS, NFTABLES } from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { resultsOf } from "./claims.ts";
import { attachContainer } from "./container.ts";
import { configure, type Place } from "./namespace.ts";
import { addressOf, isTranslated, numberOf, proveLive } from "./prefixes.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { mustRun } from "./run_program.ts";
import { isIpv6 } from "./test_network.ts";
import { makeHost, makeTopology, type Topology } from "./topology.ts";
import { trustEveryone } from "./trust_everyone.ts";

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

for (const backend of BACKENDS) {
  const { name, tools } = backend;
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

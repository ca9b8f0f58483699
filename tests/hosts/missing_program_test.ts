/** Hosts that lost a program, or never had it: what can be done is done, and the rest is said. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  BACKENDS,
  type BackendUnderTest,
  IPTABLES,
  IPTABLES_LEGACY,
  IPTABLES_NFT,
  NFTABLES,
} from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { passedAs, prove, REFUSED } from "./claims.ts";
import { ISOLATED, NAT, NAT66, proveAlone } from "./five_networks.ts";
import { type HiddenPrograms, hidePrograms } from "./hidden_programs.ts";
import { hostTest } from "./requirements.ts";
import { type FirewallParts, firewallParts, firewallState } from "./ruleset.ts";
import { type Finished, mustRun, run } from "./run_program.ts";
import { proveSideBySide } from "./side_by_side.ts";
import { testNetwork } from "./test_network.ts";
import { makeHost, makeTopology } from "./topology.ts";

const NETWORKS = [NAT, ISOLATED, NAT66] as const;
const ONLY_V4 = testNetwork(106, "only4", {
  forward: '<forward mode="nat"/>',
  addresses: ["192.168.106.1/24"],
});

/** Networks of one backend, whose programs then are gone. */
interface Abandoned {
  readonly host: string;
  readonly older: Bridgewall;
  readonly newer: Bridgewall;
  /** What stood before the networks. */
  readonly before: FirewallParts;
  /** Runs a command of the newer backend where the programs of the older are gone. */
  without(args: readonly string[]): Promise<Finished>;
}

async function abandon(
  older: BackendUnderTest,
  newer: BackendUnderTest,
  then: (abandoned: Abandoned) => Promise<void>,
): Promise<void> {
  await using place = await makeHost(NETWORKS);
  const { host } = place;
  const first = await openBridgewall(place, older);
  const second = await first.under(newer);
  const before = await firewallParts(host);
  await first.up(...NETWORKS);
  await using hidden = await hideBackend(older);
  await then({
    host,
    older: first,
    newer: second,
    before,
    without: (args) => run(hidden.wrap(second.argv(args)), { namespace: host }),
  });
}

function hideBackend({ variant }: BackendUnderTest): Promise<HiddenPrograms> {
  return hidePrograms(
    variant === undefined
      ? ["nft"]
      : ["iptables", "ip6tables", "xtables"].map((beginning) => `${beginning}-${variant}`),
  );
}

/** Does what the warnings say: each names a command, and shows its input indented. */
async function followWarnings(host: string, stderr: string): Promise<void> {
  const advice = [...stderr.matchAll(/run `([^`]+)` with this input:\n((?: {2}.*\n)+)/g)];
  assert(advice.length > 0, stderr);
  for (const [, command = "", input = ""] of advice) {
    const stdin = input.replaceAll(/^ {2}/gm, "");
    await mustRun(command.split(" "), { namespace: host, stdin });
  }
}

async function proveReload({ without }: Abandoned): Promise<Finished> {
  const reloaded = await without(["reload"]);
  assertEquals(reloaded.code, 0, reloaded.stderr);
  const { code, stdout } = await without(["check"]);
  assertEquals(code, 3, "what was left behind is not forgotten");
  for (const { name } of NETWORKS) assertStringIncludes(stdout, `"${name}"`);
  return reloaded;
}

const PAIRS = [
  [NFTABLES, IPTABLES_LEGACY],
  [IPTABLES_NFT, NFTABLES],
  [IPTABLES_LEGACY, NFTABLES],
] as const;

for (const [older, newer] of PAIRS) {
  const [program = ""] = older.tools.filter((tool) => tool !== "iptables");
  hostTest({
    name:
      `${older.name}: where its program is gone, networks move and go, and what is left is told`,
    tools: [...older.tools, ...newer.tools, "unshare", "mount"],
    body: async (t) => {
      await proveSideBySide(t, [
        {
          says: "after a reload with another backend the warning tells how to remove the rest",
          prove: () =>
            abandon(older, newer, async (abandoned) => {
              const { stderr } = await proveReload(abandoned);
              assertStringIncludes(stderr, `"${program}" is not installed`);
              await followWarnings(abandoned.host, stderr);
              await proveAlone(abandoned.host, abandoned.before, newer);
              await abandoned.newer.succeed(["reload"]);
              await abandoned.newer.succeed(["check"]);
            }),
        },
        {
          says: "once the program is back, the next reload removes the rest by itself",
          prove: () =>
            abandon(older, newer, async (abandoned) => {
              await proveReload(abandoned);
              await abandoned.newer.succeed(["reload"]);
              await proveAlone(abandoned.host, abandoned.before, newer);
              await abandoned.newer.succeed(["check"]);
            }),
        },
        {
          says: "down succeeds, and tells how to remove the rest",
          prove: () =>
            abandon(older, newer, async ({ host, before, without }) => {
              const { code, stderr } = await without(["down", "--all"]);
              assertEquals(code, 0, stderr);
              await followWarnings(host, stderr);
              const { tc: _tc, ...rules } = await firewallParts(host);
              const { tc: _before, ...expected } = before;
              assertEquals(rules, expected);
            }),
        },
      ]);
    },
  });
}

for (const backend of BACKENDS) {
  const others = backend === NFTABLES ? ["iptables", "ip6tables", "xtables"] : ["nft"];
  hostTest({
    name: `${backend.name}: every command works on a host that has no other firewall program`,
    tools: [...backend.tools, "unshare", "mount"],
    body: async (t) => {
      await using place = await makeHost([NAT, ISOLATED]);
      const { host } = place;
      const bridgewall = await openBridgewall(place, backend);
      const before = await firewallState(host);
      await using hidden = await hidePrograms(others);
      const files = await Promise.all([NAT, ISOLATED].map(bridgewall.write));
      for (const args of [["up", ...files], ["check"], ["status"], ["reload"], ["down", "--all"]]) {
        await t.step(args[0] ?? "", async () => {
          const argv = hidden.wrap(bridgewall.argv(args));
          const { code, stderr } = await run(argv, { namespace: host });
          assertEquals(code, 0, stderr);
        });
      }
      assertEquals(await firewallState(host), before);
    },
  });
}

for (const backend of IPTABLES) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: a host without ip6tables gets its IPv4 networks, and is warned`,
    tools: [...tools, "unshare", "mount"],
    body: async (t) => {
      await using topology = await makeTopology([ONLY_V4]);
      const { host, uplink, uplink: { outside } } = topology;
      const bridgewall = await openBridgewall(topology, backend);
      const before = await firewallState(host);
      await using hidden = await hidePrograms(["ip6tables"]);
      const without = (args: readonly string[]): Promise<Finished> =>
        run(hidden.wrap(bridgewall.argv(args)), { namespace: host });
      const file = await bridgewall.write(ONLY_V4);
      await t.step("a network with IPv4 only comes up, with a warning", async () => {
        const { code, stderr } = await without(["up", file]);
        assertEquals(code, 0, stderr);
        assertMatch(stderr, /warning: .*IPv6.*ip6tables/);
      });
      const guest = topology.guest("only4-a");
      await prove(t, [
        { says: "out", from: guest, to: outside, over: "v4", expect: passedAs(uplink.host4) },
        { says: "in is refused", from: outside, to: guest, over: "v4", expect: REFUSED },
      ]);
      await t.step("a network that uses IPv6 is refused, and nothing is changed", async () => {
        const one = await firewallState(host);
        const { code, stderr } = await without(["up", await bridgewall.write(NAT66)]);
        assert(code === 1 || code === 4, `${code}: ${stderr}`);
        assertStringIncludes(stderr, "ip6tables");
        assertEquals(await firewallState(host), one);
      });
      await t.step("check finds nothing missing, and down leaves nothing", async () => {
        assertEquals((await without(["check"])).code, 0);
        assertEquals((await without(["down", "--all"])).code, 0);
        assertEquals(await firewallState(host), before);
      });
    },
  });
}

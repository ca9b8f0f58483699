/** Networks that move from one backend to another, and networks that live with different ones. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  BACKENDS,
  type BackendUnderTest,
  IPTABLES_LEGACY,
  IPTABLES_NFT,
  NFTABLES,
} from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { passedAs, prove, REFUSED } from "./claims.ts";
import {
  type Continuous,
  countWhile,
  startForbidden,
  startPings,
  startTalk,
} from "./continuous.ts";
import { DEVICE, FIVE, ISOLATED, NAT, NAT66, proveAlone, ROUTE } from "./five_networks.ts";
import { changeSetting } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { firewallParts, firewallState, loadDockerRules, loadForeignRules } from "./ruleset.ts";
import { makeTopology, type Topology } from "./topology.ts";
import { tcp } from "./traffic.ts";
import { arrivals } from "./witness.ts";

const ALL_TOOLS = [...new Set(BACKENDS.flatMap(({ tools }) => tools))];

/** Where the networks move, from iptables-legacy. */
const STAGES = [NFTABLES, IPTABLES_NFT, IPTABLES_LEGACY, NFTABLES] as const;

/** What passes all the time; the guests -b speak, so that nothing answers what the -a hear. */
function startAllowed({ guest, uplink: { outside } }: Topology): readonly Continuous[] {
  return [
    // Where the host answers DHCP, nftables needs tc: while that gives a bridge its place for filters, or
    // takes it, the kernel stops the bridge's queue for a moment (`qdisc_graft` in net/sched).
    startPings(guest(`${NAT.name}-b`), outside.v4, STAGES.length),
    startPings(guest(`${DEVICE.name}-b`), outside.v4),
    startPings(guest(`${NAT66.name}-b`), outside.v6),
    startPings(outside, guest(`${ROUTE.name}-b`).v6),
    startTalk(guest(`${NAT.name}-b`), outside.v4),
    startTalk(guest(`${NAT66.name}-b`), outside.v6),
    startTalk(guest(`${ROUTE.name}-b`), outside.v4),
  ];
}

/** What never passes. */
function startAllForbidden(topology: Topology): readonly Continuous[] {
  const { uplink: { outside }, secondUplink: { outside: second } } = topology;
  const [nat, device, route, isolated, nat66] = FIVE.map(({ name }) => topology.guest(`${name}-a`));
  if (!nat || !device || !route || !isolated || !nat66) throw new Error("five networks");
  return [
    startForbidden(outside, nat, "v4"),
    startForbidden(outside, isolated, "v4"),
    startForbidden(outside, isolated, "v6"),
    startForbidden(outside, nat66, "v6"),
    startForbidden(isolated, outside, "v4"),
    startForbidden(isolated, route, "v4"),
    startForbidden(nat, isolated, "v4"),
    startForbidden(nat66, nat, "v4"),
    startForbidden(device, second, "v4"),
  ];
}

async function reloadUnder(bridgewall: Bridgewall, backend: BackendUnderTest): Promise<void> {
  const next = await bridgewall.under(backend);
  await next.succeed(["reload"]);
  await next.succeed(["check"]);
}

hostTest({
  name: "networks move from backend to backend without a gap, a lost packet or a broken connection",
  tools: ALL_TOOLS,
  body: async (t) => {
    await using topology = await makeTopology(FIVE);
    const { host, uplink: { outside } } = topology;
    await changeSetting(host, "net.ipv6.conf.all.forwarding", 1);
    const bridgewall = await openBridgewall(topology, IPTABLES_LEGACY);
    for (const backend of STAGES) await bridgewall.under(backend);
    await loadForeignRules(host, IPTABLES_LEGACY);
    await loadDockerRules(host, IPTABLES_NFT);
    const before = await firewallParts(host);
    await bridgewall.up(...FIVE);
    await t.step(
      "they start with iptables-legacy",
      () => proveAlone(host, before, IPTABLES_LEGACY),
    );
    const going = [...startAllowed(topology), ...startAllForbidden(topology)];
    const seen = await countWhile(
      () => Promise.all([tcp(outside, topology.guest(`${DEVICE.name}-b`).v4)]),
      async () => {
        for (const stage of STAGES) {
          await t.step(`all move to ${stage.name}, nothing is left elsewhere`, async () => {
            await reloadUnder(bridgewall, stage);
            await proveAlone(host, before, stage);
          });
        }
      },
    );
    const ended = await Promise.allSettled(going.map((one) => one.end()));
    await t.step("all the time, what may pass passed and what may not did not", () => {
      const failures = ended.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
      assertEquals(failures.map(String), []);
      assertEquals([...seen.keys()], ["refused"]);
    });
    await t.step("no guest's own address was seen where it is translated", async () => {
      const sources = (await arrivals(outside.namespace)).map(({ source }) => source);
      for (const { name } of [NAT, DEVICE, NAT66]) {
        assertEquals(sources.includes(topology.guest(`${name}-b`).v4), false, name);
      }
      assertEquals(sources.includes(topology.guest(`${NAT66.name}-b`).v6), false);
    });
    await t.step("down leaves the host byte for byte as it was", async () => {
      await bridgewall.succeed(["down", "--all"]);
      assertEquals(await firewallParts(host), before);
    });
  },
});

/** The backend of networks that stand already, and the one that another network comes up with. */
const PAIRS = [
  [IPTABLES_LEGACY, NFTABLES],
  [NFTABLES, IPTABLES_NFT],
  [IPTABLES_NFT, IPTABLES_LEGACY],
] as const;

for (const [first, second] of PAIRS) {
  hostTest({
    name: `${second.name}: a network comes up beside one of another backend, each behind its own`,
    tools: [...first.tools, ...second.tools],
    body: async (t) => {
      await using topology = await makeTopology([NAT, ROUTE, ISOLATED]);
      const { host, uplink, uplink: { outside } } = topology;
      await changeSetting(host, "net.ipv6.conf.all.forwarding", 1);
      const older = await openBridgewall(topology, first);
      const newer = await older.under(second);
      const before = await firewallState(host);
      await older.up(NAT);
      const alone = await firewallState(host);
      await newer.up(ROUTE, ISOLATED);
      const [nat, route] = [topology.guest(`${NAT.name}-a`), topology.guest(`${ROUTE.name}-a`)];
      const isolated = topology.guest(`${ISOLATED.name}-a`);
      const { host4 } = uplink;
      const natOnRoute = "192.168.103.1";
      await prove(t, [
        { says: "the older, out", from: nat, to: outside, over: "v4", expect: passedAs(host4) },
        { says: "the older, in", from: outside, to: nat, over: "v4", expect: REFUSED },
        {
          says: "the newer, out",
          from: route,
          to: outside,
          over: "v4",
          expect: passedAs(route.v4),
        },
        {
          says: "the newer, in",
          from: outside,
          to: route,
          over: "v6",
          expect: passedAs(outside.v6),
        },
        {
          says: "where both agree",
          from: nat,
          to: route,
          over: "v4",
          expect: passedAs(natOnRoute),
        },
        { says: "newer to older", from: route, to: nat, over: "v4", expect: REFUSED },
        { says: "older to isolated", from: nat, to: isolated, over: "v4", expect: REFUSED },
        { says: "older to isolated", from: nat, to: isolated, over: "v6", expect: REFUSED },
        { says: "isolated to older", from: isolated, to: nat, over: "v4", expect: REFUSED },
        { says: "isolated to older", from: isolated, to: nat, over: "v6", expect: REFUSED },
      ]);
      await t.step("status names the backend of each", async () => {
        const { stdout } = await newer.succeed(["status", "--json"]);
        for (const { backend } of [first, second]) assertStringIncludes(stdout, `"${backend}"`);
        await newer.succeed(["check"]);
      });
      await t.step("each goes without the other", async () => {
        await newer.down(ROUTE, ISOLATED);
        assertEquals(await firewallState(host), alone);
        await newer.succeed(["down", "--all"]);
        assertEquals(await firewallState(host), before);
      });
    },
  });
}

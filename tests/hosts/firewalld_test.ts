/** Hosts on which firewalld runs: networks hold whatever it does, and it is the backend that is chosen. */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import {
  FIREWALLD_IPTABLES,
  FIREWALLD_NFTABLES,
  type FirewalldUnderTest,
  IPTABLES_NFT,
  NFTABLES,
} from "./backends.ts";
import { startResponder } from "./background.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { programArgv } from "./bundle.ts";
import { type Claim, passedAs, prove, REFUSED } from "./claims.ts";
import { startForbidden, startTalk } from "./continuous.ts";
import { askForLease, DHCP_TOOLS, startDhcpServer } from "./dhcp.ts";
import type { FirewalldHost } from "./firewalld_host.ts";
import { hostTest } from "./requirements.ts";
import { run } from "./run_program.ts";
import { testNetwork } from "./test_network.ts";
import { makeTopology, type Topology } from "./topology.ts";
import { SHORT_PATIENCE, tcp, udp } from "./traffic.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>', dhcp: true });
const ROUTE = testNetwork(102, "route", { forward: '<forward mode="route"/>' });

function firewalldOf({ firewalld }: Bridgewall): FirewalldHost {
  assert(firewalld !== undefined, "the host has no firewalld");
  return firewalld;
}

/** What holds for a nat network as long as it is up. */
function holdingNat({ guest, uplink, uplink: { outside } }: Topology): readonly Claim[] {
  const nat = guest("nat-a");
  return [
    { says: "nat, out", from: nat, to: outside, over: "v4", expect: passedAs(uplink.host4) },
    { says: "nat, in", from: outside, to: nat, over: "v4", expect: REFUSED },
    { says: "guests", from: nat, to: guest("nat-b"), over: "v4", expect: passedAs(nat.v4) },
  ];
}

/** What holds for both networks. */
function holding(topology: Topology): readonly Claim[] {
  const { guest, uplink: { outside } } = topology;
  const [nat, route] = [guest("nat-a"), guest("route-a")];
  return [
    ...holdingNat(topology),
    { says: "nat, out", from: nat, to: outside, over: "v6", expect: passedAs(nat.v6) },
    { says: "route, in", from: outside, to: route, over: "v4", expect: passedAs(outside.v4) },
    { says: "route, out", from: route, to: outside, over: "v6", expect: passedAs(route.v6) },
    { says: "route to nat", from: route, to: nat, over: "v4", expect: REFUSED },
  ];
}

/** For a connection to say enough, on a machine that has much to do. */
const LONG_ENOUGH_MILLISECONDS = 2000;

/** What may become of firewalld; with what it means for packets meanwhile. */
const EVENTS: readonly {
  readonly says: string;
  readonly isClosed: boolean;
  readonly happen: (firewalld: FirewalldHost) => Promise<unknown>;
}[] = [
  { says: "--reload", isClosed: true, happen: ({ command }) => command("--reload") },
  {
    says: "--complete-reload",
    isClosed: true,
    happen: ({ command }) => command("--complete-reload"),
  },
  {
    says: "stop and start",
    // While it is stopped there are no rules, and nothing is translated.
    isClosed: false,
    happen: async ({ stop, start }) => {
      await stop();
      await start();
    },
  },
];

async function proveHolding(t: Deno.TestContext, backend: FirewalldUnderTest): Promise<void> {
  await using topology = await makeTopology([NAT, ROUTE]);
  const { guest, uplink: { outside }, secondUplink: { outside: second } } = topology;
  const bridgewall = await openBridgewall(topology, backend);
  const firewalld = firewalldOf(bridgewall);
  const before = await firewalld.listings();
  await bridgewall.up(NAT, ROUTE);
  const up = await firewalld.listings();
  for (const { says, isClosed, happen } of EVENTS) {
    await t.step(`after ${says}`, async (step) => {
      const going = [
        startTalk(outside, guest("route-b").v6),
        ...(isClosed
          ? [
            startTalk(guest("nat-b"), outside.v4),
            startForbidden(second, guest("nat-a"), "v4"),
          ]
          : []),
      ];
      await new Promise((resolve) => setTimeout(resolve, LONG_ENOUGH_MILLISECONDS));
      await happen(firewalld);
      const ended = await Promise.allSettled(going.map((one) => one.end()));
      await step.step("connections go on, and nothing passed that must not", () => {
        const failures = ended.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
        assertEquals(failures.map(String), []);
      });
      await prove(step, holding(topology));
      await bridgewall.succeed(["check"]);
      assertEquals(await firewalld.listings(), up);
    });
  }
  await t.step("down leaves firewalld as it was", async () => {
    await bridgewall.down(NAT, ROUTE);
    assertEquals(await firewalld.listings(), before);
  });
}

for (const backend of [FIREWALLD_NFTABLES, FIREWALLD_IPTABLES]) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: networks hold through reload, complete reload and restart, under traffic`,
    tools,
    body: (t) => proveHolding(t, backend),
  });

  hostTest({
    name: `${name}: guests get what the host serves, and no other port of it`,
    tools: [...tools, ...DHCP_TOOLS],
    body: async () => {
      await using topology = await makeTopology([NAT]);
      const bridgewall = await openBridgewall(topology, backend);
      await using _server = startDhcpServer(topology.host, NAT);
      await bridgewall.up(NAT);
      const guest = topology.guest("nat-a");
      assertMatch(await askForLease(topology.guest("nat-b")) ?? "", /^192\.168\.101\./);
      await using _responder = await startResponder(topology.host);
      for (const probe of [tcp, udp]) {
        const { outcome } = await probe(guest, "192.168.101.1", { patience: SHORT_PATIENCE });
        assertNotEquals(outcome, "passed");
      }
    },
  });

  for (const other of [NFTABLES, IPTABLES_NFT]) {
    hostTest({
      name: `${name}: with the backend ${other.name} guests get DHCP and reach the outside as well`,
      tools: [...tools, ...other.tools, ...DHCP_TOOLS],
      body: async (t) => {
        await using topology = await makeTopology([NAT]);
        const first = await openBridgewall(topology, backend);
        const firewalld = firewalldOf(first);
        const before = await firewalld.listings();
        const bridgewall = await first.under(other);
        await using _server = startDhcpServer(topology.host, NAT);
        await bridgewall.up(NAT);
        const claims = holdingNat(topology);
        await t.step("at once", async (step) => {
          assertMatch(await askForLease(topology.guest("nat-b")) ?? "", /^192\.168\.101\./);
          await prove(step, claims);
          await bridgewall.succeed(["check"]);
        });
        await t.step("the bridge stays in its zone when firewalld reloads", async (step) => {
          await firewalld.command("--reload");
          // firewalld 1.3 empties the tables of iptables, whoever filled them.
          if (other === IPTABLES_NFT) await bridgewall.succeed(["reload"]);
          await prove(step, claims);
          await bridgewall.succeed(["check"]);
        });
        await t.step("down leaves firewalld as it was", async () => {
          await bridgewall.down(NAT);
          assertEquals(await firewalld.listings(), before);
        });
      },
    });
  }
}

hostTest({
  name: "where firewalld runs it is the backend, and `backends` says why",
  tools: FIREWALLD_NFTABLES.tools,
  body: async () => {
    await using topology = await makeTopology([NAT]);
    const bridgewall = await openBridgewall(topology, FIREWALLD_NFTABLES);
    const firewalld = firewalldOf(bridgewall);
    const automatic = async (...args: readonly string[]): Promise<string> => {
      const flags = bridgewall.flags.slice(0, bridgewall.flags.indexOf("--backend"));
      const argv = bridgewall.onHost([...await programArgv(), ...args, ...flags]);
      const { code, stdout, stderr } = await run(argv, { namespace: topology.host });
      assertEquals(code, 0, stderr);
      return stdout + stderr;
    };
    assertMatch(
      await automatic("backends"),
      /^firewalld +yes, chosen +firewalld [\d.]+ is running$/m,
    );
    await automatic("up", await bridgewall.write(NAT));
    assertEquals(await firewalld.command("--get-zone-of-interface=br101"), "bw-br101");
    await firewalld.stop();
    const said = await automatic("backends");
    assertMatch(said, /^firewalld +no +firewalld is not running$/m);
    assertMatch(said, /^nftables +yes, chosen/m);
  },
});

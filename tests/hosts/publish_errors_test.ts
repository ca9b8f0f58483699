/** What complains about a connection to a published port reaches those whom it concerns. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { startInNamespace } from "./background.ts";
import { BACKENDS } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { showBridged } from "./bridged_to_firewall.ts";
import { attachFarMachine, SMALL_MTU } from "./far_machine.ts";
import { ISOLATED, NAT66, ROUTE } from "./five_networks.ts";
import type { Place } from "./namespace.ts";
import { type PortClaim, provePorts, publishing } from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { mustRun, run } from "./run_program.ts";
import { bare, isIpv6, type TestNetwork } from "./test_network.ts";
import { makeTopology, place, type Topology } from "./topology.ts";
import { trustEveryone } from "./trust_everyone.ts";
import { arrivals } from "./witness.ts";

/** The guest sends much by TCP, much at once by UDP, and has nothing on the last. */
const [BY_TCP, BY_UDP, CLOSED] = [81, 82, 9];

/** More than a window, more than the way to the far machine takes. */
const [MUCH, AT_ONCE] = [200_000, 1400];

const NETWORKS = [NAT66, ISOLATED, ROUTE] as const;

type Over = "v4" | "v6";

/** A network's port of the host that leads to its guest's. */
function portOf({ bridge }: TestNetwork, port: number): number {
  return 100 * Number(bridge.slice(2)) + port;
}

/** @param onLocalhost Not where firewalld is: `publish_localhost_test.ts`. */
function publishingAll(network: TestNetwork, onLocalhost: boolean): TestNetwork {
  const [v4 = "", v6 = ""] = (network.guests[`${network.name}-a`] ?? []).map(bare);
  return publishing(
    network,
    [v4, `[${v6}]`].flatMap((guest) =>
      ([["tcp", BY_TCP], ["udp", BY_UDP], ["udp", CLOSED]] as const).map(([proto, port]) => ({
        proto,
        port: portOf(network, port),
        to: `${guest}:${port}`,
        ...(guest === v4 && onLocalhost ? { localhost: "yes" } as const : {}),
      }))
    ),
  );
}

/** Sends to whoever asks, until the test ends; waits until it listens. */
async function startSenders({ atEnd }: Topology, { namespace }: Place): Promise<void> {
  // Who closes a connection with something unread resets it, and what was sent last is lost.
  const send = (size: number): string => `SYSTEM:read line && head -c ${size} /dev/zero`;
  const [tcp, udp] = ["TCP6-LISTEN", "UDP6-RECVFROM"].map((kind, index) =>
    `${kind}:${[BY_TCP, BY_UDP][index]},fork,reuseaddr,ipv6only=0`
  );
  // The client has said all it has to say at once; without -t socat then ends after half a second.
  atEnd.use(startInNamespace(namespace, ["socat", "-t", "20", tcp ?? "", send(MUCH)]));
  atEnd.use(startInNamespace(namespace, ["socat", udp ?? "", send(AT_ONCE)]));
  const listens = (listing: string): boolean =>
    [BY_TCP, BY_UDP].every((port) => new RegExp(`:${port}\\s`).test(listing));
  for (let patience = 200; patience > 0; patience--) {
    if (listens(await mustRun(["ss", "-Hltun"], { namespace }))) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nobody sends in ${namespace}`);
}

/** How many bytes come back when the place asks; fewer, when no more come for some time. */
async function received(
  { namespace }: Place,
  protocol: "TCP" | "UDP",
  from: string,
  to: string,
  port: number,
): Promise<number> {
  const [family, bracket] = isIpv6(to)
    ? [6, (address: string): string => `[${address}]`] as const
    : [4, (address: string): string => address] as const;
  const socket = `${protocol}${family}:${bracket(to)}:${port},bind=${bracket(from)}`;
  // Datagrams have no end: it has to be waited for.
  const seconds = protocol === "TCP" ? "20" : "1";
  const script = 'echo hello | socat -T "$2" -t "$2" - "$1" | wc -c';
  return Number((await run(["sh", "-c", script, "sh", socket, seconds], { namespace })).stdout);
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  const onLocalhost = backend.firewalld === undefined;
  hostTest({
    name: `${name}: a guest behind a published port learns what the way to its client takes`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology(NETWORKS);
      const { host, uplink: { host4, host6 } } = topology;
      await showBridged(host, false);
      const far = await attachFarMachine(topology);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      await bridgewall.up(...NETWORKS.map((network) => publishingAll(network, onLocalhost)));
      const cases = NETWORKS.flatMap((network) =>
        (["v4", "v6"] as const).map((over) => ({
          network,
          over,
          guest: topology.guest(`${network.name}-a`),
          at: over === "v4" ? host4 : host6,
        }))
      );
      for (const network of NETWORKS) {
        await startSenders(topology, topology.guest(`${network.name}-a`));
      }
      const knowsMtu = async (guest: Place, far: string): Promise<void> => {
        const route = await mustRun(["ip", "route", "get", far], { namespace: guest.namespace });
        assertMatch(route, new RegExp(`mtu ${SMALL_MTU}`));
      };
      const results = await Promise.allSettled(cases.map(async ({ network, over, guest, at }) => {
        const [first, second] = [far.first, far.second];
        assertEquals(await received(first, "TCP", first[over], at, portOf(network, BY_TCP)), MUCH);
        await knowsMtu(guest, first[over]);
        // Nobody sends again what is too large; the next is sent in pieces.
        let size = 0;
        for (let patience = 5; size < AT_ONCE && patience > 0; patience--) {
          size = await received(second, "UDP", second[over], at, portOf(network, BY_UDP));
        }
        assertEquals(size, AT_ONCE);
        await knowsMtu(guest, second[over]);
      }));
      for (const [index, { network, over }] of cases.entries()) {
        await t.step(`${network.name} (IP${over})`, () => {
          const result = results[index];
          if (result?.status === "rejected") throw result.reason;
        });
      }
    },
  });

  hostTest({
    name: `${name}: who asks a published port that is closed at the guest is told so`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology(NETWORKS);
      const { host, uplink } = topology;
      await showBridged(host, false);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      await bridgewall.up(...NETWORKS.map((network) => publishingAll(network, onLocalhost)));
      await provePorts(
        t,
        NETWORKS.flatMap((network) =>
          (["v4", "v6"] as const).flatMap((over) => closedClaims(topology, network, over))
        ).filter(({ at }) => onLocalhost || at !== "127.0.0.1"),
        ["udp"],
      );
      for (const network of NETWORKS) {
        await t.step(`${network.name}: the guest itself has said it`, async () => {
          const { namespace } = topology.guest(`${network.name}-a`);
          const heard = (await arrivals(namespace)).filter(({ protocol }) => protocol === "udp");
          const sources = new Set(heard.map(({ source }) => source));
          for (
            const source of [uplink.outside.v4, uplink.outside.v6, ...network.addresses.map(bare)]
          ) {
            assert(sources.has(source), `${source} is not among ${[...sources].join(", ")}`);
          }
        });
      }
    },
  });
}

function closedClaims(
  { host, guest, uplink }: Topology,
  network: TestNetwork,
  over: Over,
): readonly PortClaim[] {
  const own = bare(network.addresses[over === "v4" ? 0 : 1] ?? "");
  const at = over === "v4" ? uplink.host4 : uplink.host6;
  const claim = (who: string, from: Place, at: string): PortClaim => ({
    says: `${network.name}: ${who}`,
    from,
    at,
    port: portOf(network, CLOSED),
    expect: "refused",
  });
  const itself = place(host, [uplink.host4, uplink.host6]);
  return [
    claim("the outside", uplink.outside, at),
    claim("the host", itself, own),
    claim("a guest of the same network", guest(`${network.name}-b`), own),
    claim("the guest itself", guest(`${network.name}-a`), own),
    ...(over === "v4" ? [claim("the host, by 127.0.0.1", itself, "127.0.0.1")] : []),
  ];
}

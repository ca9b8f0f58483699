/** 127.0.0.0/8 stays the host's own, also where its ports lead to guests. */
import { assertEquals, assertMatch } from "@std/assert";
import { ASKING_TOOLS, startAsking } from "./asking.ts";
import { startResponder } from "./background.ts";
import { BACKENDS, type BackendUnderTest } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { NAT, ROUTE } from "./five_networks.ts";
import { ANSWERING_PORT, changeSetting, configure, type Place, setting } from "./namespace.ts";
import { answered, type PortClaim, provePorts, publishing } from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { bare, type TestNetwork } from "./test_network.ts";
import { makeHost, makeTopology, place, type Topology } from "./topology.ts";
import { SHORT_PATIENCE, udp } from "./traffic.ts";
import { type Arrival, arrivals, startWitness, stopWitness } from "./witness.ts";

/** On 127.0.0.1 there answers the host itself, a guest, a guest alone; the last is on any other address. */
const [OF_HOST, PUBLISHED, ONLY_LOCAL, ELSEWHERE] = [8300, 8301, 8302, 8303];

/** A source that no packet on a wire may have. */
const LOOPBACK_SOURCE = "127.0.0.5";

const TO = `${bare(NAT.guests[`${NAT.name}-a`]?.[0] ?? "")}:${ANSWERING_PORT}`;

const PUBLISHING = publishing(NAT, [
  ...(["tcp", "udp"] as const).flatMap((proto) => [
    { proto, port: PUBLISHED, to: TO, localhost: "yes" } as const,
    { proto, port: ONLY_LOCAL, address: "127.0.0.1", to: TO },
    { proto, port: ELSEWHERE, to: TO },
  ]),
]);

/** Makes the place one that sends packets from and to 127.0.0.0/8 to the host, as nobody may. */
async function forgetLoopback({ namespace }: Place, gateway: string): Promise<void> {
  await changeSetting(namespace, "net.ipv4.conf.eth0.route_localnet", 1);
  await configure(namespace, [
    "route del table local local 127.0.0.1",
    "route del table local local 127.0.0.0/8",
    "route del table local broadcast 127.255.255.255",
    `addr add ${LOOPBACK_SOURCE}/32 dev eth0`,
    `route add 127.0.0.1/32 via ${gateway}`,
  ]);
}

function routing(host: string): (device: string) => Promise<string> {
  return (device) => setting(host, `net.ipv4.conf.${device}.route_localnet`);
}

/** What came in by an interface and was let through to the host, with such an address; no answers. */
async function heardOf(host: string): Promise<readonly Arrival[]> {
  return (await arrivals(host)).filter(({ source, destination }) =>
    !TO.startsWith(`${source}:`) &&
    [source, destination].some((address) => address.startsWith("127."))
  );
}

function gateway({ addresses }: TestNetwork): string {
  return bare(addresses[0] ?? "");
}

/** Who sends what nobody may, and by which address of the host. */
function intruders(
  { guest, uplink, secondUplink }: Topology,
): readonly (readonly [who: string, from: Place, by: string])[] {
  return [
    ["a guest of the network", guest(`${NAT.name}-b`), gateway(NAT)],
    ["a guest of another network", guest(`${ROUTE.name}-b`), gateway(ROUTE)],
    ["a machine outside", uplink.outside, uplink.host4],
    ["a machine of another outside", secondUplink.outside, secondUplink.host4],
  ];
}

/** Somebody asks a port of 127.0.0.1. */
function asked(says: string, from: Place, port: number, expect: string): PortClaim {
  return { says, from, at: "127.0.0.1", port, expect };
}

function claimsOfHost({ host }: Topology): readonly PortClaim[] {
  const own = place(host, ["127.0.0.1"]);
  const guest = answered(`${NAT.name}-a`, ANSWERING_PORT, gateway(NAT));
  const itself = answered("host", OF_HOST, "127.0.0.1");
  return [
    asked("the host reaches its own port", own, OF_HOST, itself),
    asked("the host reaches the guest", own, PUBLISHED, guest),
    asked("the host reaches what is on 127.0.0.1 alone", own, ONLY_LOCAL, guest),
    asked("the host does not reach what is elsewhere", own, ELSEWHERE, "refused"),
    {
      ...asked("the other addresses of lo are the host's", own, PUBLISHED, "refused"),
      at: "127.0.0.2",
    },
  ];
}

function claimsOfIntruders(topology: Topology): readonly PortClaim[] {
  return intruders(topology).flatMap(([who, from, by]) => [
    ...[OF_HOST, PUBLISHED, ONLY_LOCAL, ELSEWHERE].map((port) =>
      asked(`${who} does not reach port ${port}`, from, port, "dropped")
    ),
    {
      ...asked(`${who} finds that of 127.0.0.1 nowhere else`, from, ONLY_LOCAL, "refused"),
      at: by,
    },
    {
      ...asked(`${who} asks nobody by an address of lo`, from, PUBLISHED, "dropped"),
      at: by,
      as: LOOPBACK_SOURCE,
    },
  ]);
}

/** Where nothing of ours is, and the kernel is told to let it pass, a guest is heard on 127.0.0.1. */
async function provePossible({ host, guest }: Topology): Promise<void> {
  const name = `net.ipv4.conf.${NAT.bridge}.route_localnet`;
  await changeSetting(host, name, 1);
  await startWitness(host);
  const neighbour = guest(`${NAT.name}-b`);
  await udp(neighbour, "127.0.0.1", { port: OF_HOST, patience: SHORT_PATIENCE });
  assertEquals((await heardOf(host)).map(({ source }) => source), [neighbour.v4]);
  await stopWitness(host);
  await changeSetting(host, name, 0);
}

/** firewalld cannot tell whose connection it is before it accepts it, which is said before anything changes. */
async function expectRefusal(backend: BackendUnderTest): Promise<void> {
  await using host = await makeHost([NAT]);
  const bridgewall = await openBridgewall(host, backend);
  const before = await bridgewall.firewalld?.listings();
  const { code, stderr } = await bridgewall.run(["up", await bridgewall.write(PUBLISHING)]);
  assertEquals(code, 4, stderr);
  assertMatch(stderr, /cannot lead port 127\.0\.0\.1:/);
  assertMatch(stderr, /--backend nftables/);
  assertEquals(await bridgewall.firewalld?.listings(), before);
  assertEquals(await routing(host.host)(NAT.bridge), "0");
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: nobody but the host itself reaches its 127.0.0.1`,
    tools: [...tools, ...ASKING_TOOLS],
    body: async (t) => {
      if (backend.firewalld !== undefined) return await expectRefusal(backend);
      await using topology = await makeTopology([NAT, ROUTE]);
      const { host } = topology;
      await using _host = await startResponder(host, [OF_HOST]);
      const asking = intruders(topology);
      await startAsking(topology, [place(host, []), ...asking.map(([, from]) => from)]);
      await Promise.all(asking.map(([, from, by]) => forgetLoopback(from, by)));
      await t.step("without rules a guest is heard there", () => provePossible(topology));
      const bridgewall = await openBridgewall(topology, backend);
      const before = await firewallState(host);
      await bridgewall.up(PUBLISHING, ROUTE);
      await t.step("only the guest's bridge lets the host's 127.0.0.1 through", async () => {
        assertEquals(
          await Promise.all([NAT.bridge, ROUTE.bridge, "eth0", "all"].map(routing(host))),
          [
            ...["1", "0", "0", "0"],
          ],
        );
      });
      await startWitness(host);
      await provePorts(t, [...claimsOfHost(topology), ...claimsOfIntruders(topology)], [
        "tcp",
        "udp",
      ]);
      await t.step("the host has heard nothing of what it may not hear", async () => {
        const heard = await heardOf(host);
        await stopWitness(host);
        assertEquals(heard, []);
      });
      await t.step("the guest has heard from the host and nobody else", async () => {
        const heard = await arrivals(topology.guest(`${NAT.name}-a`).namespace);
        const sources = heard.filter(({ protocol }) => ["tcp", "udp"].includes(protocol))
          .map(({ source }) => source);
        assertEquals([...new Set(sources)], [gateway(NAT)]);
      });
      await t.step("with the last such port the bridge is as it was", async () => {
        const specs = ["tcp", "udp"].flatMap((one) => [
          `${PUBLISHED}/${one}`,
          `127.0.0.1:${ONLY_LOCAL}/${one}`,
        ]);
        await bridgewall.succeed(["unpublish", NAT.name, ...specs]);
        assertEquals(await routing(host)(NAT.bridge), "0");
        await bridgewall.succeed(["check"]);
      });
      await t.step("publish --localhost and down do the same", async () => {
        await bridgewall.succeed(["publish", NAT.name, `${PUBLISHED}:${TO}/tcp`, "--localhost"]);
        assertEquals(await routing(host)(NAT.bridge), "1");
        await bridgewall.down(NAT, ROUTE);
        assertEquals(await routing(host)(NAT.bridge), "0");
        assertEquals(await firewallState(host), before);
      });
    },
  });
}

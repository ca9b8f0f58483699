/** What a published port does not open, and whose packets it does not take away. */
import { assertEquals, assertMatch } from "@std/assert";
import { startResponder } from "./background.ts";
import { BACKENDS } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { showBridged } from "./bridged_to_firewall.ts";
import { ISOLATED, NAT, NAT66, ROUTE } from "./five_networks.ts";
import { ANSWERING_PORT, type Place } from "./namespace.ts";
import {
  answered,
  type PortClaim,
  PROTOCOLS,
  provePorts,
  type Publication,
  publishing,
  startProtocols,
} from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { SCTP_TOOLS } from "./sctp.ts";
import { bare, type TestNetwork } from "./test_network.ts";
import { makeTopology, place, type Topology } from "./topology.ts";
import { trustEveryone } from "./trust_everyone.ts";

type Over = "v4" | "v6";

/** Where everybody answers; nothing leads to the second one. */
const [ELSEWHERE, UNPUBLISHED] = [8081, 8084];
/** On one address of the host. */
const BOUND = 8080;
/** On an address that is not the host's, but of a machine behind it. */
const FOREIGN = 8082;
/** Of the isolated network. */
const ISOLATED_PORT = 8085;
const EVERYWHERE = [ANSWERING_PORT, BOUND, ELSEWHERE, FOREIGN, UNPUBLISHED];

function addressOf({ addresses }: TestNetwork, over: Over): string {
  return bare(addresses[over === "v4" ? 0 : 1] ?? "");
}

/** The first guest of the network, in both families, as a definition names it. */
function targetsOf({ name, guests }: TestNetwork): readonly [v4: string, v6: string] {
  const [v4 = "", v6 = ""] = (guests[`${name}-a`] ?? []).map(bare);
  return [`${v4}:${ANSWERING_PORT}`, `[${v6}]:${ANSWERING_PORT}`];
}

/** The ports of the networks that have some, in all protocols and families. */
function published({ uplink }: Topology): readonly TestNetwork[] {
  const everywhere = (network: TestNetwork, port: number): readonly Publication[] =>
    PROTOCOLS.flatMap((proto) => targetsOf(network).map((to) => ({ proto, port, to })));
  const [v4, v6] = targetsOf(NAT66);
  return [
    publishing(ISOLATED, everywhere(ISOLATED, ISOLATED_PORT)),
    publishing(NAT66, [
      ...everywhere(NAT66, ELSEWHERE),
      ...PROTOCOLS.flatMap((proto) => [
        { proto, port: BOUND, address: uplink.host4, to: v4 },
        { proto, port: BOUND, address: uplink.host6, to: v6 },
      ]),
    ]),
  ];
}

/** Guests of others may be reached by nobody at their own address. */
function claimsOfDirectWays(topology: Topology): readonly PortClaim[] {
  const { uplink: { outside }, guest } = topology;
  const closed: readonly (readonly [TestNetwork, Over])[] = [
    [NAT, "v4"],
    [NAT66, "v4"],
    [NAT66, "v6"],
    [ISOLATED, "v4"],
    [ISOLATED, "v6"],
  ];
  return closed.flatMap(([network, over]) => {
    const at = guest(`${network.name}-a`)[over];
    return [ANSWERING_PORT, ELSEWHERE, UNPUBLISHED].flatMap((port) => [
      {
        says: `${network.name}: port ${port} of the guest itself is closed to the outside`,
        from: outside,
        at,
        port,
        expect: "refused",
      },
      {
        says: `${network.name}: port ${port} of the guest itself is closed to another network`,
        from: guest(`${ROUTE.name}-b`),
        at,
        port,
        expect: "refused",
      },
    ]);
  });
}

/** What is routed through the host goes where it was meant to go. */
function claimsOfTransit(
  { host, uplink, secondUplink, guest }: Topology,
  over: Over,
): readonly PortClaim[] {
  const { outside } = uplink;
  const { outside: second } = secondUplink;
  const [asHost, host4] = [over === "v4" ? uplink.host4 : uplink.host6, uplink.host4];
  const [nat, route, nat66] = [NAT, ROUTE, NAT66].map(({ name }) => guest(`${name}-a`));
  if (nat === undefined || route === undefined || nat66 === undefined) throw new Error("guests");
  const claim = (says: string, from: Place, at: string, by: string, as: string): PortClaim => ({
    says,
    from,
    at,
    port: ELSEWHERE,
    expect: answered(by, ELSEWHERE, as),
  });
  return [
    claim("the host asks outside", place(host, []), outside[over], "eth0", asHost),
    claim("the guest asks outside", nat, outside[over], "eth0", over === "v4" ? host4 : nat.v6),
    claim("a translated guest asks outside", nat66, outside[over], "eth0", asHost),
    claim("a routed guest asks outside", route, outside[over], "eth0", route[over]),
    claim("a routed guest is asked", outside, route[over], `${ROUTE.name}-a`, outside[over]),
    claim("one outside asks another", outside, second[over], "eth1", outside[over]),
    {
      ...claim("the port of one address, elsewhere", nat66, outside[over], "eth0", asHost),
      port: BOUND,
      expect: answered("eth0", BOUND, asHost),
    },
  ];
}

/** The host keeps its own ports, and those of its other addresses. */
function claimsOfHostPorts(topology: Topology, over: Over): readonly PortClaim[] {
  const { uplink, secondUplink } = topology;
  const { outside } = uplink;
  const { outside: second } = secondUplink;
  const [asHost, asSecond] = over === "v4"
    ? [uplink.host4, secondUplink.host4]
    : [uplink.host6, secondUplink.host6];
  const host = place(topology.host, [uplink.host4, uplink.host6]);
  const bridge = addressOf(NAT66, over);
  const loopback = over === "v4" ? "127.0.0.1" : "::1";
  const claim = (
    says: string,
    from: Place,
    at: string,
    port: number,
    by: string,
  ): PortClaim => {
    const seenAs = from === host ? at : from[over];
    const guestPort = by === "host" ? port : ANSWERING_PORT;
    return {
      says,
      from,
      at,
      port,
      protocols: ["tcp", "udp"],
      expect: answered(by, guestPort, seenAs),
    };
  };
  const guest = `${NAT66.name}-a`;
  return [
    claim("the next port is the host's", outside, asHost, UNPUBLISHED, "host"),
    claim("the port of one address is there", outside, asHost, BOUND, guest),
    claim("… and is there for the host", host, asHost, BOUND, guest),
    // An answer by UDP would leave from the nearest address, which nobody has asked.
    {
      ...claim("… and is the host's at its bridge", outside, bridge, BOUND, "host"),
      protocols: ["tcp"],
    },
    claim("… and is the host's at its other uplink", second, asSecond, BOUND, "host"),
    claim("… and is the host's for the host, elsewhere", host, bridge, BOUND, "host"),
    claim("… and is the host's at its loopback", host, loopback, BOUND, "host"),
    claim("that of any address is the host's at its loopback", host, loopback, ELSEWHERE, "host"),
  ];
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: a published port opens nothing else, and takes nothing from others`,
    tools: [...tools, ...SCTP_TOOLS],
    body: async (t) => {
      const networks = [NAT, ROUTE, ISOLATED, NAT66];
      await using topology = await makeTopology(networks, EVERYWHERE);
      await showBridged(topology.host, false);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      await bridgewall.up(NAT, ROUTE, ...published(topology));
      const guests = networks.map(({ name }) =>
        ["a", "b"].map((one) => topology.guest(`${name}-${one}`))
      );
      const protocols = await startProtocols(topology, guests.flat(), EVERYWHERE);
      await using _host = await startResponder(topology.host, EVERYWHERE);
      await provePorts(t, [
        ...claimsOfDirectWays(topology),
        ...claimsOfTransit(topology, "v4"),
        ...claimsOfTransit(topology, "v6"),
        ...claimsOfHostPorts(topology, "v4"),
        ...claimsOfHostPorts(topology, "v6"),
        {
          says: "the isolated network's port leads there",
          from: topology.uplink.outside,
          at: topology.uplink.host6,
          port: ISOLATED_PORT,
          expect: answered(`${ISOLATED.name}-a`, ANSWERING_PORT, topology.uplink.outside.v6),
        },
      ], protocols);
    },
  });

  hostTest({
    name: `${name}: a port of an address that the host does not have takes nothing from its owner`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([NAT66], EVERYWHERE);
      const { uplink: { outside }, secondUplink: { outside: owner } } = topology;
      const bridgewall = await openBridgewall(topology, backend);
      const [to] = targetsOf(NAT66);
      const network = publishing(NAT66, [{ proto: "tcp", port: FOREIGN, address: owner.v4, to }]);
      if (backend.firewalld !== undefined) {
        // Its words know no difference between an address of the host and one behind it.
        const { code, stderr } = await bridgewall.run(["up", await bridgewall.write(network)]);
        assertEquals(code, 4, stderr);
        return assertMatch(stderr, /the host does not have that address/);
      }
      await bridgewall.up(network);
      const expect = answered("eth1", FOREIGN, outside.v4);
      await provePorts(t, [
        { says: "the owner answers", from: outside, at: owner.v4, port: FOREIGN, expect },
      ], ["tcp"]);
    },
  });
}

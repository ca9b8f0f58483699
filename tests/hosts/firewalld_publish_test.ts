/**
 * Published ports where firewalld makes the rules: it knows no address of the host as such, and lets through
 * whatever was translated before it asks anybody.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { FIREWALLD_IPTABLES, FIREWALLD_NFTABLES, type FirewalldUnderTest } from "./backends.ts";
import { showBridged } from "./bridged_to_firewall.ts";
import { type Claim, passedAs, prove, REFUSED } from "./claims.ts";
import { giveZone } from "./device_zone.ts";
import { asks, heardOf } from "./firewalld_published.ts";
import { openWithFirewalld } from "./firewalld_state.ts";
import { DEVICE, FIVE, ISOLATED, NAT, NAT66, ROUTE } from "./five_networks.ts";
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
import { firewallState } from "./ruleset.ts";
import { SCTP_TOOLS } from "./sctp.ts";
import { bare, isIpv6, type TestNetwork } from "./test_network.ts";
import { makeTopology, place, type Topology } from "./topology.ts";

type Over = "v4" | "v6";

const BOTH = ["v4", "v6"] as const;

/** What a network does with connections of its guests to another; `closed`: they may not leave so. */
const LEAVING: Readonly<Record<string, Readonly<Record<Over, "closed" | "itself" | "host">>>> = {
  [NAT.name]: { v4: "host", v6: "itself" },
  [DEVICE.name]: { v4: "closed", v6: "closed" },
  [ROUTE.name]: { v4: "itself", v6: "itself" },
  [ISOLATED.name]: { v4: "closed", v6: "closed" },
  [NAT66.name]: { v4: "host", v6: "host" },
};

function portOf({ bridge }: TestNetwork): number {
  return 8000 + Number(bridge.slice(2));
}

function addressOf({ addresses }: TestNetwork, over: Over): string {
  return bare(addresses.find((address) => isIpv6(address) === (over === "v6")) ?? "");
}

/** One port in each protocol and family, on any address, and one on that of the uplink alone. */
function publicationsOf(network: TestNetwork): readonly Publication[] {
  const [v4 = "", v6 = ""] = (network.guests[`${network.name}-a`] ?? []).map(bare);
  return PROTOCOLS.flatMap((proto): readonly Publication[] => [
    { proto, port: portOf(network), to: `${v4}:${ANSWERING_PORT}` },
    { proto, port: portOf(network), to: `[${v6}]:${ANSWERING_PORT}` },
    { proto, port: portOf(network) + 1000, to: `${v4}:${ANSWERING_PORT}`, address: "203.0.113.1" },
  ]);
}

/** Where nobody answers: the guest's error has to come back, also out of a network that lets nothing out. */
const SILENT: Publication = { proto: "udp", port: 8200, to: "192.168.104.10:1" };

const PUBLISHING = FIVE.map((network) =>
  publishing(network, [...publicationsOf(network), ...(network === ISOLATED ? [SILENT] : [])])
);

/** Somebody asks for the network's port, and its first guest answers who sees them come so. */
function reaches(
  network: TestNetwork,
  says: string,
  from: Place,
  at: string,
  seenAs: string,
): PortClaim {
  const expect = answered(`${network.name}-a`, ANSWERING_PORT, seenAs);
  return { says: `${network.name}: ${says}`, from, at, port: portOf(network), expect };
}

function claimsFor(
  topology: Topology,
  network: TestNetwork,
  backend: FirewalldUnderTest,
  over: Over,
): readonly PortClaim[] {
  const { host, uplink, secondUplink, guest } = topology;
  const [outside, second] = [uplink.outside, secondUplink.outside];
  const at = { v4: uplink.host4, v6: uplink.host6 }[over];
  const atSecond = { v4: secondUplink.host4, v6: secondUplink.host6 }[over];
  const self = place(host, [uplink.host4, uplink.host6]);
  const [a, b] = [guest(`${network.name}-a`), guest(`${network.name}-b`)];
  const own = addressOf(network, over);
  const plain = addressOf(network === ROUTE ? ISOLATED : ROUTE, over);
  const led = (says: string, from: Place, to: string, seenAs: string): PortClaim =>
    reaches(network, says, from, to, seenAs);
  return [
    led("from outside", outside, at, outside[over]),
    led("from outside, by the bridge's address", outside, own, outside[over]),
    led("from another outside", second, atSecond, second[over]),
    led("from the host, by its uplink", self, at, at),
    led("from the host, by the bridge", self, own, own),
    led("from the host, by another bridge", self, plain, plain),
    led("from a guest of the same network", b, own, own),
    led("from a guest of the same network, by the uplink", b, at, own),
    led("from the guest itself", a, own, own),
    led("from the guest itself, by the uplink", a, at, own),
    ...claimsOfOthers(topology, network, backend, over),
  ];
}

function claimsOfOthers(
  { guest }: Topology,
  network: TestNetwork,
  backend: FirewalldUnderTest,
  over: Over,
): readonly PortClaim[] {
  return FIVE.filter((other) => other !== network).map((other) => {
    const from = guest(`${other.name}-b`);
    const leaves = LEAVING[other.name]?.[over] ?? "closed";
    const seenAs = leaves === "host" ? addressOf(network, over) : from[over];
    const says = `from a guest of ${other.name}`;
    const claim = reaches(network, says, from, addressOf(other, over), seenAs);
    return leaves === "closed" ? { ...claim, expect: heardOf(backend, over) } : claim;
  });
}

/** One address alone has the second port; what is only routed through the host is nobody's. */
function claimsBesides(
  { uplink, secondUplink, guest }: Topology,
  backend: FirewalldUnderTest,
): readonly PortClaim[] {
  const [outside, second] = [uplink.outside, secondUplink.outside];
  const from = guest(`${ROUTE.name}-b`);
  const at = uplink.host4;
  const silent = asks("an error of the guest comes back", outside, at, 8200, "refused");
  return FIVE.flatMap((network): readonly PortClaim[] => {
    const [port, bound] = [portOf(network), portOf(network) + 1000];
    const found = reaches(network, "on one address", second, at, second.v4);
    const elsewhere = `${network.name}: not on another address`;
    return [
      { ...found, port: bound },
      asks(elsewhere, second, secondUplink.host4, bound, heardOf(backend, "v4")),
      ...BOTH.map((over): PortClaim => ({
        ...asks("not where the host only routes", from, outside[over], port, "refused"),
        protocols: ["tcp", "udp"],
      })),
    ];
  }).concat({ ...silent, protocols: ["udp"] });
}

/** Nothing else passes because of published ports. */
function claimsOfModes({ uplink: { outside, host4 }, guest }: Topology): readonly Claim[] {
  const first = (network: TestNetwork): Place => guest(`${network.name}-a`);
  const [from, beside] = [guest(`${ISOLATED.name}-b`), guest(`${NAT.name}-b`)];
  return [
    ...[NAT, NAT66, ISOLATED, DEVICE].map((network): Claim => (
      { says: `in ${network.name}`, from: outside, to: first(network), over: "v4", expect: REFUSED }
    )),
    { says: "isolated, in", from: outside, to: first(ISOLATED), over: "v6", expect: REFUSED },
    { says: "isolated, out", from, to: outside, over: "v4", expect: REFUSED },
    { says: "isolated to who publishes", from, to: first(ROUTE), over: "v4", expect: REFUSED },
    { says: "nat, out", from: first(NAT), to: outside, over: "v4", expect: passedAs(host4) },
    { says: "neighbours", from: beside, to: first(NAT), over: "v4", expect: passedAs(beside.v4) },
  ];
}

for (const backend of [FIREWALLD_NFTABLES, FIREWALLD_IPTABLES]) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: published ports lead to guests, for those whom their networks let out`,
    tools: [...tools, ...SCTP_TOOLS],
    body: async (t) => {
      await using topology = await makeTopology(FIVE);
      await showBridged(topology.host, false);
      const { bridgewall, firewalld } = await openWithFirewalld(topology, backend);
      await giveZone(bridgewall, "eth0");
      const before = [await firewalld.listings(), await firewallState(topology.host)];
      const { stderr } = await bridgewall.up(...PUBLISHING);
      assertStringIncludes(stderr, "at the addresses that the host has now");
      const claims = FIVE.flatMap((network) =>
        BOTH.flatMap((over) => claimsFor(topology, network, backend, over))
      );
      const guests = FIVE.flatMap((network) => Object.keys(network.guests).map(topology.guest));
      const protocols = await startProtocols(topology, guests);
      for (const says of ["", "after a reload of firewalld"]) {
        await t.step(`all of it holds ${says}`.trim(), async (step) => {
          if (says !== "") await firewalld.command("--reload");
          await provePorts(step, [...claims, ...claimsBesides(topology, backend)], protocols);
          await prove(step, claimsOfModes(topology));
          await bridgewall.succeed(["check"]);
        });
      }
      await t.step("down leaves firewalld as it was", async () => {
        await bridgewall.down(...FIVE);
        const after = [await firewalld.listings(), await firewallState(topology.host)];
        assertEquals(after, before);
      });
    },
  });
}

/** Whoever asks for a published port reaches the guest, from wherever, in every mode. */
import { assertEquals } from "@std/assert";
import { BACKENDS } from "./backends.ts";
import { attachedCables } from "./attach_guest.ts";
import { showBridged } from "./bridged_to_firewall.ts";
import { openBridgewall } from "./bridgewall.ts";
import { giveZone } from "./device_zone.ts";
import { DEVICE, FIVE, ISOLATED, NAT, NAT66, ROUTE } from "./five_networks.ts";
import { ANSWERING_PORT, configure, type Place } from "./namespace.ts";
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
import { makeTopology, place, type Topology, type Uplink } from "./topology.ts";

type Over = "v4" | "v6";

/** What a network does with connections of its guests to other networks. */
const LEAVING: Readonly<
  Record<string, Readonly<Record<Over, "refused" | "as itself" | "as host">>>
> = {
  [NAT.name]: { v4: "as host", v6: "as itself" },
  // They may leave by that device only.
  [DEVICE.name]: { v4: "refused", v6: "refused" },
  [ROUTE.name]: { v4: "as itself", v6: "as itself" },
  [ISOLATED.name]: { v4: "refused", v6: "refused" },
  [NAT66.name]: { v4: "as host", v6: "as host" },
};

/** The port of the host that leads to the network's first guest. */
function portOf({ bridge }: TestNetwork): number {
  return 8000 + Number(bridge.slice(2));
}

/** Another one, which 127.0.0.1 does not have. */
function otherPortOf(network: TestNetwork): number {
  return portOf(network) + 1000;
}

function addressOf({ addresses }: TestNetwork, over: Over): string {
  return bare(addresses.find((address) => isIpv6(address) === (over === "v6")) ?? "");
}

/** In every protocol and family: on any address and on 127.0.0.1; and on any address. */
function publicationsOf(network: TestNetwork): readonly Publication[] {
  const [v4 = "", v6 = ""] = (network.guests[`${network.name}-a`] ?? []).map(bare);
  return PROTOCOLS.flatMap((proto): readonly Publication[] => [
    { proto, port: portOf(network), to: `${v4}:${ANSWERING_PORT}`, localhost: "yes" },
    { proto, port: portOf(network), to: `[${v6}]:${ANSWERING_PORT}` },
    { proto, port: otherPortOf(network), to: `${v4}:${ANSWERING_PORT}` },
  ]);
}

/** Somebody asks for the network's port, and its first guest answers who sees them come so. */
function reaches(
  network: TestNetwork,
  says: string,
  from: Place,
  at: string,
  seenAs: string,
): PortClaim {
  return {
    says: `${network.name}: ${says}`,
    from,
    at,
    port: portOf(network),
    expect: answered(`${network.name}-a`, ANSWERING_PORT, seenAs),
  };
}

function hostOf({ host, uplink }: Topology): Place {
  return place(host, [uplink.host4, uplink.host6]);
}

function claimsFromOutside(
  { uplink, secondUplink }: Topology,
  network: TestNetwork,
  over: Over,
): readonly PortClaim[] {
  const [{ outside }, { outside: second }] = [uplink, secondUplink];
  const address = (of: Uplink): string => over === "v4" ? of.host4 : of.host6;
  const own = addressOf(network, over);
  const claim = reaches(network, "from outside", outside, address(uplink), outside[over]);
  return [
    claim,
    reaches(network, "from outside, by the bridge's address", outside, own, outside[over]),
    reaches(network, "from another outside", second, address(secondUplink), second[over]),
    ...(over === "v6" ? [] : [{
      ...claim,
      says: `${claim.says}, by a second port`,
      port: otherPortOf(network),
    }]),
  ];
}

function claimsOfHost(
  topology: Topology,
  network: TestNetwork,
  over: Over,
): readonly PortClaim[] {
  const host = hostOf(topology);
  const own = addressOf(network, over);
  // What a network that translates would have translated for its guests, it does for its bridge's address.
  const [plain, translated] = network === ROUTE ? [ISOLATED, NAT66] : [ROUTE, NAT66];
  const [asPlain, asTranslated] = [addressOf(plain, over), addressOf(translated, over)];
  const claims = [
    reaches(network, "from the host, by its uplink", host, host[over], host[over]),
    reaches(network, "from the host, by the bridge", host, own, own),
    reaches(network, `from the host, by the bridge of ${plain.name}`, host, asPlain, asPlain),
    reaches(network, `from the host, by the bridge of ${translated.name}`, host, asTranslated, own),
  ];
  if (over === "v6") return claims;
  const local = reaches(network, "from the host, by 127.0.0.1", host, "127.0.0.1", own);
  return [...claims, local, {
    ...local,
    says: `${network.name}: 127.0.0.1 does not have the second port`,
    port: otherPortOf(network),
    // Where something speaks SCTP, nobody refuses what it does not listen to.
    protocols: ["tcp", "udp"],
    expect: "refused",
  }];
}

function claimsOfNeighbours(
  topology: Topology,
  network: TestNetwork,
  over: Over,
): readonly PortClaim[] {
  const [a, b] = ["a", "b"].map((guest) => topology.guest(`${network.name}-${guest}`));
  if (a === undefined || b === undefined) throw new Error("two guests");
  const [own, uplink] = [addressOf(network, over), hostOf(topology)[over]];
  return [
    reaches(network, "from a guest of the same network", b, own, own),
    reaches(network, "from a guest of the same network, by the uplink", b, uplink, own),
    reaches(network, "from the guest itself", a, own, own),
    reaches(network, "from the guest itself, by the uplink", a, uplink, own),
  ];
}

function claimsOfOthers(
  topology: Topology,
  network: TestNetwork,
  networks: readonly TestNetwork[],
  over: Over,
): readonly PortClaim[] {
  return networks.filter((other) => other !== network).map((other) => {
    const from = topology.guest(`${other.name}-b`);
    const leaves = LEAVING[other.name]?.[over] ?? "refused";
    const seenAs = leaves === "as host" ? addressOf(network, over) : from[over];
    const says = `from a guest of ${other.name}`;
    const reached = reaches(network, says, from, addressOf(other, over), seenAs);
    return leaves === "refused" ? { ...reached, expect: leaves } : reached;
  });
}

/** All who ask for the network's port, over one family. */
function claimsFor(topology: Topology, network: TestNetwork, over: Over): readonly PortClaim[] {
  return [
    ...claimsFromOutside(topology, network, over),
    ...claimsOfHost(topology, network, over),
    ...claimsOfNeighbours(topology, network, over),
    ...claimsOfOthers(topology, network, FIVE, over),
  ];
}

function guestsOf({ guest }: Topology, networks: readonly TestNetwork[]): readonly Place[] {
  return networks.flatMap(({ guests }) => Object.keys(guests).map(guest));
}

/** firewalld has tests of its own for this: who may not leave a network hears something else there. */
const WITHOUT_FIREWALLD = BACKENDS.filter(({ firewalld }) => firewalld === undefined);

for (const backend of WITHOUT_FIREWALLD) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: a published port is reached from everywhere, in every mode`,
    tools: [...tools, ...SCTP_TOOLS],
    body: async (t) => {
      await using topology = await makeTopology(FIVE);
      const { host } = topology;
      await showBridged(host, false);
      const bridgewall = await openBridgewall(topology, backend);
      await giveZone(bridgewall, "eth0");
      const before = await firewallState(host);
      await bridgewall.up(...FIVE.map((network) => publishing(network, publicationsOf(network))));
      const claims = FIVE.flatMap((network) =>
        (["v4", "v6"] as const).flatMap((over) => claimsFor(topology, network, over))
      );
      await provePorts(t, claims, await startProtocols(topology, guestsOf(topology, FIVE)));
      await t.step("check finds nothing", async () => {
        await bridgewall.succeed(["check"]);
      });
      await t.step("down leaves the firewall byte for byte as it was", async () => {
        await bridgewall.down(...FIVE);
        assertEquals(await firewallState(host), before);
      });
    },
  });

  hostTest({
    name: `${name}: guests reach published ports of their own bridge where br_netfilter shows it`,
    tools: [...tools, ...SCTP_TOOLS],
    body: async (t) => {
      const networks = [NAT66, ISOLATED];
      await using topology = await makeTopology(networks);
      const { host } = topology;
      await showBridged(host, true);
      // A bridge sends nothing back to where it came from: without that, a guest cannot reach itself.
      for (
        const cable of (await Promise.all(networks.map((one) => attachedCables(host, one)))).flat()
      ) {
        await configure(host, [`link set ${cable} type bridge_slave hairpin on`]);
      }
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(
        ...networks.map((network) => publishing(network, publicationsOf(network))),
      );
      const claims = networks.flatMap((network) =>
        (["v4", "v6"] as const).flatMap((over) => [
          ...claimsOfNeighbours(topology, network, over),
          ...claimsOfOthers(topology, network, networks, over),
        ])
      );
      await provePorts(t, claims, await startProtocols(topology, guestsOf(topology, networks)));
    },
  });
}

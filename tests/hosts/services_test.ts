/**
 * Hosts that drop what nobody accepts: where an accept counts, guests get the services of their
 * network and the traffic that it may exchange, and nothing else is opened.
 */
import { assert, assertEquals } from "@std/assert";
import { IPTABLES, type IptablesUnderTest } from "./backends.ts";
import { startResponder } from "./background.ts";
import { BOOT_FILE, BOOT_TOOLS, fetchBootFile, startBootServer } from "./boot_files.ts";
import { openBridgewall } from "./bridgewall.ts";
import { DROPPED, inWords, passedAs, prove, REFUSED } from "./claims.ts";
import { askForLease, DHCP_TOOLS, startDhcpServer } from "./dhcp.ts";
import { FAMILY_PROGRAMS, restoreRules, variantProgram } from "./iptables_variant.ts";
import { ANSWERING_PORT, type Place } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { firewallState, loadForeignRules } from "./ruleset.ts";
import { bare, definition, isIpv6, testNetwork } from "./test_network.ts";
import { makeTopology } from "./topology.ts";
import {
  LONG_PATIENCE,
  type Probed,
  type ProbeOptions,
  SHORT_PATIENCE,
  tcp,
  udp,
} from "./traffic.ts";

const NETBOOT = testNetwork(101, "netboot", { forward: '<forward mode="nat"/>', dhcp: true });
const ROUTE = testNetwork(102, "route", { forward: '<forward mode="route"/>' });
const ISOLATED = testNetwork(103, "isolated");

/** What is listened on, beside the port where every place answers. */
const [DNS, DHCPV6_SERVER, DHCPV6_CLIENT] = [53, 547, 546] as const;

/** Guests of a bridge are looked up as everywhere (RFC 4861), or no IPv6 packet is ever sent. */
const NEIGHBOURS = ["INPUT", "OUTPUT"].flatMap((chain) =>
  ["neighbour-solicitation", "neighbour-advertisement"].map((type) =>
    `-A ${chain} -p ipv6-icmp -m icmp6 --icmpv6-type ${type} -j ACCEPT`
  )
);

/** Somebody closes these chains of the host, in both families. */
async function closeChains(
  host: string,
  { variant }: IptablesUnderTest,
  chains: readonly string[],
): Promise<void> {
  for (const family of FAMILY_PROGRAMS) {
    const neighbours = family === "ip6tables" ? NEIGHBOURS : [];
    await restoreRules(
      host,
      variantProgram(family, variant, "restore"),
      ["*filter", ...chains.map((chain) => `:${chain} DROP`), ...neighbours, "COMMIT", ""]
        .join("\n"),
    );
  }
}

/** An exchange with the host, and what should become of it. */
interface Service {
  readonly says: string;
  readonly probe: (options: ProbeOptions) => Promise<Probed>;
  readonly passes: boolean;
}

async function proveServices(t: Deno.TestContext, services: readonly Service[]): Promise<void> {
  const outcomes = await Promise.all(
    services.map(({ probe, passes }) => probe(passes ? {} : { patience: SHORT_PATIENCE })),
  );
  for (const [index, { says, passes }] of services.entries()) {
    await t.step(`${says} ${passes ? "is answered" : "is dropped"}`, () => {
      assertEquals(outcomes[index]?.outcome, passes ? "passed" : "dropped");
    });
  }
}

/** What a guest asks the host at its address on the bridge. */
function servicesOf(guest: Place, address: string): readonly Service[] {
  const at = (
    says: string,
    probe: typeof tcp,
    passes: boolean,
    where: ProbeOptions,
  ): Service => ({
    says: `${says} at ${address}`,
    probe: (options) => probe(guest, address, { ...options, ...where }),
    passes,
  });
  const dhcpv6 = { port: DHCPV6_SERVER, fromPort: DHCPV6_CLIENT };
  return [
    at("DNS over UDP", udp, true, { port: DNS }),
    at("DNS over TCP", tcp, true, { port: DNS }),
    ...(isIpv6(address) ? [at("DHCPv6", udp, true, dhcpv6)] : []),
    at("another port over UDP", udp, false, {}),
    at("another port over TCP", tcp, false, {}),
  ];
}

for (const backend of IPTABLES) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: on a host that drops everything, guests get DHCP, DNS and what else it serves`,
    tools: [...tools, ...DHCP_TOOLS, ...BOOT_TOOLS],
    body: async (t) => {
      await using topology = await makeTopology([NETBOOT, ROUTE]);
      const { host, uplink, uplink: { outside } } = topology;
      const bridgewall = await openBridgewall(topology, backend);
      await closeChains(host, backend, ["INPUT", "OUTPUT"]);
      const before = await firewallState(host);
      await using _host = await startResponder(host, [ANSWERING_PORT, DNS, DHCPV6_SERVER]);
      await using _server = startDhcpServer(host, NETBOOT);
      for (const network of [NETBOOT, ROUTE]) {
        await startBootServer(host, network, topology.atEnd);
      }
      const [booting, routed] = [topology.guest("netboot-a"), topology.guest("route-a")];
      const served = definition(NETBOOT).replace("<dhcp>", '<tftp root="/srv/tftp"/>\n<dhcp>');
      const files = await Promise.all([served, ROUTE].map(bridgewall.write));
      const itself = { namespace: host, v4: "", v6: "" };
      await bridgewall.succeed(["up", ...files]);
      await proveServices(t, [
        ...NETBOOT.addresses.flatMap((one) => servicesOf(booting, bare(one))),
        ...ROUTE.addresses.flatMap((one) => servicesOf(routed, bare(one))),
        ...[uplink.host4, uplink.host6].map((address): Service => ({
          says: `DNS from outside at ${address}`,
          probe: (options) => udp(outside, address, { ...options, port: DNS }),
          passes: false,
        })),
        {
          says: "a connection of the host to a guest",
          probe: (options) => tcp(itself, routed.v4, options),
          passes: false,
        },
      ]);
      await t.step("DHCP gives a lease", async () => {
        const lease = await askForLease(topology.guest("netboot-b"));
        assert(lease?.startsWith("192.168.101."), lease);
      });
      const [address, other] = [NETBOOT, ROUTE].map(({ addresses: [one = ""] }) => bare(one));
      assert(address !== undefined && other !== undefined);
      await t.step("files for network boot come where <tftp> says so, and only there", async () => {
        assertEquals(await fetchBootFile(booting, address, LONG_PATIENCE), BOOT_FILE);
        assertEquals(await fetchBootFile(routed, other, SHORT_PATIENCE), "");
      });
      await bridgewall.succeed(["down", "--all"]);
      await t.step("after down all of it is dropped again", async () => {
        const lost = { port: DNS, patience: SHORT_PATIENCE };
        const [lease, file, ...probed] = await Promise.all([
          askForLease(topology.guest("netboot-b")),
          fetchBootFile(booting, address, SHORT_PATIENCE),
          udp(booting, address, lost).then(inWords),
          tcp(booting, address, lost).then(inWords),
        ]);
        assertEquals([lease, file, ...probed], [undefined, "", "dropped", "dropped"]);
        assertEquals(await firewallState(host), before);
      });
    },
  });

  hostTest({
    name: `${name}: on a host that forwards nothing by itself, what a network may exchange passes`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([NETBOOT, ROUTE, ISOLATED]);
      const { host, uplink, uplink: { outside }, secondUplink } = topology;
      const bridgewall = await openBridgewall(topology, backend);
      await loadForeignRules(host, backend);
      await closeChains(host, backend, ["FORWARD"]);
      const before = await firewallState(host);
      const [nat, route] = [topology.guest("netboot-a"), topology.guest("route-a")];
      const isolated = topology.guest("isolated-a");
      await bridgewall.up(NETBOOT, ROUTE, ISOLATED);
      const { host4 } = uplink;
      const natOnRoute = bare(ROUTE.addresses[0] ?? "");
      await prove(t, [
        { says: "nat, out", from: nat, to: outside, over: "v4", expect: passedAs(host4) },
        { says: "nat, out", from: nat, to: outside, over: "v6", expect: passedAs(nat.v6) },
        { says: "nat, in", from: outside, to: nat, over: "v4", expect: REFUSED },
        { says: "route, out", from: route, to: outside, over: "v4", expect: passedAs(route.v4) },
        { says: "route, in", from: outside, to: route, over: "v4", expect: passedAs(outside.v4) },
        { says: "route, in", from: outside, to: route, over: "v6", expect: passedAs(outside.v6) },
        { says: "nat to route", from: nat, to: route, over: "v4", expect: passedAs(natOnRoute) },
        { says: "nat to route", from: nat, to: route, over: "v6", expect: passedAs(nat.v6) },
        { says: "route to nat", from: route, to: nat, over: "v4", expect: REFUSED },
        { says: "isolated to route", from: isolated, to: route, over: "v4", expect: REFUSED },
        {
          says: "the traffic of others is still the host's affair",
          from: outside,
          to: secondUplink.outside,
          over: "v4",
          expect: DROPPED,
        },
      ]);
      await bridgewall.succeed(["down", "--all"]);
      await prove(t, [
        { says: "after down, out", from: route, to: outside, over: "v4", expect: DROPPED },
        { says: "after down, in", from: outside, to: route, over: "v6", expect: DROPPED },
      ]);
      assertEquals(await firewallState(host), before);
    },
  });
}

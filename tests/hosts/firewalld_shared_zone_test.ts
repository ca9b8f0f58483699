/** Networks that name the same zone of firewalld: what passes between them is what their modes say. */
import { FIREWALLD_IPTABLES, FIREWALLD_NFTABLES } from "./backends.ts";
import { type Claim, passedAs, prove, REFUSED } from "./claims.ts";
import { definitionInZone, openWithFirewalld } from "./firewalld_state.ts";
import { changeSetting } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { bare, type NetworkOptions, type TestNetwork, testNetwork } from "./test_network.ts";
import { makeTopology, type Topology } from "./topology.ts";

/** With one guest, who is called as the network. */
function withGuest(number: number, name: string, options: NetworkOptions): TestNetwork {
  const guests = { [name]: [`192.168.${number}.10/24`, `2001:db8:${number}::10/64`] };
  return testNetwork(number, name, { ...options, guests });
}

const NAT = withGuest(101, "nat", { forward: '<forward mode="nat"/>' });
const OTHER_NAT = withGuest(102, "othernat", { forward: '<forward mode="nat"/>' });
const ROUTE = withGuest(103, "route", { forward: '<forward mode="route"/>' });
const ISOLATED = withGuest(104, "isolated", {});
const NETWORKS = [NAT, OTHER_NAT, ROUTE, ISOLATED];

/** One that forwards between its members, as all zones of firewalld do, and one that accepts all. */
const ZONES = ["internal", "trusted"];

/** All pairs; a nat network lets IPv6 in and out, as itself. */
function claimsOf({ guest, uplink, uplink: { outside } }: Topology): readonly Claim[] {
  const [nat, other, route, isolated] = NETWORKS.map(({ name }) => guest(name));
  if (!nat || !other || !route || !isolated) throw new Error("four networks");
  const onRoute = bare(ROUTE.addresses[0] ?? "");
  const alone = [nat, other, route, outside].flatMap((beyond) =>
    (["v4", "v6"] as const).flatMap((over): Claim[] => [
      { says: "out of isolated", from: isolated, to: beyond, over, expect: REFUSED },
      { says: "into isolated", from: beyond, to: isolated, over, expect: REFUSED },
    ])
  );
  return [
    { says: "nat to nat", from: nat, to: other, over: "v4", expect: REFUSED },
    { says: "nat to nat, back", from: other, to: nat, over: "v4", expect: REFUSED },
    { says: "nat to nat", from: nat, to: other, over: "v6", expect: passedAs(nat.v6) },
    { says: "nat to route", from: nat, to: route, over: "v4", expect: passedAs(onRoute) },
    { says: "nat to route", from: nat, to: route, over: "v6", expect: passedAs(nat.v6) },
    { says: "route to nat", from: route, to: nat, over: "v4", expect: REFUSED },
    { says: "route to nat", from: route, to: nat, over: "v6", expect: passedAs(route.v6) },
    { says: "nat, out", from: nat, to: outside, over: "v4", expect: passedAs(uplink.host4) },
    { says: "nat, in", from: outside, to: nat, over: "v4", expect: REFUSED },
    { says: "route, out", from: route, to: outside, over: "v4", expect: passedAs(route.v4) },
    { says: "route, in", from: outside, to: route, over: "v4", expect: passedAs(outside.v4) },
    ...alone,
  ];
}

for (const backend of [FIREWALLD_NFTABLES, FIREWALLD_IPTABLES]) {
  const { name } = backend;
  for (const zone of ZONES) {
    hostTest({
      name: `${name}: networks that share the zone ${zone} keep apart as their modes say`,
      tools: backend.tools,
      body: async (t) => {
        await using topology = await makeTopology(NETWORKS);
        await changeSetting(topology.host, "net.ipv6.conf.all.forwarding", 1);
        const { bridgewall, firewalld } = await openWithFirewalld(topology, backend);
        await firewalld.command("--permanent", "--zone=public", "--change-interface=eth0");
        await firewalld.command("--reload");
        const texts = NETWORKS.map((network) => definitionInZone(network, zone));
        await bridgewall.succeed(["up", ...await Promise.all(texts.map(bridgewall.write))]);
        await prove(t, claimsOf(topology));
        await t.step("check agrees", () => bridgewall.succeed(["check"]).then());
        await bridgewall.down(NAT, ISOLATED);
        const [other, route] = [OTHER_NAT, ROUTE].map(({ name }) => topology.guest(name));
        if (!other || !route) throw new Error("two networks stay");
        const onRoute = bare(ROUTE.addresses[0] ?? "");
        await prove(t, [
          {
            says: "of two that stay",
            from: other,
            to: route,
            over: "v4",
            expect: passedAs(onRoute),
          },
          { says: "of two that stay", from: route, to: other, over: "v4", expect: REFUSED },
        ]);
      },
    });
  }
}

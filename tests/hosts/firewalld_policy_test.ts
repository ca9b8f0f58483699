/** An administrator's own policies count for guests: what a network lets out is accepted after them. */
import { FIREWALLD_IPTABLES, FIREWALLD_NFTABLES, type FirewalldRules } from "./backends.ts";
import { type Claim, passedAs, prove, type Reached, REFUSED } from "./claims.ts";
import { openWithFirewalld } from "./firewalld_state.ts";
import { changeSetting } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { testNetwork } from "./test_network.ts";
import { makeTopology, type Topology } from "./topology.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>' });
const ROUTE = testNetwork(102, "route", { forward: '<forward mode="route"/>' });

/** What becomes of probes in each family. */
type ReachedOver = Readonly<Record<"v4" | "v6", Reached>>;

const REFUSED_BOTH: ReachedOver = { v4: REFUSED, v6: REFUSED };

/** How firewalld rejects where nobody says how: with nft it is "administratively prohibited". */
const REJECTED: Readonly<Record<FirewalldRules, ReachedOver>> = {
  nftables: {
    v4: { ping: "dropped", tcp: "unreachable", udp: "unreachable" },
    v6: { ping: "unreachable", tcp: "dropped", udp: "dropped" },
  },
  iptables: REFUSED_BOTH,
};

/** Policies from anywhere to the zone of the LAN, which is on the second uplink. */
const POLICIES: Readonly<
  Record<string, { readonly flags: readonly string[]; readonly expect?: ReachedOver }>
> = {
  "rejects all, with the priority that policies have": {
    flags: ["--set-target=REJECT"],
  },
  "rejects all, after what zones say": {
    flags: ["--set-priority=100", "--set-target=REJECT"],
  },
  "rejects some": {
    flags: [
      "--set-target=CONTINUE",
      ...["ipv4", "ipv6"].map((family) =>
        `--add-rich-rule=rule priority=1 family=${family} reject ` +
        `type=${family === "ipv4" ? "icmp" : "icmp6"}-port-unreachable`
      ),
    ],
    expect: REFUSED_BOTH,
  },
};

function claimsOf(
  { guest, uplink, secondUplink }: Topology,
  lan: ReachedOver | undefined,
): readonly Claim[] {
  const [nat, route] = [guest("nat-a"), guest("route-a")];
  const { outside } = uplink;
  const to = secondUplink.outside;
  const { host4 } = secondUplink;
  return [
    { says: "nat to the LAN", from: nat, to, over: "v4", expect: lan?.v4 ?? passedAs(host4) },
    { says: "nat to the LAN", from: nat, to, over: "v6", expect: lan?.v6 ?? passedAs(nat.v6) },
    {
      says: "route to the LAN",
      from: route,
      to,
      over: "v4",
      expect: lan?.v4 ?? passedAs(route.v4),
    },
    {
      says: "route to the LAN",
      from: route,
      to,
      over: "v6",
      expect: lan?.v6 ?? passedAs(route.v6),
    },
    { says: "nat, elsewhere", from: nat, to: outside, over: "v4", expect: passedAs(uplink.host4) },
    { says: "nat, elsewhere", from: nat, to: outside, over: "v6", expect: passedAs(nat.v6) },
    { says: "the LAN to route", from: to, to: route, over: "v4", expect: passedAs(to.v4) },
  ];
}

for (const backend of [FIREWALLD_NFTABLES, FIREWALLD_IPTABLES]) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: an administrator's policy that rejects guests' way into the LAN counts`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([NAT, ROUTE]);
      await changeSetting(topology.host, "net.ipv6.conf.all.forwarding", 1);
      const { bridgewall, firewalld } = await openWithFirewalld(topology, backend);
      await firewalld.command("--permanent", "--zone=home", "--change-interface=eth1");
      await firewalld.command("--reload");
      await bridgewall.up(NAT, ROUTE);
      await t.step("without one they reach it", async (step) => {
        await prove(step, claimsOf(topology, undefined));
      });
      for (
        const [says, { flags, expect = REJECTED[backend.firewalld] }] of Object.entries(POLICIES)
      ) {
        await t.step(`one that ${says}`, async (step) => {
          await firewalld.command("--permanent", "--new-policy=lan");
          const change = ["--permanent", "--policy=lan"];
          await firewalld.command(...change, "--add-ingress-zone=ANY");
          await firewalld.command(...change, "--add-egress-zone=home");
          for (const flag of flags) await firewalld.command(...change, flag);
          await firewalld.command("--reload");
          await prove(step, claimsOf(topology, expect));
          await bridgewall.succeed(["check"]);
          await firewalld.command("--permanent", "--delete-policy=lan");
          await firewalld.command("--reload");
        });
      }
    },
  });
}

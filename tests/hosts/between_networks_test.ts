/** Every pair of modes: what one network lets out and the other lets in, and nothing else, passes. */
import { BACKENDS, type BackendUnderTest } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { type Claim, passedAs, prove, REFUSED } from "./claims.ts";
import { changeSetting } from "./namespace.ts";
import { hostTest } from "./requirements.ts";
import { bare, isIpv6, type TestNetwork, testNetwork } from "./test_network.ts";
import { makeTopology, type Topology } from "./topology.ts";

/** What a mode means for a new connection, in one family. */
interface Expected {
  readonly letsOut: boolean;
  readonly letsIn: boolean;
  readonly translates: boolean;
}

const CLOSED: Expected = { letsOut: false, letsIn: false, translates: false };
const BOTH_WAYS: Expected = { letsOut: true, letsIn: true, translates: false };
const TRANSLATED: Expected = { letsOut: true, letsIn: false, translates: true };

const MODES: Readonly<Record<string, { forward: string; v4: Expected; v6: Expected }>> = {
  isolated: { forward: "", v4: CLOSED, v6: CLOSED },
  nat: { forward: '<forward mode="nat"/>', v4: TRANSLATED, v6: BOTH_WAYS },
  nat66: { forward: '<forward><nat ipv6="yes"/></forward>', v4: TRANSLATED, v6: TRANSLATED },
  route: { forward: '<forward mode="route"/>', v4: BOTH_WAYS, v6: BOTH_WAYS },
  open: { forward: '<forward mode="open"/>', v4: BOTH_WAYS, v6: BOTH_WAYS },
};

/** Two networks of each mode, so that each mode also meets itself, with one guest each. */
const NETWORKS = Object.entries(MODES).flatMap(([mode, { forward }], index) =>
  [1, 2].map((nth) => {
    const number = 110 + 2 * index + nth;
    const guests = { [`${mode}${nth}`]: [`192.168.${number}.10/24`, `2001:db8:${number}::10/64`] };
    return { mode, network: testNetwork(number, `${mode}${nth}`, { forward, guests }) };
  })
);

type Member = (typeof NETWORKS)[number];

function claim(topology: Topology, source: Member, target: Member, over: "v4" | "v6"): Claim {
  const [out, into] = [MODES[source.mode]?.[over] ?? CLOSED, MODES[target.mode]?.[over] ?? CLOSED];
  const [from, to] = [topology.guest(source.network.name), topology.guest(target.network.name)];
  const passes = out.letsOut && into.letsIn;
  const seenAs = out.translates ? hostAddress(target.network, over) : from[over];
  return {
    says: `${source.mode} to ${target.mode} ${passes ? "passes" : "is refused"}`,
    from,
    to,
    over,
    expect: passes ? passedAs(seenAs) : REFUSED,
  };
}

/** Where neither side has rules of ours, firewalld has its own: nobody lets anything through. */
function isOurs(source: Member, target: Member, { firewalld }: BackendUnderTest): boolean {
  return firewalld === undefined || source.mode !== "open" || target.mode !== "open";
}

function hostAddress(network: TestNetwork, over: "v4" | "v6"): string {
  return bare(network.addresses.find((address) => isIpv6(address) === (over === "v6")) ?? "");
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: networks reach each other where both sides agree, in every pair of modes`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology(NETWORKS.map(({ network }) => network));
      await changeSetting(topology.host, "net.ipv6.conf.all.forwarding", 1);
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(...NETWORKS.map(({ network }) => network));
      // Sources are the first networks of each mode, targets the second ones: 25 pairs.
      const sources = NETWORKS.filter((_member, index) => index % 2 === 0);
      const targets = NETWORKS.filter((_member, index) => index % 2 === 1);
      await prove(
        t,
        sources.flatMap((source) =>
          targets.filter((target) => isOurs(source, target, backend)).flatMap((target) =>
            (["v4", "v6"] as const).map((over) => claim(topology, source, target, over))
          )
        ),
      );
    },
  });
}

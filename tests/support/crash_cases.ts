/** Commands that are disturbed, whatever makes the rules. */
import type { Case } from "./disturbance.ts";
import { installedFirewalld, startFirewalld } from "./model_firewalld.ts";
import { emptyWorld } from "./model_host.ts";
import {
  bringUp,
  FIREWALLD,
  type Ground,
  masqueradeAgain,
  publishLocally,
  publishPorts,
  reloadAgain,
  takeDown,
  unpublishPorts,
  type Work,
} from "./turns.ts";

/** What stands before, and the command that is disturbed. */
const WORKS: readonly { readonly says: string; readonly before: Work[]; readonly work: Work }[] = [
  { says: "up of the first network", before: [], work: bringUp("nat") },
  { says: "up of three networks", before: [], work: bringUp("nat", "second", "third") },
  { says: "up beside another", before: [bringUp("second")], work: bringUp("nat") },
  { says: "up again", before: [bringUp("nat", "second")], work: bringUp("nat") },
  { says: "up with a new mode", before: [bringUp("nat", "third")], work: bringUp("route") },
  { says: "up without rules", before: [bringUp("nat", "third")], work: bringUp("macvtap") },
  { says: "down of one of two", before: [bringUp("nat", "second")], work: takeDown("one") },
  { says: "down of the last", before: [bringUp("nat")], work: takeDown("one") },
  { says: "down of all", before: [bringUp("nat", "second", "third")], work: takeDown() },
  { says: "reload", before: [bringUp("nat", "second", "third")], work: reloadAgain() },
];

/** All of them on one ground. */
export function casesOn(ground: Ground): readonly Case[] {
  return WORKS.map(({ says, before, work }) => ({
    says: `${says} with ${ground.name}`,
    before: before.map((one) => ({ ground, work: one })),
    turn: { ground, work },
  }));
}

/** A command that is disturbed, and what stands before. */
type Works = readonly (readonly [says: string, before: readonly Work[], work: Work])[];

function onGround(ground: Ground, works: Works): readonly Case[] {
  return works.map(([says, before, work]) => ({
    says: `${says} with ${ground.name}`,
    before: before.map((one) => ({ ground, work: one })),
    turn: { ground, work },
  }));
}

const [WEB, SECURE, NAMES] = [
  "8080:10.0.0.10:80/tcp",
  "8443:10.0.0.10:443/tcp",
  "5300:10.0.0.10:53/udp",
] as const;

/** Ports that are published, sent elsewhere and taken back, as every backend can. */
export function portCases(ground: Ground): readonly Case[] {
  const shop = bringUp("shop", "second");
  return onGround(ground, [
    ["up of a network with ports", [bringUp("second")], bringUp("shop")],
    ["up that sends a port elsewhere", [shop], bringUp("moved")],
    ["up that publishes nothing any more", [shop], bringUp("nat")],
    ["up of a network that only a port leads to", [bringUp("second")], bringUp("lab")],
    ["up again of a network that was given a port", [shop, publishPorts(NAMES)], bringUp("shop")],
    ["publish of the first port", [bringUp("nat", "second")], publishPorts(WEB)],
    ["publish of one port more", [shop], publishPorts(NAMES)],
    ["publish of a range beside a port", [shop], publishPorts("5200-5400:10.0.0.10/udp")],
    ["publish that sends a port elsewhere", [shop], publishPorts("8080:10.0.0.11:80/tcp")],
    ["publish of what is published", [shop], publishPorts(WEB)],
    ["unpublish of one of two ports", [shop], unpublishPorts("8443/tcp")],
    ["unpublish of all ports", [shop], unpublishPorts(WEB, SECURE)],
    ["down of a network with ports", [shop], takeDown("one")],
    ["down of the last network, with ports", [bringUp("shop")], takeDown()],
    ["reload of networks with ports", [shop], reloadAgain()],
  ]);
}

/** Ports of 127.0.0.1 as well, which not every backend takes. */
export function localPortCases(ground: Ground): readonly Case[] {
  const web = bringUp("web", "second");
  return onGround(ground, [
    ["up of a network with ports on 127.0.0.1", [bringUp("second")], bringUp("web")],
    ["up that leaves 127.0.0.1 out", [web], bringUp("moved")],
    ["publish of the first port on 127.0.0.1", [bringUp("nat")], publishLocally(WEB)],
    ["publish of one port more beside 127.0.0.1", [web], publishPorts(NAMES)],
    ["publish that sends 127.0.0.1 elsewhere", [web], publishLocally("8080:10.0.0.11:80/tcp")],
    ["publish that leaves 127.0.0.1 out", [web], publishPorts(WEB)],
    ["unpublish of the port on 127.0.0.1", [web], unpublishPorts("8080/tcp")],
    ["unpublish of all ports and 127.0.0.1", [web], unpublishPorts(WEB, SECURE)],
    ["down of a network on 127.0.0.1", [web], takeDown("one")],
  ]);
}

/** Prefixes that come and go, first, last, and beside networks; of IPv6 only where that can be. */
export function masqueradeCases(ground: Ground): readonly Case[] {
  const [one, other] = ["10.9.0.0/16", "10.8.0.0/24"];
  const six = ground.backend === "pf" ? "10.7.0.0/24" : "fd09::/64";
  const add = masqueradeAgain("add", one);
  const both = masqueradeAgain("add", one, six);
  const nat = bringUp("nat", "second");
  return onGround(ground, [
    ["masquerade add on an empty host", [], both],
    ["masquerade add beside networks", [nat], add],
    ["masquerade add of one prefix more", [nat, add], masqueradeAgain("add", other, six)],
    ["masquerade add of what is there", [nat, add], add],
    ["masquerade remove of one of two", [nat, both], masqueradeAgain("remove", six)],
    ["masquerade remove beside networks", [nat, both], masqueradeAgain("remove", one, six)],
    ["masquerade remove of all there is", [add], masqueradeAgain("remove", one)],
    ["up of the first network beside prefixes", [add], bringUp("nat")],
    ["down of the last network beside prefixes", [add, bringUp("shop")], takeDown()],
    ["reload of networks and prefixes", [nat, both], reloadAgain()],
  ]);
}

/** Networks with ports and prefixes that move to another program. */
export function portMoves(from: Ground, to: Ground): readonly Case[] {
  const before = [bringUp("web", "second"), masqueradeAgain("add", "10.9.0.0/16", "fd09::/64")]
    .map((work) => ({ ground: from, work }));
  return [
    { says: "reload of ports and prefixes", work: reloadAgain() },
    { says: "reload of one with ports", work: reloadAgain("one") },
    { says: "up that sends a port elsewhere", work: bringUp("moved") },
  ].map(({ says, work }) => ({
    says: `${says} from ${from.name} to ${to.name}`,
    before,
    turn: { ground: to, work },
  }));
}

/** Commands that move networks, after three of them came up elsewhere. */
const MOVES: readonly { readonly says: string; readonly work: Work }[] = [
  { says: "reload of all", work: reloadAgain() },
  { says: "reload of one", work: reloadAgain("one") },
  { says: "up of one with a new mode", work: bringUp("route") },
];

/** All moves from one ground to another. */
export function movesBetween(from: Ground, to: Ground): readonly Case[] {
  return MOVES.map(({ says, work }) => ({
    says: `${says} from ${from.name} to ${to.name}`,
    before: [{ ground: from, work: bringUp("nat", "second", "third") }],
    turn: { ground: to, work },
  }));
}

/** Networks of firewalld beside others, whose iptables its reload empties. */
export function besideOthers(other: Ground): readonly Case[] {
  const before = [{ ground: other, work: bringUp("second", "third") }];
  const both = [...before, { ground: FIREWALLD, work: bringUp("nat") }];
  const works: readonly (readonly [says: string, before: Case["before"], work: Work])[] = [
    ["up", before, bringUp("nat")],
    ["up with a new mode", both, bringUp("route")],
    ["down", both, takeDown("one")],
    ["reload", both, reloadAgain("one")],
  ];
  return works.map(([says, standing, work]) => ({
    says: `${says} with firewalld beside two networks with ${other.name}`,
    before: standing,
    turn: { ground: FIREWALLD, work },
  }));
}

/** Bridges that come into zones of the administrator's. */
export function zoneCases(ground: Ground): readonly Case[] {
  const works: readonly (readonly [says: string, before: readonly Work[], work: Work])[] = [
    ["up into a zone", [], bringUp("zoned")],
    ["up again in a zone", [bringUp("zoned")], bringUp("zoned")],
    ["up from one zone into another", [bringUp("nat")], bringUp("zoned")],
    ["up out of a zone", [bringUp("zoned", "second")], bringUp("nat")],
    ["down of one in a zone", [bringUp("zoned", "second")], takeDown("one")],
  ];
  return works.map(([says, before, work]) => ({
    says: `${says} with ${ground.name}`,
    before: before.map((one) => ({ ground, work: one })),
    turn: { ground, work },
  }));
}

/** Hosts on which somebody had put the first bridge into a zone before, and commands on them. */
export function originCases(ground: Ground): readonly Case[] {
  const zones = [["internal", "internal"], ["internal", undefined], [
    "libvirt",
    "libvirt",
  ]] as const;
  return zones.flatMap(([runtime, permanent]) => {
    const firewalld = startFirewalld({
      ...installedFirewalld(),
      permanent: new Map(permanent === undefined ? [] : [["virbr0", permanent]]),
    });
    const bindings = new Map([["virbr0", runtime]]);
    const origin = { ...emptyWorld(), firewalld: { ...firewalld, bindings } };
    const where = `${runtime}${permanent === undefined ? " at run time" : ""}`;
    const up = [{ ground, work: bringUp("nat", "second") }];
    return [
      { says: "up", before: [], work: bringUp("nat") },
      { says: "up with a new mode", before: up, work: bringUp("route") },
      { says: "down", before: up, work: takeDown("one") },
    ].map(({ says, before, work }) => ({
      says: `${says} of a bridge from the zone ${where} with ${ground.name}`,
      before,
      turn: { ground, work },
      origin,
    }));
  });
}

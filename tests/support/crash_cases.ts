/** Commands that are disturbed, whatever makes the rules. */
import type { Case } from "./disturbance.ts";
import { installedFirewalld, startFirewalld } from "./model_firewalld.ts";
import { emptyWorld } from "./model_host.ts";
import { bringUp, FIREWALLD, type Ground, reloadAgain, takeDown, type Work } from "./turns.ts";

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

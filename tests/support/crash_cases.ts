/** Commands that are disturbed, whatever makes the rules. */
import type { Case } from "./disturbance.ts";
import { bringUp, type Ground, reloadAgain, takeDown, type Work } from "./turns.ts";

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

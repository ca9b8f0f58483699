import { assert } from "@std/assert";
import { holdsRules, RULE_PROGRAMS } from "../../../core/change/join_scripts.ts";
import type { Command } from "../../../core/command.ts";
import { assertUsable } from "../../support/claims.ts";
import {
  type Case,
  disturb,
  type Disturbance,
  frameOf,
  isRefusal,
} from "../../support/disturbance.ts";
import { copyWorld, type Fate } from "../../support/model_host.ts";
import {
  bringUp,
  GROUNDS,
  reloadAgain,
  takeDown,
  takeTurn,
  type Work,
} from "../../support/turns.ts";

/** Commands on a host with three networks. */
const MOVES: Readonly<Record<string, Work>> = { "reload of one": reloadAgain("one") };
const WORKS: Readonly<Record<string, Work>> = {
  "reload of all": reloadAgain(),
  "down of one": takeDown("one"),
};

const CASES: readonly Case[] = GROUNDS.flatMap((from) =>
  GROUNDS.flatMap((to) =>
    Object.entries(from === to ? WORKS : MOVES).map(([says, work]) => ({
      says: from === to ? `${says} with ${to.name}` : `${says} from ${from.name} to ${to.name}`,
      before: [{ ground: from, work: bringUp("six", "second", "third") }],
      turn: { ground: to, work },
    }))
  )
);

/** The first script for a firewall is refused, so that all rules are made anew; then an effect meets that fate. */
function afterRefusal(fate: Fate): Disturbance {
  return (effect) => {
    let refused = false;
    return (one, command) => {
      if (!refused && command?.stdin !== undefined && holdsRules(command.program)) {
        refused = true;
        return "fails";
      }
      return refused && one === effect ? fate : "works";
    };
  };
}

/** Once the rules stand, the last of three records cannot be written; then an effect meets that fate. */
function afterFullDisk(fate: Fate): Disturbance {
  return (effect) => {
    let scripts = 0;
    let records = 0;
    return (one, command) => {
      if (command?.stdin !== undefined) scripts++;
      if (command === undefined && scripts > 0) records++;
      if (command === undefined && records === 3) return "fails";
      return records >= 3 && one === effect ? fate : "works";
    };
  };
}

for (const one of CASES) {
  for (const fate of ["dies before", "fails"] as const) {
    Deno.test(`where the first script is refused and any later effect of ${one.says} ${fate}, the next command mends it`, async () => {
      const frame = await frameOf(one);
      await disturb(frame, afterRefusal(fate), async (world) => {
        await takeTurn(world, { ground: one.turn.ground, work: takeDown("nobody") });
        await assertUsable(world, frame);
      });
    });
  }

  Deno.test(`where one program refuses its scripts for good, ${one.says} leaves nothing half-done`, async () => {
    const frame = await frameOf(one);
    for (const program of RULE_PROGRAMS) {
      for (const asked of [false, true]) {
        const refuses = (command: Command): boolean =>
          command.program === program && command.stdin !== undefined &&
          (asked || !command.args.includes("--test"));
        const world = copyWorld(frame.start);
        let refused = 0;
        const { error } = await takeTurn(world, one.turn, (_, command) => {
          if (command === undefined || !refuses(command)) return "works";
          refused++;
          return "fails";
        });
        if (refused === 0) continue;
        assert(error === undefined || isRefusal(error), String(error));
        await takeTurn(world, { ground: one.turn.ground, work: takeDown("nobody") });
        await assertUsable(world, frame);
      }
    }
  });
}

/** Commands that write three records once the rules stand. */
const ALL_THREE: readonly Case[] = GROUNDS.flatMap((from) =>
  GROUNDS.map((to) => ({
    says: from === to ? `with ${to.name}` : `from ${from.name} to ${to.name}`,
    before: [{ ground: from, work: bringUp("six", "second", "third") }],
    turn: { ground: to, work: bringUp("route", "second", "third") },
  }))
);

for (const one of ALL_THREE) {
  Deno.test(`where a record cannot be written and the process dies at any later effect of up of three ${one.says}, the next command mends it`, async () => {
    const frame = await frameOf(one);
    await disturb(frame, afterFullDisk("dies before"), async (world) => {
      await takeTurn(world, { ground: one.turn.ground, work: takeDown("nobody") });
      await assertUsable(world, frame);
    });
  });
}

for (const one of ALL_THREE.filter(({ before, turn }) => before[0]?.ground === turn.ground)) {
  Deno.test(`where two records cannot be written during up of three ${one.says}, the next command mends it`, async () => {
    const frame = await frameOf(one);
    await disturb(frame, afterFullDisk("fails"), async (world) => {
      await takeTurn(world, { ground: one.turn.ground, work: takeDown("nobody") });
      await assertUsable(world, frame);
    });
  });
}

import { assert } from "@std/assert";
import {
  assertDone,
  assertMended,
  assertWhole,
  type Case,
  disturb,
  frameOf,
  isRefusal,
  lasting,
  once,
} from "../../support/disturbance.ts";
import { Killed } from "../../support/model_host.ts";
import { bringUp, GROUNDS, reloadAgain, type Work } from "../../support/turns.ts";

/** Commands that move networks, after three of them came up elsewhere. */
const MOVES: readonly { readonly says: string; readonly work: Work }[] = [
  { says: "reload of all", work: reloadAgain() },
  { says: "reload of one", work: reloadAgain("one") },
  { says: "up of one with a new mode", work: bringUp("route") },
];

const CASES: readonly Case[] = GROUNDS.flatMap((from) =>
  GROUNDS.filter((to) => to !== from).flatMap((to) =>
    MOVES.map(({ says, work }) => ({
      says: `${says} from ${from.name} to ${to.name}`,
      before: [{ ground: from, work: bringUp("nat", "second", "third") }],
      turn: { ground: to, work },
    }))
  )
);

for (const one of CASES) {
  // To die after one effect is to die before the next.
  Deno.test(`a process that dies before any effect of ${one.says} leaves each network in one place`, async () => {
    const frame = await frameOf(one);
    await disturb(frame, once("dies before"), async (world, error) => {
      assert(error instanceof Killed, String(error));
      await assertMended(world, frame);
    });
  });

  Deno.test(`a failure of any effect of ${one.says} leaves each network in one place`, async () => {
    const frame = await frameOf(one);
    await disturb(frame, once("fails"), async (world, error) => {
      if (error === undefined) return await assertDone(world, frame);
      assert(isRefusal(error), String(error));
      await assertWhole(world, frame);
    });
  });

  Deno.test(`when nothing works any more during ${one.says}, the next command mends it`, async () => {
    const frame = await frameOf(one);
    await disturb(frame, lasting("fails"), async (world, error) => {
      assert(isRefusal(error), String(error));
      await assertMended(world, frame);
    });
  });
}

import { assert, assertEquals } from "@std/assert";
import {
  assertDone,
  assertMended,
  type Case,
  disturb,
  frameOf,
  isRefusal,
  lasting,
  once,
} from "../../support/disturbance.ts";
import { copyWorld, describeWorld, Killed } from "../../support/model_host.ts";
import {
  bringUp,
  type Ground,
  GROUNDS,
  PF,
  reloadAgain,
  takeDown,
  takeTurn,
  type Work,
  worldAfter,
} from "../../support/turns.ts";

/** What stands before, and the command that is disturbed. */
const CASES: readonly { readonly says: string; readonly before: Work[]; readonly work: Work }[] = [
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

function casesOn(ground: Ground): readonly Case[] {
  return CASES.map(({ says, before, work }) => ({
    says: `${says} with ${ground.name}`,
    before: before.map((one) => ({ ground, work: one })),
    turn: { ground, work },
  }));
}

for (const one of [...GROUNDS, PF].flatMap(casesOn)) {
  for (const fate of ["dies before", "dies after"] as const) {
    Deno.test(`a process that ${fate} any effect of ${one.says} leaves nothing half-done`, async () => {
      const frame = await frameOf(one);
      const effects = await disturb(frame, once(fate), async (world, error) => {
        assert(error instanceof Killed, String(error));
        await assertMended(world, frame);
      });
      assert(effects > 2, `only ${effects} effects`);
    });
  }

  Deno.test(`a failure of any effect of ${one.says} leaves the host as before, or as wanted`, async () => {
    const frame = await frameOf(one);
    await disturb(frame, once("fails"), async (world, error) => {
      if (error === undefined) return await assertDone(world, frame);
      assert(isRefusal(error), String(error));
      assertEquals(describeWorld(world), describeWorld(frame.start));
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

Deno.test("a process killed twice while putting things right still leaves nothing half-done", async () => {
  for (const ground of [...GROUNDS, PF]) {
    const start = await worldAfter([{ ground, work: bringUp("nat", "second") }]);
    const world = copyWorld(start);
    const turn = { ground, work: bringUp("route") };
    await takeTurn(world, turn, (effect) => effect === 1 ? "dies after" : "works");
    const helper = { ground, work: takeDown("nobody") };
    for (const fate of ["dies before", "dies after"] as const) {
      await takeTurn(world, helper, (effect) => effect === 0 ? fate : "works");
    }
    await takeTurn(world, helper);
    assertEquals(describeWorld(world), describeWorld(start));
  }
});

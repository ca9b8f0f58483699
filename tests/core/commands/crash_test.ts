import { assertEquals } from "@std/assert";
import { testEveryEffect } from "../../support/crash_tests.ts";
import { casesOn } from "../../support/crash_cases.ts";
import { copyWorld, describeWorld } from "../../support/model_host.ts";
import { bringUp, GROUNDS, PF, takeDown, takeTurn, worldAfter } from "../../support/turns.ts";

for (const one of [...GROUNDS, PF].flatMap(casesOn)) testEveryEffect(one);

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

/** The claims of a command for which each of its effects is disturbed, as tests. */
import { assert, assertEquals } from "@std/assert";
import { assertDone, assertMended, assertWhole } from "./claims.ts";
import { type Case, disturb, frameOf, isRefusal, lasting, once } from "./disturbance.ts";
import { describeWorld, Killed } from "./model_host.ts";
import { assertRightPorts } from "./port_claims.ts";

/** A command after which each network is as before or as wanted. */
export function testEveryEffect(one: Case): void {
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
    await disturb(frame, once("fails"), async (world, error, said) => {
      if (error === undefined) return await assertDone(world, frame, said);
      assert(isRefusal(error), String(error));
      assertEquals(describeWorld(world), describeWorld(frame.start));
      assertRightPorts(world, said);
    });
  });

  testLastingFailure(one);
}

/** A command that takes networks from one program to another. */
export function testEveryEffectOfMove(one: Case): void {
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
    await disturb(frame, once("fails"), async (world, error, said) => {
      if (error === undefined) return await assertDone(world, frame, said);
      assert(isRefusal(error), String(error));
      await assertWhole(world, frame);
    });
  });

  testLastingFailure(one);
}

function testLastingFailure(one: Case): void {
  Deno.test(`when nothing works any more during ${one.says}, the next command mends it`, async () => {
    const frame = await frameOf(one);
    await disturb(frame, lasting("fails"), async (world, error) => {
      assert(isRefusal(error), String(error));
      await assertMended(world, frame);
    });
  });
}

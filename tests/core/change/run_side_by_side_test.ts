import { assert, assertEquals, assertRejects } from "@std/assert";
import { runSideBySide } from "../../../core/change/run_side_by_side.ts";
import type { Command } from "../../../core/command.ts";

function commands(count: number): readonly Command[] {
  return Array.from({ length: count }, (_, index) => ({
    program: "conntrack",
    args: [String(index)],
  }));
}

Deno.test("each command is run once, and told of in the order given", async () => {
  const runner = {
    run: async ({ args: [word = ""] }: Command) => {
      await new Promise((done) => setTimeout(done, Number(word) % 3));
      return { status: Number(word), stdout: "", stderr: "" };
    },
  };
  const all = commands(50);
  assertEquals(
    await runSideBySide(runner, all),
    all.map((command, status) => ({ command, result: { status, stdout: "", stderr: "" } })),
  );
  assertEquals(await runSideBySide(runner, []), []);
});

Deno.test("some are run at a time, not all", async () => {
  let [running, most] = [0, 0];
  const runner = {
    run: async () => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      return { status: 0, stdout: "", stderr: "" };
    },
  };
  await runSideBySide(runner, commands(100));
  assert(1 < most && most <= 16, String(most));
});

Deno.test("a runner that is gone ends all", async () => {
  const runner = { run: () => Promise.reject(new Error("killed")) };
  await assertRejects(() => runSideBySide(runner, commands(40)), Error, "killed");
});

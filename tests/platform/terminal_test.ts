import { assertEquals, assertStringIncludes } from "@std/assert";
import { NETWORK, openProgram } from "../commands/program.ts";
import { type Finished, run } from "../hosts/run_program.ts";

/** Runs the program with its streams going where the shell's words say. */
async function redirected(words: readonly string[], streams: string): Promise<Finished> {
  await using program = await openProgram();
  const command = `"$@" ${streams}`;
  return await run(["sh", "-c", command, "sh", ...program.argv(words)], { stdin: NETWORK });
}

Deno.test("a result that cannot be written is an error in words", async () => {
  const { code, stderr } = await redirected(["plan", "-"], ">/dev/full");
  assertEquals(code, 1);
  assertEquals(stderr, "error: Cannot write the result: No space left on device (os error 28)\n");
  const asJson = await redirected(["plan", "--json", "-"], ">/dev/full");
  assertEquals(asJson.code, 1);
  assertStringIncludes(asJson.stderr, '{"error":{"message":"Cannot write the result: ');
});

Deno.test("messages that cannot be written change nothing else", async () => {
  const plan = await redirected(["plan", "--verbose", "-"], "2>/dev/full");
  assertEquals(plan.code, 0);
  assertStringIncludes(plan.stdout, "add table inet bridgewall\n");
  assertEquals((await redirected(["plan", "nothing.xml"], "2>/dev/full")).code, 2);
  const both = await redirected(["plan", "-"], ">/dev/full 2>&1");
  assertEquals([both.code, both.stdout, both.stderr], [1, "", ""]);
});

Deno.test("a reader that has gone is no error", async () => {
  const { code, stderr } = await redirected(["plan", "-"], "| true; exit $?");
  assertEquals([code, stderr], [0, ""]);
});

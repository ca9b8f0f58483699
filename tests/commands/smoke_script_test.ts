import { assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { run } from "../hosts/run_program.ts";

const FREEBSD = fromFileUrl(new URL("../../dist/freebsd", import.meta.url));
const SCRIPTS = ["smoke.sh", "smoke_machines.sh"];

Deno.test("the smoke test for FreeBSD is a script that sh reads to its end", async () => {
  for (const script of SCRIPTS) {
    const { code, stderr } = await run(["sh", "-n", `${FREEBSD}/${script}`]);
    assertEquals([code, stderr], [0, ""], script);
  }
  const half = (await Deno.readTextFile(`${FREEBSD}/smoke.sh`)).slice(0, -40);
  assertEquals((await run(["sh", "-n"], { stdin: `${half}\nif` })).code, 2);
});

Deno.test("on a machine that is no FreeBSD the smoke test ends at once, and says so", async () => {
  const { code, stdout, stderr } = await run(["sh", `${FREEBSD}/smoke.sh`]);
  assertEquals(code, 2);
  assertMatch(stdout + stderr, /FreeBSD/);
});

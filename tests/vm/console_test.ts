import { assertEquals, assertMatch } from "@std/assert";
import { type Ended, isOfScript, problemOf } from "./console.ts";

const GOOD: Ended = {
  text: "SeaBIOS\r\nok - one\r\r\nok - two\r\n2 passed, 0 failed\r\n",
  code: 0,
  late: false,
};

Deno.test("a machine that came to its closing line, with all its claims, has passed", () => {
  assertEquals(problemOf(GOOD), undefined);
});

Deno.test("whatever else a machine does is no success", () => {
  const others: readonly (readonly [Partial<Ended>, RegExp])[] = [
    [{ text: "" }, /no closing line/],
    [{ text: "", late: true }, /time was over/],
    [{ text: "ok - one\n" }, /no closing line/],
    [{ text: "ok - one\nnot ok - two\n1 passed, 1 failed\n" }, /1 of its claims/],
    [{ text: "ok - one\nnot ok - two\n1 passed, 0 failed\n" }, /a claim/],
    [{ text: "0 passed, 0 failed\n" }, /0 claims/],
    [{ text: "2 passed, 0 failed\n" }, /0 were read/],
    [{ text: "echo 2 passed, 0 failed\n" }, /no closing line/],
    [{ text: `${GOOD.text}[ 4.5] Kernel panic - not syncing\n` }, /kernel has ended/],
    [{ late: true }, /did not end/],
    [{ code: 1 }, /qemu exited with 1/],
  ];
  for (const [change, problem] of others) {
    assertMatch(problemOf({ ...GOOD, ...change }) ?? "none", problem);
  }
});

Deno.test("what firmware and kernel say is kept back, but for the kernel's end", () => {
  const lines = ["SeaBIOS (version 1)", "ok - one", "[ 4.5] x", "[ 4.5] Kernel panic - y", "# z"];
  assertEquals(lines.filter(isOfScript), ["ok - one", "[ 4.5] Kernel panic - y", "# z"]);
});

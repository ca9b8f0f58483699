import { assertEquals } from "@std/assert";
import { closingLine, readCounts } from "./run_tests.ts";

Deno.test("the closing line of deno test is counted", () => {
  const counts = (line: string, code: number): string => closingLine(readCounts(line, code));
  assertEquals(counts("ok | 7 passed | 0 failed (87ms)\n", 0), "7 passed, 0 failed");
  assertEquals(
    counts("ok | 7 passed (3 steps) | 0 failed | 1 ignored (2 steps) (87ms)\n", 0),
    "7 passed, 0 failed, 1 skipped",
  );
  assertEquals(
    counts("FAILED | 4 passed (3 steps) | 2 failed (1 step) (1s)\n", 1),
    "4 passed, 2 failed",
  );
  assertEquals(
    counts("ok | 0 passed | 0 failed | 8 filtered out (4ms)\n", 0),
    "0 passed, 0 failed",
  );
});

Deno.test("a run that died is a failure, whatever it printed before", () => {
  assertEquals(readCounts("error: Type checking failed.\n", 1).failed, 1);
  assertEquals(readCounts("ok | 7 passed | 0 failed (87ms)\n", 137).failed, 1);
  assertEquals(readCounts("", 1), { passed: 0, failed: 1, skipped: 0 });
});

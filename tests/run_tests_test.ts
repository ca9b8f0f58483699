import { assertEquals } from "@std/assert";
import { resultsTable } from "./hosts/results_table.ts";
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

/** What `deno test` prints, with the tests of two backends. */
const OUTPUT = `running 4 tests from ./tests/hosts/nat_test.ts
one: guests ... reach the outside ...
  one: a step is no test ... ok (1ms)
one: guests ... reach the outside ... ok (878ms)
two: guests ... reach the outside ... FAILED (due to 1 failed step) (1s)
two: a lease ... ignored (0ms)
running 1 test from ./tests/hosts/probes_test.ts
a probe tells passed from refused ... ok (3s)

 ERRORS

two: guests ... reach the outside => ./tests/hosts/nat_test.ts:20:3
`;

Deno.test("the table tells what became of each host test with each backend", () => {
  assertEquals(resultsTable(OUTPUT, ["one", "two"]), [
    "host test                     one  two",
    "guests ... reach the outside  ok   FAILED",
    "a lease                       -    skipped",
  ]);
});

Deno.test("without host tests there is no table", () => {
  assertEquals(resultsTable("a probe tells passed from refused ... ok (3s)\n", ["one"]), []);
});

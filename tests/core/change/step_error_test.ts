import { assertEquals, assertStringIncludes } from "@std/assert";
import { numberedScript, outcome, StepFailedError } from "../../../core/change/step_error.ts";
import type { Command } from "../../../core/command.ts";

const NFT: Command = { program: "nft", args: ["-f", "-"] };

function script(lines: number): string {
  return Array.from({ length: lines }, (_, index) => `line ${index + 1}\n`).join("");
}

function failed(stdin: string, stderr: string, status = 1): readonly string[] {
  const error = new StepFailedError("load the rules", { ...NFT, stdin }, {
    status,
    stdout: "",
    stderr,
  });
  return error.message.split("\n");
}

Deno.test("a failure shows the program's own words and the numbered script", () => {
  assertEquals(failed("add table inet x\nadd y\n", "/dev/stdin:2:5-5: Error: syntax error\n"), [
    "Cannot load the rules: nft exited with status 1",
    "  /dev/stdin:2:5-5: Error: syntax error",
    "1 | add table inet x",
    "2 | add y",
  ]);
});

Deno.test("a program that is missing or may not be run is named", () => {
  const ended = (status: number): string => outcome(NFT, status);
  assertEquals(ended(127), 'the program "nft" is not installed');
  assertEquals(ended(126), 'the program "nft" may not be run');
  assertEquals(ended(3), "nft exited with status 3");
});

Deno.test("a command without a script shows none", () => {
  const sysctl: Command = { program: "sysctl", args: ["-w", "x=1"] };
  const result = { status: 255, stdout: "", stderr: 'sysctl: permission denied on key "x"\n' };
  assertEquals(new StepFailedError("switch it on", sysctl, result).message.split("\n"), [
    "Cannot switch it on: sysctl exited with status 255",
    '  sysctl: permission denied on key "x"',
  ]);
});

Deno.test("scripts up to 40 lines are shown whole, numbers in line", () => {
  const lines = failed(script(40), "Error\n");
  assertEquals(lines.length, 42);
  assertEquals([lines[2], lines.at(-1)], [" 1 | line 1", "40 | line 40"]);
});

Deno.test("longer scripts are shown only around the lines that are complained of", () => {
  const numbers = (stderr: string): readonly number[] =>
    failed(script(300), stderr).filter((line) => line.includes(" | ")).map((line) =>
      parseInt(line)
    );
  assertEquals(numbers("/dev/stdin:100:1-4: Error: no\n"), [98, 99, 100, 101, 102]);
  assertEquals(numbers("/dev/stdin:1:1-4: Error: no\n/dev/stdin:300:1-4: Error: no\n"), [
    1,
    2,
    3,
    298,
    299,
    300,
  ]);
  assertEquals(numbers("RTNETLINK answers: Invalid argument\nCommand failed -:7\n"), [
    5,
    6,
    7,
    8,
    9,
  ]);
  assertEquals(numbers("iptables-restore v1.8.9 (nf_tables): \nline 7: CHAIN_ADD failed"), [
    ...[5, 6, 7, 8, 9],
  ]);
  assertEquals(numbers("iptables-restore: line 7 failed\n"), [5, 6, 7, 8, 9]);
  assertEquals(numbers("Error occurred at line: 7\nTry `iptables-restore -h'"), [5, 6, 7, 8, 9]);
  assertEquals(numbers("Error: cannot open shared object\n"), []);
  assertStringIncludes(failed(script(300), "/dev/stdin:9:1-4: Error\n").join("\n"), "  9 | line 9");
});

Deno.test("a program that says very much is cut short", () => {
  const lines = failed("", script(100));
  assertEquals(lines.slice(40, 42), ["  line 40", "  … and 60 more lines"]);
});

Deno.test("the numbers of a long script are as wide as the last one", () => {
  assertEquals(numberedScript(script(1000), new Set([1])), [
    "   1 | line 1",
    "   2 | line 2",
    "   3 | line 3",
  ]);
});

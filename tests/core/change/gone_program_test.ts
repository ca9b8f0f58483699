import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { runOperation } from "../../../core/change/run_operation.ts";
import { StepFailedError } from "../../../core/change/step_error.ts";
import type { Program } from "../../../core/command.ts";
import {
  anew,
  entering,
  group,
  input,
  leftover,
  NOTHING,
  restore,
  standing,
  step,
} from "../../support/operation.ts";
import { type ScriptedRunner, scriptedRunner } from "../../support/scripted_runner.ts";

/** A host on which these programs end with that status, which says that they are not installed. */
function hostWithout(programs: readonly Program[], status = 127): ScriptedRunner {
  return scriptedRunner(({ program }) => programs.includes(program) ? { status } : {});
}

const OLD = restore("iptables-nft-restore", "-D old");
const OLD6 = restore("ip6tables-nft-restore", "-D old6");

Deno.test("rules whose program is gone are left, with all that somebody needs to remove them", async () => {
  const runner = hostWithout(["iptables-nft-restore", "ip6tables-nft-restore"]);
  const { warnings, gone } = await runOperation(runner, {
    ...NOTHING,
    leaving: [standing(group(OLD), group(OLD6), group(input("nft", "remove")))],
    entering: [entering("one", step(input("nft", "add")))],
  });
  assertEquals(
    warnings.map((warning) => warning.split("\n")),
    ["ip6tables", "iptables"].map((name) => [
      `Rules were left behind, because the program "${name}-nft-restore" is not installed. To remove ` +
      `them, install it and run \`${name}-nft-restore --noflush\` with this input:`,
      "  *filter",
      name === "iptables" ? "  -D old" : "  -D old6",
      "  COMMIT",
    ]),
  );
  assertEquals(gone, ["ip6tables-nft-restore", "iptables-nft-restore"]);
  assertEquals(runner.ran.filter((line) => line.startsWith("nft")), ["nft: remove / add"]);
});

Deno.test("rules of nft are left as well where nft is gone", async () => {
  const { gone, warnings } = await runOperation(hostWithout(["nft"]), {
    ...NOTHING,
    leaving: [standing(group(input("nft", "remove")))],
    entering: [entering("one", step(restore("iptables-nft-restore", "-A one")))],
  });
  assertEquals(gone, ["nft"]);
  assertStringIncludes(warnings.join(), 'the program "nft" is not installed');
  assertStringIncludes(warnings.join(), "run `nft -` with this input:\n  remove");
});

Deno.test("a program that is gone and has to install is an error", async () => {
  const operation = {
    ...NOTHING,
    leaving: [standing(group(OLD))],
    entering: [entering("one", step(restore("iptables-nft-restore", "-A one")))],
  };
  await assertRejects(
    () => runOperation(hostWithout(["iptables-nft-restore"]), operation),
    StepFailedError,
    'the program "iptables-nft-restore" is not installed',
  );
});

Deno.test("a program that may not be run is not taken for one that is gone", async () => {
  const operation = {
    ...NOTHING,
    leaving: [standing(group(OLD))],
    rebuild: () => Promise.resolve(anew([OLD], [])),
  };
  await assertRejects(
    () => runOperation(hostWithout(["iptables-nft-restore"], 126), operation),
    StepFailedError,
    'the program "iptables-nft-restore" may not be run',
  );
});

Deno.test("a queue whose program is gone is nothing to speak of", async () => {
  const leaving = [standing(group(input("tc", "queue"), true), group(input("nft", "remove")))];
  const outcome = await runOperation(hostWithout(["tc"]), { ...NOTHING, leaving });
  assertEquals(outcome, { warnings: [], undone: [], gone: [] });
});

Deno.test("what was left behind is tried again, and goes without a word", async () => {
  const runner = scriptedRunner();
  const leaving = [leftover([], group(OLD), group(OLD6))];
  const outcome = await runOperation(runner, { ...NOTHING, leaving });
  assertEquals(outcome, { warnings: [], undone: [], gone: [] });
  assertEquals(
    new Set(runner.ran),
    new Set(["ip6tables-nft-restore", "iptables-nft-restore"].map(
      (program) => `${program}: *filter / -D old${program.startsWith("ip6") ? "6" : ""} / COMMIT`,
    )),
  );
});

Deno.test("what was left behind and is gone by now holds nothing up, but is told", async () => {
  const runner = scriptedRunner(({ program }) =>
    program === "nft" ? {} : { status: 1, stderr: "iptables-restore: line 2 failed\n" }
  );
  const { warnings, gone } = await runOperation(runner, {
    ...NOTHING,
    leaving: [leftover([], group(OLD))],
    entering: [entering("one", step(input("nft", "add")))],
  });
  assertEquals(gone, []);
  const [warning = "", ...others] = warnings;
  assertEquals(others, []);
  assertStringIncludes(
    warning,
    "because iptables-nft-restore exited with status 1. To remove them, run",
  );
  for (const line of OLD.stdin?.trim().split("\n") ?? []) {
    assertStringIncludes(warning, `  ${line}`);
  }
});

Deno.test("what was left behind is not forgotten while another program holds the lock", async () => {
  const stderr = "Another app is currently holding the xtables lock. Stopped waiting after 60s.\n";
  const runner = scriptedRunner(({ program }) => program === "nft" ? {} : { status: 4, stderr });
  const { gone } = await runOperation(runner, {
    ...NOTHING,
    leaving: [leftover([], group(OLD))],
    entering: [entering("one", step(input("nft", "add")))],
  });
  assertEquals(gone, [OLD.program]);
});

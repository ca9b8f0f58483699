import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { Step } from "../../../core/change/change.ts";
import type { Operation } from "../../../core/change/operation.ts";
import { NotRestoredError, runOperation, takeBack } from "../../../core/change/run_operation.ts";
import { StepFailedError } from "../../../core/change/step_error.ts";
import {
  anew,
  entering,
  group,
  input,
  NOTHING,
  restore,
  standing,
  step,
} from "../../support/operation.ts";
import { scriptedRunner } from "../../support/scripted_runner.ts";

const LOSS = { loss: "DHCP suffers", undo: input("tc", "undo") };
const SYSCTL: Step = {
  purpose: "switch on forwarding",
  command: { program: "sysctl", args: ["-w", "x=1"] },
};

Deno.test("rules go and come in one run of nft, between the other programs", async () => {
  const runner = scriptedRunner();
  const { warnings, undone } = await runOperation(runner, {
    ...NOTHING,
    leaving: [
      standing(group(input("tc", "old queue"), true), group(input("nft", "remove old"))),
      standing(group(input("nft", "remove two"))),
    ],
    entering: [
      entering("three", step(input("nft", "add three")), step(input("tc", "new queue"), LOSS)),
      entering("four", step(input("nft", "add four"))),
    ],
    settings: [SYSCTL],
  });
  assertEquals([warnings, undone], [[], []]);
  assertEquals(runner.ran, [
    "tc: old queue",
    "nft: remove old / remove two / add three / add four",
    "sysctl -w x=1",
    "tc: new queue",
  ]);
});

Deno.test("an optional step that fails is taken back, and its loss is told", async () => {
  const runner = scriptedRunner((_, line) =>
    line === "tc: queue" ? { status: 2, stderr: "Error: Specified kind not found.\nmore\n" } : {}
  );
  const { warnings, undone } = await runOperation(runner, {
    ...NOTHING,
    entering: [entering("one", step(input("nft", "add")), step(input("tc", "queue"), LOSS))],
  });
  assertEquals(runner.ran, ["nft: add", "tc: queue", "tc: undo"]);
  assertEquals(warnings, [
    "DHCP suffers (tc exited with status 2: Error: Specified kind not found.)",
  ]);
  assertEquals(undone, [LOSS.undo]);
});

Deno.test("optional steps of many networks are one run, and are undone together", async () => {
  const runner = scriptedRunner((_, line) => line === "tc: a / b" ? { status: 127 } : {});
  const optional = (name: string): Step =>
    step(input("tc", name), { loss: "DHCP suffers", undo: input("tc", `undo ${name}`) });
  const { warnings, undone } = await runOperation(runner, {
    ...NOTHING,
    entering: [entering("one", optional("a")), entering("two", optional("b"))],
  });
  assertEquals(runner.ran, ["tc: a / b", "tc: undo a / undo b"]);
  assertEquals(warnings, ['DHCP suffers (the program "tc" is not installed)']);
  assertEquals(undone, [input("tc", "undo a"), input("tc", "undo b")]);
});

Deno.test("a removal whose errors say nothing is passed over", async () => {
  const runner = scriptedRunner(({ program }) => ({ status: program === "tc" ? 1 : 0 }));
  const leaving = [standing(group(input("tc", "gone"), true), group(input("nft", "remove")))];
  assertEquals((await runOperation(runner, { ...NOTHING, leaving })).warnings, []);
  assertEquals(runner.ran, ["tc: gone", "nft: remove"]);
});

Deno.test("when the first command fails, there is nothing to take back", async () => {
  const runner = scriptedRunner(() => ({ status: 1, stderr: "Error: no\n" }));
  const operation = {
    ...NOTHING,
    entering: [entering("one", step(input("nft", "add")))],
    rebuild: () => Promise.resolve(anew([input("nft", "delete table")], [])),
  };
  const progress = { touched: false };
  const error = await assertRejects(
    () => runOperation(runner, operation, progress),
    StepFailedError,
    "Cannot do add: nft exited with status 1",
  );
  assertStringIncludes(error.message, "1 | add");
  assertEquals(progress, { touched: false });
});

const HALFWAY: Operation = {
  ...NOTHING,
  entering: [entering("one", step(input("nft", "add")))],
  settings: [SYSCTL],
};
const RESTORE: Operation = {
  ...NOTHING,
  leaving: [standing(group(input("nft", "take back")))],
};

Deno.test("when a later command fails, there is something to take back", async () => {
  const runner = scriptedRunner(({ program }) => ({ status: program === "sysctl" ? 255 : 0 }));
  const progress = { touched: false };
  const error = await assertRejects(
    () => runOperation(runner, HALFWAY, progress),
    StepFailedError,
    "Cannot switch on forwarding: sysctl exited with status 255",
  );
  assertEquals([runner.ran, progress], [["nft: add", "sysctl -w x=1"], { touched: true }]);
  assertEquals(await takeBack(runner, RESTORE, error), { warnings: [], undone: [], gone: [] });
  assertEquals(runner.ran.at(-1), "nft: take back");
});

Deno.test("a script of iptables that fails may have been taken in part, one of nft is not", async () => {
  for (const [program, touched] of [["nft", false], ["iptables-nft-restore", true]] as const) {
    const runner = scriptedRunner(({ args }) => ({ status: args.includes("--test") ? 0 : 1 }));
    const command = program === "nft" ? input(program, "add") : restore(program, "-A one");
    const one = entering("one", step(command));
    const progress = { touched: false };
    const rebuild = () => Promise.resolve(anew([], [one]));
    await assertRejects(
      () => runOperation(runner, { ...NOTHING, entering: [one], rebuild }, progress),
      StepFailedError,
    );
    assertEquals(progress, { touched }, program);
  }
});

Deno.test("when taking back fails too, both reasons are told", async () => {
  const runner = scriptedRunner(() => ({ status: 1 }));
  const cause = new Error("Cannot switch on forwarding: sysctl exited with status 255");
  const rebuild: Operation["rebuild"] = () =>
    Promise.resolve(anew([input("nft", "delete table")], []));
  const error = await assertRejects(
    () => takeBack(runner, { ...RESTORE, rebuild }, cause),
    NotRestoredError,
  );
  assertStringIncludes(error.message, "Cannot switch on forwarding");
  assertStringIncludes(
    error.message,
    "What stood before could not be restored either: Cannot remove the rules: nft exited",
  );
  assert(error.hint !== undefined);
});

const REBUILT = anew([input("nft", "delete table")], [
  entering("two", step(input("nft", "add two")), step(input("tc", "queue two"), LOSS)),
  entering("one", step(input("nft", "add one")), step(input("tc", "queue"), LOSS)),
]);

const EDITED: Operation = {
  ...NOTHING,
  leaving: [standing(group(input("nft", "remove old")))],
  entering: [entering("one", step(input("nft", "add one")), step(input("tc", "queue"), LOSS))],
  settings: [SYSCTL],
  rebuild: () => Promise.resolve(REBUILT),
};

Deno.test("rules that somebody edited are made anew, in one run", async () => {
  const runner = scriptedRunner((_, line) =>
    line.includes("remove old") ? { status: 1, stderr: "Error: busy\nremove old" } : {}
  );
  const { warnings, rebuilt } = await runOperation(runner, EDITED);
  assertEquals(warnings, [
    "All rules were made anew, because the first attempt failed (Error: busy)",
  ]);
  assertEquals(rebuilt, REBUILT.entering);
  assertEquals(runner.ran, [
    "nft: remove old / add one",
    "nft: delete table / add two / add one",
    "sysctl -w x=1",
    "tc: queue two / queue",
  ]);
});

Deno.test("rules are made anew where the kernel cannot repair checksums", async () => {
  const runner = scriptedRunner(({ program }, line) => ({
    status: program === "tc" || line.includes("remove old") ? 1 : 0,
  }));
  const { warnings: [first, second] } = await runOperation(runner, EDITED);
  assertStringIncludes(first ?? "", "All rules were made anew");
  assertStringIncludes(second ?? "", "DHCP suffers");
});

Deno.test("when making them anew fails as well, the first reason is told", async () => {
  const runner = scriptedRunner((_, line) =>
    line.startsWith("nft") ? { status: 1, stderr: line.includes("table") ? "second" : "first" } : {}
  );
  await assertRejects(() => runOperation(runner, EDITED), StepFailedError, "first");
  assertEquals(runner.ran.length, 2);
});

Deno.test("nothing is made anew where the firewall's own program is not what failed", async () => {
  const missing = scriptedRunner(({ program }) => ({ status: program === "nft" ? 127 : 0 }));
  await assertRejects(() => runOperation(missing, EDITED), StepFailedError, "is not installed");
  assertEquals(missing.ran.length, 1);
  const settings = scriptedRunner(({ program }) => ({ status: program === "sysctl" ? 1 : 0 }));
  await assertRejects(() => runOperation(settings, EDITED), StepFailedError, "sysctl");
  assertEquals(settings.ran, ["nft: remove old / add one", "sysctl -w x=1"]);
});

import { assertEquals, assertRejects } from "@std/assert";
import { askTasks } from "../../../core/change/ask_tasks.ts";
import { runOperation } from "../../../core/change/run_operation.ts";
import { StepFailedError } from "../../../core/change/step_error.ts";
import type { Task } from "../../../core/change/task.ts";
import type { RuleProgram } from "../../../core/command.ts";
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

const IPTABLES: RuleProgram = "iptables-nft-restore";
const IP6TABLES: RuleProgram = "ip6tables-nft-restore";

function task(parts: Partial<Task> = {}): Task {
  const command = restore(IPTABLES, "-A one");
  return { purpose: "load", command, kind: "installation", mayFail: false, ...parts };
}

const OPTIONAL: Partial<Task> = {
  optional: { loss: "Something is lost", undo: restore(IPTABLES, "-D one"), undone: [] },
};

/** Whether the tasks that are left to be tried are these, when programs end with that status. */
async function asked(tasks: readonly Task[], status: number, isFresh = false): Promise<string> {
  try {
    const answer = await askTasks(scriptedRunner(() => ({ status })), tasks, isFresh);
    return answer.map(({ refusal }) => refusal === undefined ? "try" : "pass over").join(", ");
  } catch (error) {
    if (!(error instanceof StepFailedError)) throw error;
    return "refuse";
  }
}

Deno.test("nothing is changed when any of several programs would refuse its script", async () => {
  const old = restore("iptables-legacy-restore", "-D old");
  const one = entering("one", step(restore(IPTABLES, "-A")), step(restore(IP6TABLES, "-A")));
  for (const refusing of [IPTABLES, IP6TABLES, old.program]) {
    const changes: string[] = [];
    const runner = scriptedRunner(({ program, args }) => {
      if (!args.includes("--test")) changes.push(program);
      return { status: program === refusing ? 1 : 0, stderr: "line 2 failed" };
    });
    const progress = { touched: false };
    const operation = {
      ...NOTHING,
      leaving: [standing(group(old))],
      entering: [one],
      rebuild: () => Promise.resolve(anew([old], [one])),
    };
    await assertRejects(() => runOperation(runner, operation, progress), StepFailedError, refusing);
    assertEquals([changes, progress], [[], { touched: false }]);
  }
});

Deno.test("a script that would be taken is run after all have been asked", async () => {
  const ran: string[] = [];
  const runner = scriptedRunner(({ program, args }) => {
    ran.push(`${program} ${args.join(" ")}`);
    return {};
  });
  await runOperation(runner, {
    ...NOTHING,
    leaving: [standing(group(input("nft", "old")))],
    entering: [entering("one", step(restore(IPTABLES, "-A")), step(restore(IP6TABLES, "-A")))],
  });
  assertEquals(ran, [
    `${IPTABLES} --test --noflush`,
    `${IP6TABLES} --test --noflush`,
    `${IPTABLES} --noflush`,
    `${IP6TABLES} --noflush`,
    "nft -",
  ]);
});

Deno.test("what a network needs must be taken, whether all is made anew or not", async () => {
  for (const isFresh of [false, true]) {
    assertEquals(await asked([task()], 1, isFresh), "refuse");
    assertEquals(await asked([task()], 127, isFresh), "refuse");
    assertEquals(await asked([task({ kind: "removal" })], 1, isFresh), "refuse");
  }
});

Deno.test("what a network can do without is passed over where its program is not installed", async () => {
  for (const isFresh of [false, true]) {
    assertEquals(
      await asked([task(OPTIONAL), task({ mayFail: true })], 127, isFresh),
      "pass over, pass over",
    );
  }
});

Deno.test("what a network can do without is passed over only when nothing that stands is to blame", async () => {
  assertEquals(await asked([task(OPTIONAL)], 1, false), "refuse");
  assertEquals(await asked([task(OPTIONAL)], 1, true), "pass over");
});

Deno.test("a removal whose program is not installed is passed over: the rest need not wait for it", async () => {
  assertEquals(await asked([task({ kind: "removal" })], 127), "pass over");
});

Deno.test("a removal that may fail is passed over, whatever the reason", async () => {
  for (const status of [1, 2, 126, 127]) {
    assertEquals(await asked([task({ kind: "removal", mayFail: true })], status), "pass over");
  }
});

Deno.test("a run that is refused is asked about in its parts, and keeps those that are taken", async () => {
  const main = task({ command: restore(IPTABLES, "-A main") });
  const extra = task({ ...OPTIONAL, command: restore(IPTABLES, "-A extra") });
  const whole = task({ command: restore(IPTABLES, "-A main and extra"), parts: [main, extra] });
  const runner = scriptedRunner((_, line) => ({ status: line.includes("extra") ? 1 : 0 }));
  const answer = await askTasks(runner, [whole], true);
  assertEquals(answer.map((one) => [one.task, one.refusal?.status]), [[main, undefined], [
    extra,
    1,
  ]]);
  const taken = await askTasks(scriptedRunner(), [whole], true);
  assertEquals(taken, [{ task: whole }]);
});

Deno.test("programs that take their script whole are not asked: they are run", async () => {
  const runner = scriptedRunner(() => ({ status: 1 }));
  const commands = [input("nft", "add"), input("tc", "queue")];
  const tasks = commands.map((command) => task({ command }));
  assertEquals(await askTasks(runner, tasks, false), tasks.map((one) => ({ task: one })));
  assertEquals(runner.ran, []);
});

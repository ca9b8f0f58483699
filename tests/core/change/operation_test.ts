import { assertEquals } from "@std/assert";
import { operationCommands, planTasks, rebuildTasks } from "../../../core/change/operation.ts";
import type { Step } from "../../../core/change/change.ts";
import type { Command } from "../../../core/command.ts";
import type { Task } from "../../../core/change/task.ts";
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

/** `program: script`, the lines that only name tables left out. */
function told({ command: { program, args, stdin } }: Pick<Task, "command">): string {
  const lines = (stdin ?? args.join(" ")).trimEnd().split("\n");
  return `${program}: ${lines.filter((line) => !/^\*|^COMMIT/.test(line)).join(" / ")}`;
}

const SYSCTL: Step = {
  purpose: "switch on forwarding",
  command: { program: "sysctl", args: ["-w", "x=1"] },
};

function optional(command: Command): Step {
  const undo = { ...command, stdin: command.stdin?.replace("-A", "-D") ?? "" };
  return step(command, { loss: "Something is lost", undo });
}

Deno.test("what a network that stays or comes again needs is not removed", () => {
  const table = group(input("nft", "remove table"));
  const own = group(input("nft", "remove one"));
  const commands = operationCommands({
    ...NOTHING,
    leaving: [standing(own, table)],
    staying: [standing(table)],
    entering: [entering("one", step(input("nft", "add one")))],
  });
  assertEquals(commands.map(({ stdin }) => stdin), ["add one\n"]);
});

Deno.test("commands that differ in their arguments are not merged", () => {
  const other: Command = { program: "nft", args: ["--other"], stdin: "b\n" };
  const plain: Command = { program: "nft", args: ["-"] };
  const steps = [input("nft", "a"), other, plain, input("nft", "c")].map((one) => step(one));
  assertEquals(
    operationCommands({ ...NOTHING, entering: [entering("one", ...steps)] }).length,
    4,
  );
});

Deno.test("what may fail does not share a run with what must not, and comes behind it", () => {
  const leaving = [
    standing(group(input("nft", "a"), true), group(input("nft", "b"))),
    standing(group(input("nft", "c"))),
  ];
  const tasks = planTasks({ ...NOTHING, leaving });
  assertEquals(tasks.map(told), ["nft: b / c", "nft: a"]);
  assertEquals(tasks.map(({ mayFail }) => mayFail), [false, true]);
});

Deno.test("a network that moves from nft to iptables has its new rules before the old ones go", () => {
  const tasks = planTasks({
    ...NOTHING,
    leaving: [standing(group(input("tc", "old queue"), true), group(input("nft", "old")))],
    entering: [entering(
      "one",
      step(restore("iptables-nft-restore", "-A one")),
      optional(restore("ip6tables-nft-restore", "-A one6")),
    )],
    settings: [SYSCTL],
  });
  assertEquals(tasks.map(told), [
    "tc: old queue",
    "iptables-nft-restore: -A one",
    "ip6tables-nft-restore: -A one6",
    "nft: old",
    "sysctl: -w x=1",
  ]);
  assertEquals(tasks.map(({ optional }) => optional?.loss), [
    ...[undefined, undefined],
    "Something is lost",
    ...[undefined, undefined],
  ]);
});

Deno.test("a network that moves from iptables to nft has its new rules before the old ones go", () => {
  const tasks = planTasks({
    ...NOTHING,
    leaving: [standing(
      group(restore("iptables-legacy-restore", "-D one")),
      group(restore("ip6tables-legacy-restore", "-D one6")),
    )],
    entering: [
      entering("one", step(input("nft", "new")), optional(input("tc", "new queue"))),
      entering("two", step(input("nft", "more")), optional(input("tc", "more queue"))),
    ],
    settings: [SYSCTL],
  });
  assertEquals(tasks.map(told), [
    "nft: new / more",
    "ip6tables-legacy-restore: -D one6",
    "iptables-legacy-restore: -D one",
    "sysctl: -w x=1",
    "tc: new queue / more queue",
  ]);
  assertEquals(tasks.map(({ kind }) => kind), [
    "installation",
    "removal",
    "removal",
    "installation",
    "installation",
  ]);
});

Deno.test("what goes and comes in one program does so in one run, whichever others there are", () => {
  const tasks = planTasks({
    ...NOTHING,
    leaving: [
      standing(group(restore("iptables-nft-restore", "-D old"))),
      standing(group(restore("iptables-legacy-restore", "-D older"))),
      standing(group(input("nft", "oldest"))),
    ],
    entering: [entering("one", step(restore("iptables-nft-restore", "-A new")))],
  });
  assertEquals(tasks.map(told), [
    "iptables-nft-restore: -D old / -A new",
    "iptables-legacy-restore: -D older",
    "nft: oldest",
  ]);
});

Deno.test("a program that only has to do what is optional is run before rules of others go", () => {
  const tasks = planTasks({
    ...NOTHING,
    leaving: [
      standing(group(input("nft", "old")), group(restore("ip6tables-nft-restore", "-D old6"))),
    ],
    entering: [entering("one", optional(restore("ip6tables-nft-restore", "-A new6")))],
  });
  const [both, ...others] = tasks;
  assertEquals(tasks.map(told), ["ip6tables-nft-restore: -D old6 / -A new6", "nft: old"]);
  assertEquals(both?.parts?.map(told), [
    "ip6tables-nft-restore: -D old6",
    "ip6tables-nft-restore: -A new6",
  ]);
  assertEquals(both?.parts?.map((part) => part.optional === undefined), [true, false]);
  assertEquals(others.map(({ parts }) => parts), [undefined]);
});

Deno.test("what was left behind goes after all that its program has to do, and may fail", () => {
  const tasks = planTasks({
    ...NOTHING,
    leaving: [leftover(
      [group(input("nft", "old"))],
      group(restore("iptables-nft-restore", "-D left")),
      group(restore("iptables-nft-restore", "-D left too")),
    )],
    entering: [entering("one", step(restore("iptables-nft-restore", "-A new")))],
  });
  assertEquals(tasks.map(told), [
    "iptables-nft-restore: -A new",
    "iptables-nft-restore: -D left / -D left too",
    "nft: old",
  ]);
  assertEquals(tasks.map(({ mayFail }) => mayFail), [false, true, false]);
});

Deno.test("what two networks left behind together waits for the last of them", () => {
  const shared = group(restore("iptables-nft-restore", "-X shared"));
  const own = group(restore("iptables-nft-restore", "-D one"));
  const leaving = [leftover([], own, shared)];
  const staying = [leftover([], group(restore("iptables-nft-restore", "-D two")), shared)];
  const commands = (operation: Partial<typeof NOTHING>): readonly string[] =>
    planTasks({ ...NOTHING, ...operation }).map(told);
  assertEquals(commands({ leaving, staying }), ["iptables-nft-restore: -D one"]);
  assertEquals(commands({ leaving }), ["iptables-nft-restore: -D one / -X shared"]);
});

Deno.test("making all rules anew takes each program's away and brings them back in one run", () => {
  const steps = [step(input("nft", "add")), step(restore("iptables-nft-restore", "-N one"))];
  const tasks = rebuildTasks(
    anew([
      input("nft", "delete table"),
      restore("iptables-nft-restore", "-X one"),
      restore("iptables-legacy-restore", "-X one"),
    ], [entering("one", ...steps)]),
    { ...NOTHING, settings: [SYSCTL] },
  );
  assertEquals(tasks.map(told), [
    "nft: delete table / add",
    "iptables-nft-restore: -X one / -N one",
    "iptables-legacy-restore: -X one",
    "sysctl: -w x=1",
  ]);
  assertEquals(tasks.some(({ mayFail }) => mayFail), false);
});

Deno.test("what a program that cannot be asked holds is tried to remove, so that it is told", () => {
  const tasks = rebuildTasks(
    { ...anew([input("nft", "delete table")], []), unseen: ["iptables-nft-restore"] },
    {
      ...NOTHING,
      leaving: [
        standing(group(restore("iptables-nft-restore", "-D one")), group(input("nft", "remove"))),
        leftover([], group(restore("iptables-nft-restore", "-D left"))),
      ],
    },
  );
  assertEquals(tasks.map(told), [
    "iptables-nft-restore: -D one",
    "iptables-nft-restore: -D left",
    "nft: delete table",
  ]);
});

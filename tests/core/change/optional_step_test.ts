import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { Step } from "../../../core/change/change.ts";
import type { Operation } from "../../../core/change/operation.ts";
import { runOperation } from "../../../core/change/run_operation.ts";
import { StepFailedError } from "../../../core/change/step_error.ts";
import type { Command } from "../../../core/command.ts";
import { anew, entering, NOTHING, restore, step } from "../../support/operation.ts";
import { scriptedRunner } from "../../support/scripted_runner.ts";

const MAIN = restore("iptables-nft-restore", "-A main");
const EXTRA = restore("iptables-nft-restore", "-A extra", "mangle");
const UNDO = restore("iptables-nft-restore", "-D extra", "mangle");

const STEPS: readonly Step[] = [step(MAIN), step(EXTRA, { loss: "DHCP suffers", undo: UNDO })];

const OPERATION: Operation = {
  ...NOTHING,
  entering: [entering("one", ...STEPS)],
  rebuild: () => Promise.resolve(anew([], [entering("one", ...STEPS)])),
};

/** Runs it where scripts are refused; told are those that change something, by their lines. */
async function run(
  refuses: (lines: string, command: Command) => boolean,
): Promise<{ readonly warnings: readonly string[]; readonly ran: readonly string[] }> {
  const ran: string[] = [];
  const runner = scriptedRunner((command) => {
    const lines = (command.stdin ?? "").match(/-\S \w+/g)?.join(" / ") ?? "";
    if (!command.args.includes("--test")) ran.push(lines);
    return refuses(lines, command) ? { status: 1, stderr: "Extension CHECKSUM missing\n" } : {};
  });
  const { warnings } = await runOperation(runner, OPERATION);
  return { warnings, ran };
}

Deno.test("what a network needs and what it can do without is one run where both work", async () => {
  assertEquals(await run(() => false), { warnings: [], ran: ["-A extra / -A main"] });
});

Deno.test("where the question tells that a part would be refused, the network comes up without it", async () => {
  const { warnings, ran } = await run((lines) => lines.includes("-A extra"));
  const [loss, ...others] = warnings;
  assertEquals(loss?.startsWith("DHCP suffers (iptables-nft-restore exited with status 1"), true);
  assertEquals([others, ran], [[], ["-A main"]]);
});

Deno.test("where only running tells, the network comes up without it as well", async () => {
  const { warnings, ran } = await run((lines, { args }) =>
    lines.includes("-A extra") && !args.includes("--test")
  );
  assertStringIncludes(warnings.at(-1) ?? "", "DHCP suffers");
  assertEquals(ran.slice(-4), ["-A extra / -A main", "-A main", "-A extra", "-D extra"]);
});

Deno.test("where the part that a network needs is refused, it does not come up", async () => {
  await assertRejects(() => run((lines) => lines.includes("-A main")), StepFailedError, "-A main");
});

Deno.test("while another program holds the lock of iptables, nothing is made anew", async () => {
  let asked = 0;
  const runner = scriptedRunner(() => {
    asked++;
    const stderr = "Another app is currently holding the xtables lock; still 60s time to wait\n";
    return { status: 4, stderr };
  });
  const operation = { ...NOTHING, entering: [entering("one", step(MAIN))] };
  await assertRejects(() => runOperation(runner, operation), StepFailedError, "xtables lock");
  assertEquals(asked, 1);
});

/**
 * A reload of firewalld that costs nobody else what they changed at run time: firewalld forgets that when it
 * reads its files (firewall-cmd(1), `--reload`), and a port that an administrator opened for the time being,
 * or the zone that another program put its interface into, is not ours to lose.
 */
import { commandKey } from "../../core/change/change.ts";
import type { Command, CommandResult, CommandRunner } from "../../core/command.ts";
import { isNobodyThere } from "../../core/change/already_so.ts";
import { askQuestions } from "../../core/commands/snapshot.ts";
import {
  answerOf,
  BACKEND_QUESTION,
  POLICIES_QUESTION,
  RELOAD,
  settingsOf,
  settingsQuestion,
  STATE_QUESTION,
  textsOf,
  ZONES_QUESTION,
} from "./bus.ts";
import { saveIptables } from "./kept_iptables.ts";
import { type ObjectName, PREFIX } from "./object_name.ts";
import {
  comeToLife,
  inForce,
  type LiveObject,
  lostSettings,
  nameOf,
  orderOfReturn,
  settingCommand,
} from "./runtime_changes.ts";

/**
 * The runner, with a reload that puts back what it takes from zones and policies that are not ours.
 *
 * What stays lost is what firewalld does not tell of: how long something was to last (it then stays until
 * the next reload), rules of the direct interface where firewalld makes its rules of nft, ebtables, and
 * entries of ipsets.
 *
 * @param note Told what was put back, as a sentence without a period.
 */
export function keepingRuntime(
  runner: CommandRunner,
  note: (sentence: string) => void,
): CommandRunner["run"] {
  const reload = commandKey(RELOAD);
  let absent: CommandResult | undefined;
  return async (command) => {
    if (command.program === "firewall-cmd") return await changeFiles(runner, command);
    if (command.program !== "busctl") return await runner.run(command);
    // Nobody is there: asking once more for each network would take a while, and tell the same.
    if (absent !== undefined) return absent;
    if (commandKey(command) !== reload) {
      const answer = await runner.run(command);
      if (isNobodyThere(answer)) absent = answer;
      return answer;
    }
    const state = await runner.run(STATE_QUESTION);
    if (isNobodyThere(state)) return state;
    const [before, iptables] = await Promise.all([lookAtRuntime(runner), saveIptables(runner)]);
    if (iptables.problem !== undefined) return { status: 1, stdout: "", stderr: iptables.problem };
    if (before === undefined) return { status: 1, stdout: "", stderr: SILENT };
    await mendTable(runner);
    const result = await runner.run(command);
    if (result.status !== 0) return result;
    const problem = await iptables.restore();
    await putBack(runner, before, note);
    return problem === undefined ? result : { status: 1, stdout: "", stderr: problem };
  };
}

/** What firewall-cmd exits with where no firewalld runs (firewall-cmd(1)). */
const NOT_RUNNING = 252;

/** Its files change also where it does not run: firewall-offline-cmd(1) takes the same words. */
async function changeFiles(runner: CommandRunner, command: Command): Promise<CommandResult> {
  const result = await runner.run(command);
  if (result.status !== NOT_RUNNING) return result;
  const args = command.args.filter((word) => word !== "--permanent");
  return await runner.run({ program: "firewall-offline-cmd", args });
}

/**
 * After somebody's `nft flush ruleset` a reload would fail at the removal of a table that is gone, and leave
 * the one behind with which firewalld drops all that is new (seen with 1.3.3).
 */
async function mendTable(runner: CommandRunner): Promise<void> {
  if (answerOf(await runner.run(BACKEND_QUESTION)) !== "nftables") return;
  // A table that is there stays as it is; one that firewalld owns cannot be touched, nor flushed.
  await runner.run({ program: "nft", args: ["-f", "-"], stdin: "add table inet firewalld\n" });
}

/** Half an answer would be taken for changes: what is not listed would seem to be new, or gone. */
const SILENT = "firewalld does not tell what it has at run time, so it would be lost";

/** Undefined when firewalld did not tell all. */
async function lookAtRuntime(runner: CommandRunner): Promise<readonly LiveObject[] | undefined> {
  const names = await askQuestions(runner, [ZONES_QUESTION, POLICIES_QUESTION]);
  const [zones, policies] = [ZONES_QUESTION, POLICIES_QUESTION].map((question) =>
    answerOf(names.to(question))
  );
  if (zones === undefined || policies === undefined) return undefined;
  const named = (kind: ObjectName["kind"], list: unknown): readonly ObjectName[] =>
    textsOf(list).filter((name) => !name.startsWith(PREFIX)).map((name) => ({ kind, name }));
  const objects = [...named("zone", zones), ...named("policy", policies)];
  const answers = await askQuestions(runner, objects.map(settingsQuestion));
  const found = objects.flatMap((object) => {
    const settings = settingsOf(answers.to(settingsQuestion(object)));
    return settings === undefined ? [] : [{ object, settings }];
  });
  return found.length === objects.length ? found : undefined;
}

async function putBack(
  runner: CommandRunner,
  before: readonly LiveObject[],
  note: (sentence: string) => void,
): Promise<void> {
  const after = await lookAtRuntime(runner) ?? await lookAtRuntime(runner);
  if (after === undefined) {
    return note(
      "What firewalld had at run time only may be lost: it does not tell what it has now",
    );
  }
  const changes = [...lostSettings(before, after), ...comeToLife(before, after)];
  // One after the other: an interface leaves the one zone before it comes into the other.
  for (const { object, changed } of orderOfReturn(changes)) {
    const what = `${nameOf(object)}: ${changed.map(([key]) => key).join(", ")}`;
    const { status, stderr } = await runner.run(settingCommand(object, changed));
    note(
      status === 0
        ? `Put back what firewalld had at run time, in ${what}`
        : `What firewalld had at run time is lost, in ${what} (${stderr.trim()})`,
    );
  }
  for (const what of inForce(before, after)) {
    note(`What the files of firewalld said already is in force now: ${what}`);
  }
}

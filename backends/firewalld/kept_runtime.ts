/**
 * A reload of firewalld that costs nobody else what they changed at run time: firewalld forgets that when it
 * reads its files (firewall-cmd(1), `--reload`), and a port that an administrator opened for the time being,
 * or the zone that another program put its interface into, is not ours to lose.
 */
import { commandKey } from "../../core/change/change.ts";
import type { Command, CommandResult, CommandRunner } from "../../core/command.ts";
import { isNobodyThere } from "../../core/change/already_so.ts";
import { askQuestions } from "../../core/commands/snapshot.ts";
import { quoted } from "../../core/quoted.ts";
import {
  answerOf,
  BACKEND_QUESTION,
  call,
  POLICIES_QUESTION,
  RELOAD,
  settingsOf,
  settingsQuestion,
  textsOf,
  type TypedValue,
  ZONES_QUESTION,
} from "./bus.ts";
import { saveIptables } from "./kept_iptables.ts";
import { type ObjectName, PREFIX } from "./object_name.ts";

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
    const [before, iptables] = await Promise.all([lookAtRuntime(runner), saveIptables(runner)]);
    if (iptables.problem !== undefined) return { status: 1, stdout: "", stderr: iptables.problem };
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

type Settings = ReadonlyMap<string, TypedValue>;

interface LiveObject {
  readonly object: ObjectName;
  readonly settings: Settings;
}

async function lookAtRuntime(runner: CommandRunner): Promise<readonly LiveObject[]> {
  const names = await askQuestions(runner, [ZONES_QUESTION, POLICIES_QUESTION]);
  const named = (kind: ObjectName["kind"], question: Command): readonly ObjectName[] =>
    textsOf(answerOf(names.to(question))).filter((name) => !name.startsWith(PREFIX))
      .map((name) => ({ kind, name }));
  const objects = [...named("zone", ZONES_QUESTION), ...named("policy", POLICIES_QUESTION)];
  const answers = await askQuestions(runner, objects.map(settingsQuestion));
  return objects.flatMap((object) => {
    const settings = settingsOf(answers.to(settingsQuestion(object)));
    return settings === undefined ? [] : [{ object, settings }];
  });
}

async function putBack(
  runner: CommandRunner,
  before: readonly LiveObject[],
  note: (sentence: string) => void,
): Promise<void> {
  const after = await lookAtRuntime(runner);
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

function nameOf({ kind, name }: ObjectName): string {
  return `${kind} ${quoted(name)}`;
}

function byKey(objects: readonly LiveObject[]): ReadonlyMap<string, Settings> {
  return new Map(objects.map(({ object, settings }) => [keyOf(object), settings]));
}

function lostSettings(
  before: readonly LiveObject[],
  after: readonly LiveObject[],
): readonly ChangedObject[] {
  const now = byKey(after);
  return before.flatMap(({ object, settings }) => {
    const present = now.get(keyOf(object));
    const changed = present === undefined ? [] : changedSettings(settings, present);
    return changed.length === 0 ? [] : [{ object, changed }];
  });
}

/** Zones and policies that were in files, waiting for somebody's reload: without members they do nothing. */
function comeToLife(
  before: readonly LiveObject[],
  after: readonly LiveObject[],
): readonly ChangedObject[] {
  const then = byKey(before);
  return after.filter(({ object }) => !then.has(keyOf(object))).flatMap(({ object, settings }) => {
    const members = ENDS.filter((key) => settings.has(key))
      .map((key) => [key, { type: "as", data: [] }] as const);
    return members.length === 0 ? [] : [{ object, changed: members }];
  });
}

/** What cannot be changed at run time. */
function inForce(
  before: readonly LiveObject[],
  after: readonly LiveObject[],
): readonly string[] {
  const now = byKey(after);
  return before.flatMap(({ object, settings }) => {
    const present = now.get(keyOf(object));
    if (present === undefined) return [`${nameOf(object)} is gone`];
    return FIXED.filter((key) => {
      const [was, is] = [settings.get(key), present.get(key)];
      return was !== undefined && is !== undefined && contentOf(was) !== contentOf(is);
    }).map((key) => `the ${key} of ${nameOf(object)}`);
  });
}

const FIXED = ["target", "priority"];

function keyOf({ kind, name }: ObjectName): string {
  return `${kind} ${name}`;
}

interface ChangedObject {
  readonly object: ObjectName;
  readonly changed: readonly (readonly [key: string, value: TypedValue])[];
}

/** Zones that lose members before those that get them. */
function orderOfReturn(changes: readonly ChangedObject[]): readonly ChangedObject[] {
  const members = ({ changed }: ChangedObject): number =>
    changed.filter(([key]) => MEMBERS.includes(key))
      .reduce((sum, [, { data }]) => sum + (Array.isArray(data) ? data.length : 0), 0);
  return changes.toSorted((one, other) => members(one) - members(other));
}

const MEMBERS = ["interfaces", "sources"];

/** What makes a zone or a policy be used. */
const ENDS = [...MEMBERS, "ingress_zones", "egress_zones"];

/** What can be changed at run time; the rest is what files say. */
const LISTS: ReadonlyMap<string, string> = new Map([
  ["services", "as"],
  ["ports", "a(ss)"],
  ["protocols", "as"],
  ["source_ports", "a(ss)"],
  ["icmp_blocks", "as"],
  ["forward_ports", "a(ssss)"],
  ["interfaces", "as"],
  ["sources", "as"],
  ["rules_str", "as"],
  ["rich_rules", "as"],
  ["ingress_zones", "as"],
  ["egress_zones", "as"],
]);
const SWITCHES = ["masquerade", "forward", "icmp_block_inversion"];

/** The settings as they were where they are others now; a list that was not there is empty. */
function changedSettings(
  before: Settings,
  now: Settings,
): readonly (readonly [string, TypedValue])[] {
  const keys = [...new Set([...before.keys(), ...now.keys()])];
  return keys.flatMap((key): (readonly [string, TypedValue])[] => {
    const list = LISTS.get(key);
    const empty = list !== undefined
      ? { type: list, data: [] }
      : SWITCHES.includes(key)
      ? { type: "b", data: false }
      : undefined;
    if (empty === undefined) return [];
    const [was, is] = [before.get(key) ?? empty, now.get(key) ?? empty];
    return contentOf(was) === contentOf(is) ? [] : [[key, was]];
  });
}

function contentOf({ data }: TypedValue): string {
  return JSON.stringify(Array.isArray(data) ? data.map((one) => JSON.stringify(one)).sort() : data);
}

function settingCommand({ kind, name }: ObjectName, changed: ChangedObject["changed"]): Command {
  const settings = changed.flatMap(([key, { type, data }]) => [key, type, ...words(data)]);
  const args = ["sa{sv}", name, String(changed.length), ...settings];
  return kind === "zone"
    ? call(".zone", "setZoneSettings2", ...args)
    : call(".policy", "setPolicySettings", ...args);
}

/** As busctl(1) takes values: a list after its length, a tuple without. */
function words(data: unknown): readonly string[] {
  if (!Array.isArray(data)) return [String(data)];
  return [
    String(data.length),
    ...data.flatMap((one) => Array.isArray(one) ? one.map(String) : [String(one)]),
  ];
}

/** What a reload of firewalld changed at run time, and the calls that change it back. */
import type { Command } from "../../core/command.ts";
import { quoted } from "../../core/quoted.ts";
import { call, type TypedValue } from "./bus.ts";
import type { ObjectName } from "./object_name.ts";

/** Settings by their name in D-Bus. */
export type Settings = ReadonlyMap<string, TypedValue>;

/** A zone or a policy as it is at run time. */
export interface LiveObject {
  /** Which one. */
  readonly object: ObjectName;
  /** What D-Bus tells of it: what is empty may be left out. */
  readonly settings: Settings;
}

/** The object in words. */
export function nameOf({ kind, name }: ObjectName): string {
  return `${kind} ${quoted(name)}`;
}

function byKey(objects: readonly LiveObject[]): ReadonlyMap<string, Settings> {
  return new Map(objects.map(({ object, settings }) => [keyOf(object), settings]));
}

/** What objects had, as they are not any more. */
export function lostSettings(
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
export function comeToLife(
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
export function inForce(
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

/** What is to be set in one zone or policy. */
export interface ChangedObject {
  /** Which one. */
  readonly object: ObjectName;
  /** Whole lists, and switches. */
  readonly changed: readonly (readonly [key: string, value: TypedValue])[];
}

/** Zones that lose members before those that get them. */
export function orderOfReturn(changes: readonly ChangedObject[]): readonly ChangedObject[] {
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

/** The call that sets it at run time. */
export function settingCommand(
  { kind, name }: ObjectName,
  changed: ChangedObject["changed"],
): Command {
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

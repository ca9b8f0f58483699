/**
 * Calls to firewalld over D-Bus, each one run of busctl(1): a small part of the time of firewall-cmd, which
 * is a Python program, errors in firewalld's own words, and commands that a person can repeat by hand.
 */
import { RELOAD_METHOD } from "../../core/change/zone_work.ts";
import type { Command, CommandResult } from "../../core/command.ts";
import type { ObjectName } from "./object_name.ts";

const NAME = "org.fedoraproject.FirewallD1";
const PATH = "/org/fedoraproject/FirewallD1";

/** `--auto-start=no`: a firewalld that an administrator stopped stays so. */
const FLAGS = ["--json=short", "--auto-start=no"];

/** firewalld(1) answers nobody while it loads its rules, and may have many. */
const PATIENT = "--timeout=600";

/** The parts of firewalld (firewalld.dbus(5)): the empty one is the main one, the last tells of files. */
export type Part = "" | ".zone" | ".policy" | ".config";

/** One run of busctl for one of the parts. */
function busctl(verb: "call" | "get-property", part: Part, words: readonly string[]): Command {
  const path = part === ".config" ? `${PATH}/config` : PATH;
  return { program: "busctl", args: [...FLAGS, PATIENT, verb, NAME, path, NAME + part, ...words] };
}

/** A call of a method. */
export function call(part: Part, method: string, ...args: readonly string[]): Command {
  return busctl("call", part, [method, ...args]);
}

/** Is it running, and is its configuration in use? */
export const STATE_QUESTION: Command = busctl("get-property", "", ["state"]);

/** `1.3.3` */
export const VERSION_QUESTION: Command = busctl("get-property", "", ["version"]);

/** What firewalld makes its rules with: `nftables` or `iptables` (firewalld.conf(5)). */
export const BACKEND_QUESTION: Command = busctl("get-property", ".config", ["FirewallBackend"]);

/** The zone of interfaces that nobody put into one. */
export const DEFAULT_ZONE_QUESTION: Command = call("", "getDefaultZone");

/** Names of all zones at run time. */
export const ZONES_QUESTION: Command = call(".zone", "getZones");

/** Names of all policies at run time. */
export const POLICIES_QUESTION: Command = call(".policy", "getPolicies");

/** Zones that have interfaces or sources, and which. */
export const ACTIVE_ZONES_QUESTION: Command = call(".zone", "getActiveZones");

/** Would firewalld take the files that are there? It checks them before it reloads, and then refuses. */
export const CHECK_QUESTION: Command = call("", "checkPermanentConfig");

/** Makes firewalld read its files. What was changed at run time only is lost by it. */
export const RELOAD: Command = call("", RELOAD_METHOD);

/** The zone that the files put the interface into; empty: none. */
export function permanentZoneQuestion(name: string): Command {
  return call(".config", "getZoneOfInterface", "s", name);
}

/** Prints each signal of firewalld, and of the bus when a name on it changes hands, as JSON in a line. */
export const MONITOR: Command = {
  program: "busctl",
  args: [
    "--json=short",
    `--match=type='signal',sender='${NAME}'`,
    `--match=type='signal',member='NameOwnerChanged',arg0='${NAME}'`,
    "monitor",
  ],
};

/** What the object is at run time. */
export function settingsQuestion({ kind, name }: ObjectName): Command {
  return kind === "zone"
    ? call(".zone", "getZoneSettings2", "s", name)
    : call(".policy", "getPolicySettings", "s", name);
}

/** The question for a file's content. */
export function fileQuestion(path: string): Command {
  return { program: "cat", args: [path] };
}

/** The first value of an answer, its type left out; undefined where firewalld did not answer. */
export function answerOf(result: CommandResult | undefined): unknown {
  if (result === undefined || result.status !== 0) return undefined;
  const { data } = parsed(result.stdout);
  // A method answers with a list of values, a property with its value.
  return Array.isArray(data) ? data[0] : data;
}

/** A dictionary of typed values, as `a{sv}`: the values with their types. */
export function settingsOf(
  result: CommandResult | undefined,
): ReadonlyMap<string, TypedValue> | undefined {
  const dictionary = answerOf(result);
  if (typeof dictionary !== "object" || dictionary === null) return undefined;
  return new Map(
    Object.entries(dictionary).flatMap(([key, value]) =>
      isTyped(value) ? [[key, value] as const] : []
    ),
  );
}

/** A value and its D-Bus type. */
export interface TypedValue {
  /** A signature, such as `as`. */
  readonly type: string;
  /** As busctl prints it in JSON. */
  readonly data: unknown;
}

/** The texts of a list; empty for anything else. */
export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

function isTyped(value: unknown): value is TypedValue {
  return typeof value === "object" && value !== null && "type" in value &&
    typeof value.type === "string" && "data" in value;
}

function parsed(json: string): { readonly data?: unknown } {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null ? value : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** Which zone a bridge is in, and the commands that put it into another and back. */
import type { RemovalGroup, Step } from "../../core/change/change.ts";
import type { Command } from "../../core/command.ts";
import type { Answers } from "../../core/firewall_backend.ts";
import { quoted } from "../../core/quoted.ts";
import { ACTIVE_ZONES_QUESTION, answerOf, call, permanentZoneQuestion, textsOf } from "./bus.ts";

/** Where an interface is; absent: in no zone, so that the default zone decides. */
export interface Zoning {
  /** Now. */
  readonly runtime?: string;
  /** After the next reload or restart of firewalld. */
  readonly permanent?: string;
}

/** The questions for {@linkcode zoningOf}. */
export function zoningQuestions(name: string): readonly Command[] {
  return [ACTIVE_ZONES_QUESTION, permanentZoneQuestion(name)];
}

/** Where the interface is, as far as was asked. */
export function zoningOf(name: string, answers: Answers): Zoning {
  const runtime = [...activeZones(answers)]
    .find(([, { interfaces }]) => interfaces.includes(name))?.[0];
  const permanent = answerOf(answers.to(permanentZoneQuestion(name)));
  return {
    ...(runtime === undefined ? {} : { runtime }),
    ...(typeof permanent === "string" && permanent !== "" ? { permanent } : {}),
  };
}

/** What is in a zone. */
export interface ZoneMembers {
  readonly interfaces: readonly string[];
  readonly sources: readonly string[];
}

/** Zones with members at run time. */
export function activeZones(answers: Answers): ReadonlyMap<string, ZoneMembers> {
  const zones = answerOf(answers.to(ACTIVE_ZONES_QUESTION));
  if (typeof zones !== "object" || zones === null) return new Map();
  return new Map(
    Object.entries(zones).map(([zone, members]: [string, unknown]) => [zone, membersOf(members)]),
  );
}

function membersOf(members: unknown): ZoneMembers {
  const of = (key: string): readonly string[] =>
    typeof members === "object" && members !== null && key in members
      ? textsOf(Reflect.get(members, key))
      : [];
  return { interfaces: of("interfaces"), sources: of("sources") };
}

/** Takes the interface out of the zones that it is in, but for that one; files may then put it elsewhere. */
export function releaseSteps(
  name: string,
  { runtime, permanent }: Zoning,
  keep: string,
): readonly Step[] {
  const purpose = `take ${quoted(name)} out of its firewalld zone`;
  return [
    ...(permanent === undefined || permanent === keep
      ? []
      : [{ purpose, command: permanentChange(permanent, "remove", name) }]),
    ...(runtime === undefined || runtime === keep
      ? []
      : [{ purpose, command: runtimeRemoval(runtime, name) }]),
  ];
}

/** Puts the interface into a zone that is there already, now and for good. */
export function bindingSteps(name: string, zoning: Zoning, zone: string): readonly Step[] {
  const purpose = `put ${quoted(name)} into the firewalld zone ${quoted(zone)}`;
  return [
    ...(zoning.permanent === zone
      ? []
      : [{ purpose, command: permanentChange(zone, "change", name) }]),
    ...(zoning.runtime === zone ? [] : [{ purpose, command: runtimeChange(zone, name) }]),
  ];
}

/**
 * Puts the interface back where it was.
 *
 * @param zone Where it is until then; absent: in a zone that goes.
 */
export function returnGroups(
  name: string,
  before: Zoning,
  zone: string | undefined,
): readonly RemovalGroup[] {
  const { runtime, permanent } = before;
  const commands = [
    ...(permanent !== undefined
      ? (permanent === zone ? [] : [permanentChange(permanent, "change", name)])
      : (zone === undefined ? [] : [permanentChange(zone, "remove", name)])),
    ...(runtime !== undefined
      ? (runtime === zone ? [] : [runtimeChange(runtime, name)])
      : (zone === undefined ? [] : [runtimeRemoval(zone, name)])),
  ];
  return commands.map((command) => ({ commands: [command], ignoreErrors: true }));
}

/** By name, which D-Bus cannot: there a zone's file has a number that changes. */
function permanentChange(zone: string, verb: "change" | "remove", name: string): Command {
  return {
    program: "firewall-cmd",
    args: ["--permanent", `--zone=${zone}`, `--${verb}-interface=${name}`],
  };
}

function runtimeChange(zone: string, name: string): Command {
  return call(".zone", "changeZoneOfInterface", "ss", zone, name);
}

function runtimeRemoval(zone: string, name: string): Command {
  return call(".zone", "removeInterface", "ss", zone, name);
}

/** Commands of a removal that put an interface back: to be kept when the network is installed again. */
export function isReturn({ commands }: RemovalGroup): boolean {
  return commands.every(({ program, args }) =>
    program === "firewall-cmd" ||
    (program === "busctl" && args.some((word) => /^(changeZoneOf|remove)Interface$/.test(word)))
  );
}

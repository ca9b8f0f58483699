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

/**
 * That a bridge is not in its zone now, as a sentence without a period; none when it is.
 *
 * @param whose Said of the zone that it is in, where that is not plain.
 */
export function misplacement(
  bridge: string,
  zone: string,
  answers: Answers,
  whose = "",
): readonly string[] {
  const { runtime } = zoningOf(bridge, answers);
  if (runtime === zone) return [];
  const place = runtime === undefined ? "no zone" : `the zone ${quoted(runtime)}`;
  return [`Bridge ${quoted(bridge)} is in ${place}${whose} instead of ${quoted(zone)}`];
}

/** What is in a zone. */
export interface ZoneMembers {
  /** Names. */
  readonly interfaces: readonly string[];
  /** Addresses, subnets and ipsets. */
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
 * Puts the interface back where it was. That is said also where nothing has to be done for it now: the next
 * installation, which may use another zone, learns from it.
 *
 * @param zone Where it is until then; absent: in a zone that goes.
 */
export function returnGroups(
  name: string,
  { runtime, permanent }: Zoning,
  zone: string | undefined,
): readonly RemovalGroup[] {
  const commands = [
    ...(permanent !== undefined
      ? [permanentChange(permanent, "change", name)]
      : zone !== undefined
      ? [permanentChange(zone, "remove", name)]
      : []),
    ...(runtime !== undefined
      ? [runtimeChange(runtime, name)]
      : zone !== undefined
      ? [runtimeRemoval(zone, name)]
      : []),
  ];
  return commands.map((command) => ({ commands: [command], ignoreErrors: true }));
}

/** Where {@linkcode returnGroups} puts an interface; undefined when none of them is among the commands. */
export function zoningAfter(commands: readonly Command[]): Zoning | undefined {
  const zonings = commands.flatMap(({ program, args }): readonly Zoning[] => {
    const [zone = ""] = args.flatMap((word) =>
      word.startsWith(ZONE_OPTION) ? [word.slice(ZONE_OPTION.length)] : []
    );
    if (program === "firewall-cmd") {
      return [
        args.some((word) => word.startsWith("--change-interface")) ? { permanent: zone } : {},
      ];
    }
    const runtime = args[args.indexOf(CHANGE_METHOD) + 2] ?? "";
    return args.includes(CHANGE_METHOD) ? [{ runtime }] : args.includes(REMOVE_METHOD) ? [{}] : [];
  });
  return zonings.length === 0 ? undefined : Object.assign({}, ...zonings);
}

const ZONE_OPTION = "--zone=";
const CHANGE_METHOD = "changeZoneOfInterface";
const REMOVE_METHOD = "removeInterface";

/** By name, which D-Bus cannot: there a zone's file has a number that changes. */
function permanentChange(zone: string, verb: "change" | "remove", name: string): Command {
  return {
    program: "firewall-cmd",
    args: ["--permanent", `${ZONE_OPTION}${zone}`, `--${verb}-interface=${name}`],
  };
}

function runtimeChange(zone: string, name: string): Command {
  return call(".zone", CHANGE_METHOD, "ss", zone, name);
}

function runtimeRemoval(zone: string, name: string): Command {
  return call(".zone", REMOVE_METHOD, "ss", zone, name);
}

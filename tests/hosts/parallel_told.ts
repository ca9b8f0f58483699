/** What commands that meet tell of the order in which they ran. */
import type { Told } from "../support/serial_order.ts";
import { IMPATIENT } from "./parallel_commands.ts";
import { keyOf, restrict, type Result, type State, stateOf } from "./parallel_state.ts";

/** How a command ended. */
export interface Ending {
  /** Standard output; absent: it was killed. */
  readonly printed?: string;
  /** The message of its error, if it failed. */
  readonly error?: string;
}

type After = Told<State>["after"];

/** What a command told of some networks, or where none is named of the prefixes. */
export function toldOf(
  args: readonly string[],
  group: readonly string[],
  { printed, error }: Ending,
): readonly Told<State>[] {
  const says = `${args.join(" ")}: ${error ?? printed?.replaceAll(/\s+/g, " ") ?? "killed"}`;
  if (error !== undefined) return [{ says, after: refused(args, group, error), kind: "looked" }];
  const effects = effectsOf(args, group);
  // Killed between two records, it is done with one network and not with the other.
  if (printed === undefined) {
    return effects.map((after, nth) => ({ says: `${says} (${nth})`, after, kind: "killed" }));
  }
  const isSeen = observation(args, group, printed);
  const after: After = (state) =>
    effects.reduce<State | undefined>(
      (now, effect) => now === undefined ? undefined : effect(now),
      isSeen(state) ? state : undefined,
    );
  return [{ says, after, kind: effects.length === 0 ? "looked" : "done" }];
}

function namesIn(words: readonly string[], group: readonly string[]): readonly string[] {
  return words.map((word) => word.replace(/\.xml$/, "")).filter((word) => group.includes(word));
}

/** What a command that succeeds makes of each of the networks; undefined where it cannot. */
function effectsOf(
  [command = "", ...words]: readonly string[],
  group: readonly string[],
): readonly After[] {
  const [first = "", spec = ""] = words;
  const names = namesIn(words, group);
  switch (command) {
    case "up":
      return names.map((name) => (state) =>
        isBlocked(state, name) ? undefined : withPorts(state, name, state.networks.get(name) ?? [])
      );
    case "down":
      return (first === "--all" ? group : names).map((name) => (state) => withPorts(state, name));
    case "publish":
    case "unpublish":
      return names.map((name) => (state) => {
        const ports = state.networks.get(name);
        if (ports === undefined || isTaken(state, name, spec)) return undefined;
        const others = ports.filter((one) => !isAt(one, spec));
        return withPorts(state, name, command === "publish" ? [...others, spec] : others);
      });
    case "masquerade":
      if (group.length > 0 || first === "list") return [];
      return [(state) => {
        const others = state.prefixes.filter((one) => one !== spec);
        return { ...state, prefixes: first === "add" ? [...others, spec].toSorted() : others };
      }];
    default:
      return [];
  }
}

/** Whether a command that succeeded can have seen a state, by what it printed. */
function observation(
  [command = "", ...words]: readonly string[],
  group: readonly string[],
  printed: string,
): (state: State) => boolean {
  const result: Result = JSON.parse(printed);
  const [first = "", spec = ""] = words;
  const isSame = (told: readonly string[] | undefined, is: readonly string[]): boolean =>
    told?.filter((one) => group.includes(one)).toSorted().join() === is.toSorted().join();
  const portAt = ({ networks }: State): readonly string[] =>
    networks.get(first)?.filter((one) => isAt(one, spec)) ?? [];
  switch (command) {
    case "status": {
      const seen = stateOf(printed);
      if (seen === undefined || group.length === 0) return () => true;
      return (state) => keyOf(state) === keyOf(restrict(seen, group));
    }
    case "check":
      // Else a killed command has left something, and nobody has put it right yet.
      return ({ networks }) =>
        result.drift?.length !== 0 || isSame(result.checked, [...networks.keys()]);
    case "reload":
      return ({ networks }) =>
        words.length === 0
          ? isSame(result.reloaded, [...networks.keys()])
          : namesIn(words, group).every((name) => networks.has(name));
    case "down":
      return ({ networks }) => {
        const names = first === "--all" ? [...networks.keys()] : namesIn(words, group);
        return isSame(result.removed, names.filter((name) => networks.has(name))) &&
          isSame(result.inactive, names.filter((name) => !networks.has(name)));
      };
    case "publish":
      return (state) =>
        !group.includes(first) ||
        isEqual(result.replaced, portAt(state).filter((one) => one !== spec));
    case "unpublish":
      return (state) => !group.includes(first) || isEqual(result.unpublished, portAt(state));
    case "masquerade":
      return ({ prefixes }) => {
        if (group.length > 0 || first === "list") return true;
        const had = prefixes.includes(spec);
        const isChanged = (result.added ?? result.removed ?? []).includes(spec);
        return isChanged === (first === "add" ? !had : had);
      };
    default:
      return () => true;
  }
}

/** In which states a command is refused with that error; in none for one that it must not have. */
function refused(
  [, ...words]: readonly string[],
  group: readonly string[],
  error: string,
): After {
  const [first = "", spec = ""] = words;
  const names = namesIn(words, group);
  const when = (isSo: (state: State) => boolean): After => (state) =>
    isSo(state) ? state : undefined;
  if (names.length === 0) return when(() => true);
  if (error === `Network "${first}" is not active`) {
    return when(({ networks }) => !networks.has(first));
  }
  if (/^Cannot bring up .* belongs to the active network "(nat|twin)"$/.test(error)) {
    return when((state) => !group.includes("nat") || names.some((name) => isBlocked(state, name)));
  }
  if (/^Cannot publish port .*: network "\w+" publishes \d+\/tcp$/.test(error)) {
    return when((state) => isTaken(state, first, spec));
  }
  return when(() => isImpatience(error));
}

/** Whether a command says that it did not wait any longer. */
export function isImpatience(error: string): boolean {
  return error.startsWith('Cannot get the lock "') &&
    error.includes(` within ${IMPATIENT} seconds: `);
}

function withPorts(state: State, name: string, ports?: readonly string[]): State {
  const networks = new Map(state.networks);
  if (ports === undefined) networks.delete(name);
  else networks.set(name, ports);
  return { ...state, networks };
}

function isBlocked({ networks }: State, name: string): boolean {
  return (name === "nat" && networks.has("twin")) || (name === "twin" && networks.has("nat"));
}

/** Whether another network has the port that is to be published. */
function isTaken({ networks }: State, name: string, spec: string): boolean {
  return !/^\d+\/tcp$/.test(spec) &&
    [...networks].some(([other, ports]) => other !== name && ports.some((one) => isAt(one, spec)));
}

/** Whether two SPECs, or beginnings of them, are about one port. */
function isAt(one: string, other: string): boolean {
  return Number.parseInt(one) === Number.parseInt(other);
}

function isEqual(one: readonly string[] | undefined, other: readonly string[]): boolean {
  return one?.join() === other.join();
}

/**
 * FreeBSD's pf as far as the rules of this project need it: rulesets, tables, states, and what
 * becomes of one packet at one hook. It follows sys/netpfil/pf/pf.c of FreeBSD 14, and that of 15 where
 * rulesets mean something else there.
 *
 * Not in it: scrub, queues, routing by rules, the windows of TCP and the ends of its connections,
 * synproxy, timeouts, and ICMP errors that belong to a state: these are asked of the rules like any
 * other packet, and make no state.
 */
import { filterPacket, type Found, type Place, translatePacket } from "./pf_evaluation.ts";
import type { TranslationDecision, World } from "./pf_evaluation.ts";
import { problemOfAnchorPath } from "./pf_anchor_rules.ts";
import { parseRuleset } from "./pf_grammar.ts";
import { interfaceMatches, type InterfaceState } from "./pf_matching.ts";
import { isIcmpError, type Packet } from "../packets/packet.ts";
import { emptyMemory, type PoolMemory } from "./pf_pool.ts";
import type { Direction, FilterRule, Ruleset, Table, TranslationRule } from "./pf_rules.ts";
import { describeState, findState, isTaken, keyOf } from "./pf_states.ts";
import { type KillChoice, killStates, type State, translate } from "./pf_states.ts";
import { EMPTY, tablesAfterLoad } from "./pf_tables.ts";

/** What became of a packet at a hook. */
export interface HookResult {
  readonly verdict: "pass" | "block";
  /** Whether the sender of a blocked packet is told. */
  readonly answered: boolean;
  /** As it goes on: translated, and with its tag. */
  readonly packet: Packet;
  /** What decided, for messages: a rule and its anchor, a state, the default rule. */
  readonly rule: string;
  /** Whether it belongs to a state now. */
  readonly state: "matched" | "created" | undefined;
}

/** A running pf. */
export interface PfMachine {
  /**
   * `pfctl -a PATH -f FILE`, for the main ruleset with an empty path: all kinds of rules and the
   * tables at once.
   *
   * @throws when pfctl refuses it; everything is then as it was.
   */
  load(path: string, text: string): void;
  /**
   * `pfctl -a PATH -F all`: rules and tables, not those of the anchors below. For the main ruleset
   * all states and `set skip` as well.
   */
  flush(path: string): void;
  hook(packet: Packet, direction: Direction, interfaceName: string): HookResult;
  /** `pfctl -k …`; how many there were. */
  killStates(choice: KillChoice): number;
  /** `pfctl -s states`. */
  states(): readonly string[];
  /** Gives an interface other addresses or groups. */
  setInterface(name: string, state: InterfaceState): void;
}

/** What may differ between machines. */
export interface MachineOptions {
  /**
   * What becomes of a packet whose nat or rdr rule has no address or port: 14.3 and 15 drop it, 13
   * and older 14 let the filter see it untranslated, pf_get_translation() in pf_lb.c.
   */
  readonly untranslatable?: "drop" | "pass";
  /** Which of several translation rules decides; the first unless it is said. */
  readonly decides?: TranslationDecision;
  /** net.pf.default_to_drop. */
  readonly defaultToDrop?: boolean;
}

interface Machine extends World {
  readonly rulesets: Map<string, Ruleset>;
  readonly tables: Map<string, ReadonlyMap<string, Table>>;
  readonly interfaces: Map<string, InterfaceState>;
  readonly states: Set<State>;
  readonly memory: PoolMemory;
  readonly options: MachineOptions;
}

/** A pf that is enabled and has no rules. */
export function createMachine(
  interfaces: Readonly<Record<string, InterfaceState>>,
  options: MachineOptions = {},
): PfMachine {
  const machine: Machine = {
    rulesets: new Map(),
    tables: new Map(),
    interfaces: new Map(Object.entries(interfaces)),
    states: new Set(),
    memory: emptyMemory(),
    decides: options.decides ?? "first",
    options,
  };
  return {
    load: (path, text) => load(machine, path, text),
    flush: (path) => flush(machine, path),
    hook: (packet, direction, name) => hook(machine, packet, { direction, interface: name }),
    killStates: (choice) => killStates(machine.states, choice),
    states: () => [...machine.states].map(describeState),
    setInterface: (name, state) => void machine.interfaces.set(name, state),
  };
}

/** The same few texts are loaded into many machines. */
const READ = new Map<string, Ruleset>();

function load({ rulesets, tables }: Machine, path: string, text: string): void {
  const problem = path === "" ? undefined : problemOfAnchorPath(path);
  if (problem !== undefined) throw new Error(problem);
  const ruleset = READ.get(text) ?? parseRuleset(text);
  READ.set(text, ruleset);
  // The options of an anchor's file do nothing.
  rulesets.set(path, path === "" ? ruleset : { ...ruleset, skip: [] });
  tables.set(path, tablesAfterLoad(tables.get(path), path, rulesets));
}

function flush({ rulesets, tables, states }: Machine, path: string): void {
  if (path === "") states.clear();
  rulesets.set(path, EMPTY);
  tables.delete(path);
}

const DEFAULT_RULE = "the default rule";

function hook(machine: Machine, packet: Packet, place: Place): HookResult {
  const skip = machine.rulesets.get("")?.skip ?? [];
  const isSkipped = skip.some((name) =>
    interfaceMatches({ name, negated: false }, place.interface, machine)
  );
  if (isSkipped) {
    return { verdict: "pass", answered: false, packet, rule: "set skip", state: undefined };
  }
  const { direction } = place;
  const isError = isIcmpError(packet);
  const state = isError ? undefined : findState(machine.states, packet, direction, place.interface);
  if (state === undefined) return testRules(machine, packet, place, !isError);
  const translated = translate(packet, direction, direction === "in" ? state.stack : state.wire);
  const tagged = state.tag === undefined ? translated : { ...translated, tag: state.tag };
  const rule = `the state ${describeState(state)} of ${state.rule?.text ?? DEFAULT_RULE}`;
  return withoutOptions(state.rule, {
    verdict: "pass",
    answered: false,
    packet: tagged,
    rule,
    state: "matched",
  });
}

function testRules(
  machine: Machine,
  packet: Packet,
  place: Place,
  mayHaveState: boolean,
): HookResult {
  const translation = translatePacket(machine, packet, place);
  const block = (rule: string, answered = false): HookResult => {
    return { verdict: "block", answered, packet, rule, state: undefined };
  };
  const { failed, found: nat } = translation;
  if (failed !== undefined && (machine.options.untranslatable ?? "drop") === "drop") {
    return block(`${tell(failed)}: no address or no port to give`);
  }
  const { found, tag } = nat?.rule.pass === true
    ? { found: undefined, tag: undefined }
    : filterPacket(machine, translation.packet, place);
  const rule = found === undefined ? DEFAULT_RULE : tell(found);
  const action = found?.rule.action ?? (machine.options.defaultToDrop === true ? "block" : "pass");
  if (action === "block") return block(rule, isAnswered(found?.rule, packet));
  const passed = tag === undefined ? translation.packet : { ...translation.packet, tag };
  const told = nat === undefined ? rule : `${rule}, translated by ${tell(nat)}`;
  const wantsState = found?.rule.keepState === true || nat !== undefined;
  if (mayHaveState && wantsState) {
    const problem = addState(machine, packet, passed, place, found?.rule, tag);
    if (problem !== undefined) return block(`${told}: ${problem}`);
  }
  const state = mayHaveState && wantsState ? "created" : undefined;
  const result = { verdict: "pass", answered: false, packet: passed, rule: told, state } as const;
  return withoutOptions(found?.rule, result);
}

/** Makes the state of a packet; tells why there can be none, which drops the packet. */
function addState(
  { states }: Machine,
  packet: Packet,
  translated: Packet,
  { direction, interface: name }: Place,
  rule: FilterRule | undefined,
  tag: string | undefined,
): string | undefined {
  const count = [...states].filter((state) => state.rule === rule).length;
  if (rule?.maxStates !== undefined && count >= rule.maxStates) return "too many states";
  const [before, after] = [keyOf(packet, direction), keyOf(translated, direction)];
  const [wire, stack] = direction === "in" ? [before, after] : [after, before];
  const bound = rule?.ifBound === true ? name : undefined;
  const state: State = { direction, wire, stack, bound, interface: name, rule, tag };
  if (isTaken(states, state)) return "another state is in the way";
  states.add(state);
  return undefined;
}

/** A packet with IP options drops after it has passed, unless the rule has `allow-opts`. */
function withoutOptions(rule: FilterRule | undefined, result: HookResult): HookResult {
  if (!result.packet.ipOptions || rule?.allowOptions === true) return result;
  return { ...result, verdict: "block", rule: `${result.rule}: IP options` };
}

/** Nobody is told of a blocked ICMP packet, and of a blocked RST. */
function isAnswered(rule: FilterRule | undefined, packet: Packet): boolean {
  if (rule === undefined || packet.icmp !== undefined) return false;
  switch (rule.answer) {
    case "drop":
      return false;
    case "return-icmp":
      return true;
    case "return":
    case "return-rst":
      return !packet.flags.includes("R");
  }
}

function tell({ rule, path }: Found<FilterRule | TranslationRule>): string {
  return path === "" ? rule.text : `${rule.text} (anchor "${path}")`;
}

/** Which translation and which filter rule decide on a packet that belongs to no state. */
import { type Rulesets, walk } from "./pf_anchors.ts";
import { matches, type Surroundings } from "./pf_matching.ts";
import { isEcho, type Packet, PROTOCOLS } from "../packets/packet.ts";
import { hostOf, type PoolMemory, redirectPort, takeAddress, takeSource } from "./pf_pool.ts";
import type {
  AnchorRule,
  Criteria,
  Direction,
  FilterRule,
  Pool,
  TranslationKind,
  TranslationRule,
} from "./pf_rules.ts";
import type { End, State } from "./pf_states.ts";

/** All that a decision depends on. */
export interface World extends Surroundings {
  readonly rulesets: Rulesets;
  readonly states: ReadonlySet<State>;
  readonly memory: PoolMemory;
  readonly decides: TranslationDecision;
}

/**
 * Which of several translation rules decides. `first`: the first that matches, wherever it is, FreeBSD up to
 * 14. `last`: in each ruleset the first, and of the rulesets that have one the last: FreeBSD 15, see
 * pf_match_translation_rule() in sys/netpfil/pf/pf_lb.c. There `no` ends its ruleset and says nothing else.
 */
export type TranslationDecision = "first" | "last";

/** Where a packet is. */
export interface Place {
  readonly direction: Direction;
  readonly interface: string;
}

/** A rule, and the anchor it is in; the main ruleset has the empty path. */
export interface Found<T> {
  readonly rule: T;
  readonly path: string;
}

/**
 * The tag while rules are walked, as pf_match_tag() has it: undefined until a rule asks for it or
 * sets one, null for none. What a rule has set, later ones see, and it stays though they decide.
 */
interface TagInSight {
  tag: string | null | undefined;
}

function isTaggedAs({ tagged }: Criteria, sight: TagInSight, packet: Packet): boolean {
  if (tagged === undefined) return true;
  if (sight.tag === undefined) sight.tag = packet.tag ?? null;
  return (sight.tag === tagged.name) !== tagged.negated;
}

/** The last filter rule that matches, or the first one with `quick`. */
export function filterPacket(
  world: World,
  packet: Packet,
  place: Place,
): { readonly found: Found<FilterRule> | undefined; readonly tag: string | undefined } {
  const sight: TagInSight = { tag: undefined };
  let found: Found<FilterRule> | undefined;
  walk(world.rulesets, "filter", (rule, path) => {
    const { criteria, tag } = rule;
    if (!matches(criteria, packet, place.direction, place.interface, path, world)) return "next";
    if (!isTaggedAs(criteria, sight, packet)) return "next";
    if (tag !== undefined) sight.tag = tag;
    if (rule.kind === "anchor") return "enter";
    found = { rule, path };
    return rule.quick ? "end" : "matched";
  });
  return { found, tag: sight.tag ?? undefined };
}

/** What translation makes of a packet. */
export interface Translation {
  /** With the tag of the rule that matched, even of one with `no`. */
  readonly packet: Packet;
  /** A rule that changes something. */
  readonly found: Found<TranslationRule> | undefined;
  /** A rule matched and had no address or no port to give. */
  readonly failed: Found<TranslationRule> | undefined;
}

/**
 * The packet after the translation rules: out by binat or nat, in by rdr or binat.
 *
 * @throws where the kernel of FreeBSD 15 panics: a rule with `no` has matched, and another one has nothing
 *   to give.
 */
export function translatePacket(world: World, packet: Packet, place: Place): Translation {
  const kinds = place.direction === "out" ? ["binat", "nat"] as const : ["rdr", "binat"] as const;
  let seen = packet;
  let isExempt = false;
  for (const kind of kinds) {
    const { found, tag, exempt } = matchTranslation(world, kind, seen, place);
    isExempt ||= exempt;
    seen = tag === undefined ? seen : { ...seen, tag };
    const pool = found?.rule.pool;
    if (found === undefined || pool === undefined) continue;
    const changed = changePacket(world, found, pool, seen, place);
    if (changed === undefined) {
      if (isExempt && world.decides === "last") throw new Error(`panic: ${found.rule.text}`);
      return { packet: seen, found: undefined, failed: found };
    }
    const isSame = changed.source.value === seen.source.value &&
      changed.sourcePort === seen.sourcePort &&
      changed.destination.value === seen.destination.value &&
      changed.destinationPort === seen.destinationPort;
    return { packet: changed, found: isSame ? undefined : found, failed: undefined };
  }
  return { packet: seen, found: undefined, failed: undefined };
}

/** The rule of the list that decides, and whether one with `no` has matched. */
function matchTranslation(
  world: World,
  kind: TranslationKind,
  packet: Packet,
  place: Place,
): {
  readonly found: Found<TranslationRule> | undefined;
  readonly tag: string | undefined;
  readonly exempt: boolean;
} {
  const sight: TagInSight = { tag: undefined };
  let found: Found<TranslationRule> | undefined;
  let exempt = false;
  walk(world.rulesets, kind, (rule, path) => {
    const criteria = criteriaAt(rule, place);
    if (!matches(criteria, packet, place.direction, place.interface, path, world)) return "next";
    if (!isTaggedAs(criteria, sight, packet)) return "next";
    if (rule.tag !== undefined) sight.tag = rule.tag;
    if (rule.kind === "anchor") return "enter";
    if (rule.pool === undefined) exempt = true;
    else found = { rule, path };
    return world.decides === "first" ? "end" : "leave";
  });
  return { found, tag: sight.tag ?? undefined, exempt };
}

/** What comes in is compared with a binat rule the other way round. */
function criteriaAt(rule: TranslationRule | AnchorRule, { direction }: Place): Criteria {
  const { criteria } = rule;
  if (rule.kind !== "binat" || direction === "out") return criteria;
  const target = rule.pool?.addresses[0];
  if (target === undefined) return criteria;
  const destination = { address: target, negated: false, ports: undefined };
  return { ...criteria, source: criteria.destination, destination };
}

function changePacket(
  world: World,
  { rule, path }: Found<TranslationRule>,
  pool: Pool,
  packet: Packet,
  { direction }: Place,
): Packet | undefined {
  const nextAddress = (): ReturnType<typeof takeAddress> => {
    const from = rule.kind === "rdr" && pool.method === "bitmask" ? "destination" : "source";
    return takeAddress(rule, pool, packet[from], path, world, world.memory);
  };
  switch (rule.kind) {
    case "nat": {
      const end = takeSource(pool, packet, world.states, nextAddress);
      return end === undefined ? undefined : withSource(packet, end);
    }
    case "rdr": {
      const address = nextAddress();
      const hasPorts = [PROTOCOLS.tcp, PROTOCOLS.udp].some((each) => each === packet.protocol);
      const { destinationPort } = packet;
      const port = hasPorts ? redirectPort(rule, destinationPort) : destinationPort;
      return address && { ...packet, destination: address, destinationPort: port };
    }
    case "binat": {
      const [own] = pool.addresses;
      const { address: inside } = rule.criteria.source;
      if (own?.kind !== "subnet" || inside.kind !== "subnet") return undefined;
      return direction === "out"
        ? { ...packet, source: hostOf(own.subnet, packet.source.value) }
        : { ...packet, destination: hostOf(inside.subnet, packet.destination.value) };
    }
  }
}

function withSource(packet: Packet, { address, port }: End): Packet {
  const other = isEcho(packet) ? port : packet.destinationPort;
  return { ...packet, source: address, sourcePort: port, destinationPort: other };
}

/**
 * Guests whose addresses are not known, as rules of pf: they may talk among themselves in whatever they
 * speak. Since any source may be theirs, what does not go out on their bridge again is told by a tag.
 */
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { BROADCAST, MULTICAST, REJECTED } from "./bridge_rules.ts";
import { localDelivery } from "./local_rules.ts";
import type { FilterRule, NatExemption, Tag } from "./rules.ts";
import { BRIDGE_KEY } from "./settings.ts";
import type { Surroundings } from "./surroundings.ts";

/** What guests without known addresses speak; undefined: there are none. */
type Family = "inet" | "inet6" | "any" | undefined;

function familyOf({ families, guestsOverIpv6 }: FilteredPolicy): Family {
  if (families.length > 0) return guestsOverIpv6 ? "inet6" : undefined;
  return guestsOverIpv6 ? "any" : "inet";
}

/** On packets that have to go out on the bridge of that network. */
function stayTag(name: string): Tag {
  return `bridgewall-stay-${name}`;
}

/** On such a packet once it has gone out there, on its way to a member. */
const BRIDGED: Tag = "bridgewall-bridged";

function withFamily(family: Family): Pick<FilterRule, "family"> {
  return family === undefined || family === "any" ? {} : { family };
}

/** What happens on their bridge: between two members a packet comes in and goes out there. */
export function amongStrangers(
  name: string,
  policy: FilteredPolicy,
  surroundings: Surroundings,
): readonly FilterRule[] {
  const family = familyOf(policy);
  if (family === undefined) return [];
  const on = {
    action: "pass",
    device: policy.bridge,
    ...withFamily(family),
    from: "any",
    to: "any",
    allowsOptions: true,
    label: `${name} strangers`,
  } as const;
  const incoming = { ...on, direction: "in", tag: stayTag(name) } as const;
  return [
    ...(mayBeTranslated(policy, surroundings) && !surroundings.seesBridges
      ? forHost(incoming)
      : [incoming]),
    { ...on, direction: "out", tag: BRIDGED, tagged: stayTag(name) },
  ];
}

/**
 * Of IPv4 only what the host takes itself: where pf sees on the bridge nothing but what leaves it, the rest
 * is what the host would route.
 */
function forHost(incoming: FilterRule): readonly FilterRule[] {
  return [
    ...(["self", "broadcast", MULTICAST, BROADCAST] as const)
      .map((to): FilterRule => ({ ...incoming, family: "inet", to })),
    ...(incoming.family === "inet" ? [] : [{ ...incoming, family: "inet6" } as const]),
  ];
}

/**
 * What they send to somewhere else, whoever they say to be.
 *
 * @param seesLocal Whether pf sees what is for the host itself as if it went out on another interface.
 */
export function stoppedStrangers(
  name: string,
  policy: FilteredPolicy,
  seesLocal: boolean,
): readonly FilterRule[] {
  const family = familyOf(policy);
  if (family === undefined) return [];
  const all = { ...withFamily(family), from: "any", to: "any", tagged: stayTag(name) } as const;
  const local = { ...localDelivery(name), ...all, allowsOptions: true };
  const elsewhere: FilterRule = {
    action: "block return",
    direction: "out",
    device: policy.bridge,
    isElsewhere: true,
    ...all,
    label: `${name} ${REJECTED}`,
  };
  return seesLocal ? [local, elsewhere] : [elsewhere];
}

/**
 * What is translated is not asked of the filter: so it must not be. None in FreeBSD 15: `no nat` does not
 * keep rules of other anchors from translating there, and where one of those finds no free port the kernel
 * panics.
 */
export function untranslatedStrangers(
  name: string,
  policy: FilteredPolicy,
  { lastTranslates = false }: Surroundings,
): readonly NatExemption[] {
  const family = familyOf(policy);
  if (lastTranslates || family === undefined || family === "inet6") return [];
  return [{ kind: "no nat", ...withFamily(family), tagged: stayTag(name) }];
}

/** Whether what they send with the address of a translated guest would be translated if it got out. */
function mayBeTranslated(
  policy: FilteredPolicy,
  { lastTranslates = false }: Surroundings,
): boolean {
  const family = familyOf(policy);
  return lastTranslates && family !== undefined && family !== "inet6";
}

/** What they can do that they should not, as sentences without a period. */
export function strangersWarnings(
  policy: FilteredPolicy,
  surroundings: Surroundings,
): readonly string[] {
  if (!mayBeTranslated(policy, surroundings) || !surroundings.seesBridges) return [];
  return [
    `A guest of network ${
      quoted(policy.network)
    } that takes the address of a guest of a network in ` +
    "mode nat can send to the outside as that one, and gets no answer: pf of FreeBSD 15 translates " +
    `it as long as ${BRIDGE_KEY} is 1.\nRun \`sysctl ${BRIDGE_KEY}=0\` and \`bridgewall reload\``,
  ];
}

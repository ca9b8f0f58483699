/**
 * Guests whose addresses are not known, as rules of pf: they may talk among themselves in whatever they
 * speak. Since any source may be theirs, what does not go out on their bridge again is told by a tag.
 */
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { REJECTED } from "./bridge_rules.ts";
import { localDelivery } from "./local_rules.ts";
import type { FilterRule, NatExemption, Tag } from "./rules.ts";

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
export function amongStrangers(name: string, policy: FilteredPolicy): readonly FilterRule[] {
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
  return [
    { ...on, direction: "in", tag: stayTag(name) },
    { ...on, direction: "out", tag: BRIDGED, tagged: stayTag(name) },
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

/** What is translated is not asked of the filter: so it must not be. */
export function untranslatedStrangers(
  name: string,
  policy: FilteredPolicy,
): readonly NatExemption[] {
  const family = familyOf(policy);
  if (family === undefined || family === "inet6") return [];
  return [{ kind: "no nat", ...withFamily(family), from: "any", to: "any", tagged: stayTag(name) }];
}

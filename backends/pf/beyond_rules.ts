/** What happens on interfaces whose names are not known, as rules of pf. */
import type { FamilyPolicy } from "../../core/policy/policy.ts";
import { amongMembers, GUESTS, GUESTS_IN, REJECTED } from "./bridge_rules.ts";
import { publishedBeyond } from "./published.ts";
import type { FilterRule } from "./rules.ts";

/**
 * The rules for the addresses that the network has. Members of the bridge come early: pf sees their
 * packets too where pfil_member is 1.
 */
export function rulesBeyond(name: string, own: FamilyPolicy): readonly FilterRule[] {
  return [...publishedBeyond(name, own), ...amongMembers(name), ...routed(name, own)];
}

/** What is translated never gets here: `nat pass` has let it through. */
function routed(name: string, { forwarding }: FamilyPolicy): readonly FilterRule[] {
  const out = { direction: "out", family: "inet", from: GUESTS, to: "any" } as const;
  const into = { direction: "in", family: "inet", from: "any", to: GUESTS } as const;
  if (forwarding.direction !== "both") {
    return [{ action: "block return", ...out, label: `${name} ${REJECTED}` }];
  }
  const pass = {
    action: "pass",
    state: "any",
    ...(forwarding.device === undefined ? {} : { device: forwarding.device }),
  } as const;
  return [
    { ...pass, ...out, label: `${name} beyond-out` },
    { ...pass, ...into, label: `${name} ${GUESTS_IN}` },
  ];
}

/**
 * What guests send to the host itself, where pf sees that once more on its way to the host's own programs,
 * as if it went out on `lo0`. It was let in before, and belongs to no other interface.
 */
import { DISCOVERY, GUESTS } from "./bridge_rules.ts";
import { LOOPBACK_INTERFACE } from "./published.ts";
import type { FilterRule } from "./rules.ts";

/** The rules for the addresses that the network has. */
export function localRules(name: string): readonly FilterRule[] {
  const out = { ...localDelivery(name), family: "inet" } as const;
  return [
    { ...out, ...DISCOVERY },
    { ...out, from: GUESTS, to: "any", allowsOptions: true },
  ];
}

/** What rules for it have in common. */
export function localDelivery(
  name: string,
): Pick<FilterRule, "action" | "direction" | "device" | "label"> {
  return {
    action: "pass",
    direction: "out",
    device: LOOPBACK_INTERFACE,
    label: `${name} local`,
  };
}

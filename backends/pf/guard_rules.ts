/**
 * What no rule of another network may let through, as rules of pf. Met before all others, so that nothing
 * is let in, and no state made of it, that would be stopped on its way out.
 */
import type { FamilyPolicy } from "../../core/policy/policy.ts";
import { GUESTS, REJECTED, SUBNETS } from "./bridge_rules.ts";
import { publishedTag } from "./published.ts";
import type { FilterRule } from "./rules.ts";

/** The rules for the addresses that the network has; none where all may reach them. */
export function guardRules(
  name: string,
  { forwarding, published }: FamilyPolicy,
): readonly FilterRule[] {
  const block = { action: "block return", family: "inet", label: `${name} ${REJECTED}` } as const;
  const into: FilterRule = {
    ...block,
    direction: "in",
    from: { ...SUBNETS, isExcluded: true },
    to: GUESTS,
    ...(published.length === 0 ? {} : { notTagged: publishedTag(name) }),
  };
  if (forwarding.direction === "none") return [into];
  const { device } = forwarding;
  if (device === undefined) return forwarding.direction === "replies" ? [into] : [];
  const elsewhere = { device, isElsewhere: true } as const;
  return [
    forwarding.direction === "replies" ? into : { ...into, ...elsewhere },
    { ...block, ...elsewhere, direction: "out", from: GUESTS, to: { table: "elsewhere" } },
  ];
}

/** What the policies of networks in zones of their own and in named ones have in common. */
import { allBut, type Family, parseSubnet, type Subnet } from "../../core/address.ts";
import {
  type FilteredPolicy,
  type Forwarding,
  NEVER_TRANSLATED,
} from "../../core/policy/policy.ts";
import type { PolicyKind } from "./object_name.ts";
import type { ZonePolicy } from "./objects.ts";
import type { RichRule } from "./rich_rule.ts";

/** The order among ours; an administrator's policies have -1 unless they say otherwise. */
export const PRIORITY = {
  first: -702,
  guard: -700,
  last: 700,
  lastIn: 701,
  published: 702,
  masquerade: 703,
} as const;

/** In the order of their rules. */
export const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

/** Makes a policy about one bridge. */
export type Make = (
  kind: PolicyKind,
  shape: Pick<ZonePolicy, "priority" | "target" | "from" | "to">,
  rules: readonly RichRule[],
) => ZonePolicy;

/** A policy without rules that goes on with the next one says nothing. */
export function some(policy: ZonePolicy): readonly ZonePolicy[] {
  return policy.rules.length === 0 && policy.target === "CONTINUE" ? [] : [policy];
}

/** Whether packets with that side in the network's subnets may pass at all. */
export function isOpen({ direction }: Forwarding, side: "source" | "destination"): boolean {
  return side === "source" ? direction !== "none" : direction === "both";
}

/** Lets packets with that side in the network's subnets pass, as far as they may. */
export function accepts(
  { families }: FilteredPolicy,
  side: "source" | "destination",
): readonly RichRule[] {
  return families.filter(({ forwarding }) => isOpen(forwarding, side))
    .flatMap(({ family, subnets }) =>
      subnets.map((subnet): RichRule => ({ family, [side]: { subnet }, action: "accept" }))
    );
}

/** A rule without addresses needs a priority; accepts at 0 come before it. */
export function rejectAll(family: Family): RichRule {
  return { family, priority: 1, action: "reject" };
}

/** Where packets from these subnets get another source: everywhere but there, and where none ever does. */
export function beyond(family: Family, subnets: readonly Subnet[]): readonly Subnet[] {
  const never = NEVER_TRANSLATED[family].flatMap((text) => parseSubnet(text) ?? []);
  return allBut(family, [...subnets, ...never]);
}

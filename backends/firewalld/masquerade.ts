/** Prefixes of no network → one policy of firewalld. */
import type { MasqueradePolicy } from "../../core/policy/policy.ts";
import { MASQUERADE_POLICY } from "./object_name.ts";
import { ANY, type ZonePolicy } from "./objects.ts";
import { beyond, PRIORITY } from "./policy_parts.ts";
import type { RichRule } from "./rich_rule.ts";

/** From any zone, as networks are translated, and after them: the first rule that translates decides. */
export function masqueradeObject({ families }: MasqueradePolicy): ZonePolicy {
  return {
    object: MASQUERADE_POLICY,
    priority: PRIORITY.masquerade,
    target: "CONTINUE",
    from: ANY,
    to: ANY,
    rules: families.flatMap(({ family, prefixes }) =>
      prefixes.flatMap((source) =>
        beyond(family, [source]).map((destination): RichRule => ({
          family,
          source: { subnet: source },
          destination: { subnet: destination },
          action: "masquerade",
        }))
      )
    ),
  };
}

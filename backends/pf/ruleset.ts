/**
 * Policy → the anchors that make it true. What is installed, what is removed and what is looked for later
 * are all read off these values.
 *
 * ```text
 * anchor "bridgewall/*"
 *   bridgewall/+NAME      what nobody may send to its guests, and its guests not by another interface
 *   bridgewall/NAME       translation; on BR: guests among themselves, outward; then block quick on BR
 *   bridgewall/NAME/=rdr  published ports: met by what is sent to the host itself
 *   bridgewall/~NAME      on any other interface: what comes from its guests, and what goes to them
 * ```
 *
 * A routed packet meets pf twice: coming in on one interface, going out on another. What happens on a
 * bridge of ours is decided by the network that owns it: that is why all that is said about other
 * interfaces comes later, when every bridge has had its turn. But when a packet comes in on one bridge, its
 * owner does not know whether the other end takes it, and letting it in makes a state, which would let an
 * answer through: so what a network does not take is said first, before any bridge has its turn.
 *
 * All rules are quick, so nothing that follows in the main ruleset changes what they say.
 */
import type { FamilyPolicy, FilteredPolicy } from "../../core/policy/policy.ts";
import { anchorPaths } from "./anchor_path.ts";
import { rulesBeyond } from "./beyond_rules.ts";
import { REJECTED, rulesOnBridge, SUBNETS } from "./bridge_rules.ts";
import { guardRules } from "./guard_rules.ts";
import { localRules } from "./local_rules.ts";
import { publishedOnBridge, redirectionCall, redirections, returningRules } from "./published.ts";
import type { Anchor, FilterRule } from "./rules.ts";
import { amongStrangers, stoppedStrangers, untranslatedStrangers } from "./strangers.ts";
import { externalInterface, type Surroundings } from "./surroundings.ts";
import { matchable, namedTables, natDestinations } from "./tables.ts";
import { translationRules } from "./translation.ts";

/**
 * The anchors of one network, none of them empty. In the order in which they are loaded: that with the
 * translation first, as pf would want it in one file. Nothing is redirected before it would be let through.
 */
export function networkAnchors(
  policy: FilteredPolicy,
  surroundings: Surroundings,
): readonly Anchor[] {
  const own = policy.families.find(({ family }) => family === "ipv4");
  return [
    bridgeAnchor(policy, own, surroundings),
    guardAnchor(policy, own, surroundings),
    beyondAnchor(policy, own, surroundings),
    redirectionAnchor(policy, own, surroundings),
  ].filter(({ translation, filter }) => translation.length + filter.length > 0);
}

function guardAnchor(
  policy: FilteredPolicy,
  own: FamilyPolicy | undefined,
  surroundings: Surroundings,
): Anchor {
  const { root, seesLocal = false } = surroundings;
  const { name, guard: path } = anchorPaths(root, policy);
  const rules = own === undefined
    ? []
    : matchable(own, [...(seesLocal ? localRules(name) : []), ...guardRules(name, own)]);
  return {
    path,
    tables: own === undefined ? [] : namedTables(own, rules),
    translation: untranslatedStrangers(name, policy, surroundings),
    filter: [...stoppedStrangers(name, policy, seesLocal), ...rules],
  };
}

function bridgeAnchor(
  policy: FilteredPolicy,
  own: FamilyPolicy | undefined,
  surroundings: Surroundings,
): Anchor {
  const { name, bridge: path } = anchorPaths(surroundings.root, policy);
  const rest: FilterRule = {
    action: "block return",
    device: policy.bridge,
    from: "any",
    to: "any",
    label: `${name} ${REJECTED}`,
  };
  if (own === undefined) {
    const filter = [...amongStrangers(name, policy, surroundings), rest];
    return { path, tables: [], translation: [], filter };
  }
  const { seesLocal = false } = surroundings;
  const external = externalInterface(policy, surroundings);
  const outward = external === undefined ? [] : translationRules(own, external);
  const translation = matchable(own, [
    ...outward,
    ...returningRules(name, policy.bridge, own, seesLocal),
    ...redirectionCall(own, seesLocal),
  ]);
  const filter = matchable(own, [
    ...(external === undefined ? [] : [spoofed(name, external)]),
    ...publishedOnBridge(name, policy.bridge, own),
    ...rulesOnBridge(name, policy.bridge, own, outward.length > 0),
    ...amongStrangers(name, policy, surroundings),
    rest,
  ]);
  return {
    path,
    tables: [
      ...(outward.length === 0 ? [] : [natDestinations(own)]),
      ...namedTables(own, [...translation, ...filter]),
    ],
    translation,
    filter,
  };
}

function redirectionAnchor(
  policy: FilteredPolicy,
  own: FamilyPolicy | undefined,
  { root, seesLocal = false }: Surroundings,
): Anchor {
  const { name, redirections: path } = anchorPaths(root, policy);
  const translation = own === undefined ? [] : redirections(name, own, seesLocal);
  return { path, tables: [], translation, filter: [] };
}

/** A packet from outside that says to be from a guest would be taken for one. */
function spoofed(name: string, device: string): FilterRule {
  return {
    action: "block drop",
    direction: "in",
    device,
    family: "inet",
    from: SUBNETS,
    to: "any",
    label: `${name} spoofed`,
  };
}

/**
 * Where the last anchor that translates decides, it translates once more: behind the prefixes around the
 * network, as `bridgewall/NAME` comes before them.
 */
function beyondAnchor(
  policy: FilteredPolicy,
  own: FamilyPolicy | undefined,
  surroundings: Surroundings,
): Anchor {
  const { name, beyond: path } = anchorPaths(surroundings.root, policy);
  if (own === undefined) return { path, tables: [], translation: [], filter: [] };
  const external = externalInterface(policy, surroundings);
  const translation = surroundings.lastTranslates && external !== undefined
    ? translationRules(own, external)
    : [];
  const filter = matchable(own, rulesBeyond(name, own));
  return {
    path,
    tables: [
      ...(translation.length === 0 ? [] : [{ ...natDestinations(own), persists: false }]),
      ...namedTables(own, filter),
    ],
    translation,
    filter,
  };
}

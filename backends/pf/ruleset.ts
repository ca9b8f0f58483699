/**
 * Policy → the two anchors that make it true. What is installed, what is removed and what is looked for
 * later are all read off these values.
 *
 * ```text
 * anchor "bridgewall/*"
 *   bridgewall/NAME    on BR: guests among themselves, services, outward; then block quick on BR
 *   bridgewall/~NAME   on any other interface: what comes from its guests, and what goes to them
 * ```
 *
 * A routed packet meets pf twice: coming in on one interface, going out on another. What happens on a
 * bridge of ours is decided by the network that owns it, and by no other: that is why all that is said
 * about other interfaces comes later, in an anchor that is visited when every bridge has had its turn.
 * All rules are quick, so nothing that follows in the main ruleset changes what they say.
 *
 * What the owner of a bridge cannot know of a packet that goes out there (where it came from) the
 * packet carries as a tag, which the owner of the bridge it came from has written.
 */
import { bitsOf, subnetOf } from "../../core/address.ts";
import type { FamilyPolicy, FilteredPolicy } from "../../core/policy/policy.ts";
import { anchorPaths } from "./anchor_path.ts";
import {
  amongMembers,
  amongStrangers,
  GUESTS_IN,
  REJECTED,
  rulesOnBridge,
  stoppedStrangers,
  SUBNETS,
} from "./bridge_rules.ts";
import type { Anchor, FilterRule } from "./script.ts";
import { externalInterface, type Surroundings } from "./surroundings.ts";
import { excluded, included, natDestinations, translationRules } from "./translation.ts";

/** The anchors of one network, in the order in which they are loaded. */
export function networkAnchors(
  policy: FilteredPolicy,
  surroundings: Surroundings,
): readonly Anchor[] {
  const own = policy.families.find(({ family }) => family === "ipv4");
  return [bridgeAnchor(policy, own, surroundings), beyondAnchor(policy, own, surroundings)];
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
    return { path, tables: [], translation: [], filter: [...amongStrangers(name, policy), rest] };
  }
  const external = externalInterface(policy, surroundings);
  const translation = external === undefined ? [] : translationRules(own, external);
  return {
    path,
    tables: [
      ...(translation.length === 0 ? [] : [natDestinations(own)]),
      { name: "subnets", entries: own.subnets.map(included), persists: false },
    ],
    translation,
    filter: [
      ...(external === undefined ? [] : [spoofed(name, external)]),
      ...rulesOnBridge(name, policy.bridge, own, translation.length > 0),
      ...amongStrangers(name, policy),
      rest,
    ],
  };
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

/** Guests alone: the host's own packets are its own affair. */
const GUESTS = { table: "guests" } as const;

function beyondAnchor(
  policy: FilteredPolicy,
  own: FamilyPolicy | undefined,
  { root }: Surroundings,
): Anchor {
  const { name, beyond: path } = anchorPaths(root, policy);
  const strangers = stoppedStrangers(name, policy);
  if (own === undefined) return { path, tables: [], translation: [], filter: strangers };
  return {
    path,
    tables: [{
      name: "guests",
      entries: [
        ...own.subnets.map(included),
        ...own.hostAddresses.map((address) => excluded(subnetOf(address, bitsOf("ipv4")))),
      ],
      persists: false,
    }],
    translation: [],
    // Members of the bridge come first: pf sees their packets too where pfil_member is 1.
    filter: [
      ...strangers,
      ...amongMembers(name, { action: "pass", family: "inet" }, GUESTS),
      ...rulesBeyond(name, own),
    ],
  };
}

/** What is translated never gets here: `nat pass` has let it through. */
function rulesBeyond(name: string, { forwarding }: FamilyPolicy): readonly FilterRule[] {
  const out = { direction: "out", family: "inet", from: GUESTS, to: "any" } as const;
  const into = { direction: "in", family: "inet", from: "any", to: GUESTS } as const;
  const pass = { action: "pass", keepsState: true } as const;
  const block = { action: "block return", label: `${name} ${REJECTED}` } as const;
  if (forwarding.direction !== "both") return [{ ...block, ...out }];
  const device = forwarding.device === undefined ? {} : { device: forwarding.device };
  const elsewhere = forwarding.device !== undefined;
  return [
    { ...pass, ...out, ...device, label: `${name} beyond-out` },
    ...(elsewhere ? [{ ...block, ...out }] : []),
    { ...pass, ...into, ...device, label: `${name} ${GUESTS_IN}` },
    ...(elsewhere ? [{ ...block, ...into }] : []),
  ];
}

/**
 * Policy → the anchors that make it true. What is installed, what is removed and what is looked for later
 * are all read off these values.
 *
 * ```text
 * anchor "bridgewall/*"
 *   bridgewall/+NAME   what nobody may send to its guests, and its guests not by another interface
 *   bridgewall/NAME    translation; on BR: guests among themselves, outward; then block quick on BR
 *   bridgewall/~NAME   on any other interface: what comes from its guests, and what goes to them
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
import { bitsOf, subnetOf } from "../../core/address.ts";
import type { FamilyPolicy, FilteredPolicy } from "../../core/policy/policy.ts";
import { anchorPaths } from "./anchor_path.ts";
import {
  amongMembers,
  BROADCAST,
  GUESTS,
  GUESTS_IN,
  MULTICAST,
  REJECTED,
  rulesOnBridge,
  subnetNamed,
  SUBNETS,
} from "./bridge_rules.ts";
import { guardRules } from "./guard_rules.ts";
import type { Anchor, FilterRule, Table } from "./script.ts";
import { amongStrangers, stoppedStrangers, untranslatedStrangers } from "./strangers.ts";
import { externalInterface, type Surroundings } from "./surroundings.ts";
import { excluded, included, natDestinations, translationRules } from "./translation.ts";

/**
 * The anchors of one network, none of them empty. In the order in which they are loaded: that with the
 * translation first, as pf would want it in one file.
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
  ].filter(({ translation, filter }) => translation.length + filter.length > 0);
}

function guardAnchor(
  policy: FilteredPolicy,
  own: FamilyPolicy | undefined,
  { root }: Surroundings,
): Anchor {
  const { name, guard: path } = anchorPaths(root, policy);
  const rules = own === undefined ? [] : guardRules(name, own);
  return {
    path,
    tables: own === undefined
      ? []
      : namedTables([subnetsTable(own), guestsTable(own), elsewhereTable(own)], rules),
    translation: untranslatedStrangers(name, policy),
    filter: [...stoppedStrangers(name, policy), ...rules],
  };
}

/** The tables that the rules name: others would be loaded in vain. */
function namedTables(tables: readonly Table[], rules: readonly FilterRule[]): readonly Table[] {
  const named = new Set(
    rules.flatMap(({ from, to }) => [from, to]).flatMap((endpoint) =>
      typeof endpoint === "object" && "table" in endpoint ? [endpoint.table] : []
    ),
  );
  return tables.filter(({ name }) => named.has(name));
}

function subnetsTable({ subnets }: FamilyPolicy): Table {
  return { name: "subnets", entries: subnets.map(included), persists: false };
}

function guestsTable({ subnets, hostAddresses }: FamilyPolicy): Table {
  const hosts = hostAddresses.map((address) => subnetOf(address, bitsOf("ipv4")));
  return {
    name: "guests",
    entries: [...subnets.map(included), ...hosts.map(excluded)],
    persists: false,
  };
}

function elsewhereTable({ subnets }: FamilyPolicy): Table {
  return {
    name: "elsewhere",
    entries: [
      included(subnetNamed("0.0.0.0/0")),
      ...[...subnets, MULTICAST, BROADCAST].map(excluded),
    ],
    persists: false,
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
    return { path, tables: [], translation: [], filter: [...amongStrangers(name, policy), rest] };
  }
  const external = externalInterface(policy, surroundings);
  const translation = external === undefined ? [] : translationRules(own, external);
  const filter = [
    ...(external === undefined ? [] : [spoofed(name, external)]),
    ...rulesOnBridge(name, policy.bridge, own, translation.length > 0),
    ...amongStrangers(name, policy),
    rest,
  ];
  return {
    path,
    tables: [
      ...(translation.length === 0 ? [] : [natDestinations(own)]),
      ...namedTables([subnetsTable(own), guestsTable(own)], filter),
    ],
    translation,
    filter,
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

function beyondAnchor(
  policy: FilteredPolicy,
  own: FamilyPolicy | undefined,
  { root }: Surroundings,
): Anchor {
  const { name, beyond: path } = anchorPaths(root, policy);
  if (own === undefined) return { path, tables: [], translation: [], filter: [] };
  return {
    path,
    tables: [guestsTable(own)],
    translation: [],
    // Members of the bridge come first: pf sees their packets too where pfil_member is 1.
    filter: [
      ...amongMembers(name),
      ...rulesBeyond(name, own),
    ],
  };
}

/** What is translated never gets here: `nat pass` has let it through. */
function rulesBeyond(name: string, { forwarding }: FamilyPolicy): readonly FilterRule[] {
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

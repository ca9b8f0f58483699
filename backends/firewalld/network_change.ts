/** One policy → the files that make it true, and the way back. */
import type { NetworkChange, Step } from "../../core/change/change.ts";
import { checksumRepair } from "../../core/change/dhcp_checksum.ts";
import { sctpSteps } from "../../core/change/sctp_tracking.ts";
import type { Facts } from "../../core/firewall_backend.ts";
import type { FilteredPolicy, MasqueradePolicy } from "../../core/policy/policy.ts";
import { chooseZones } from "./choose_zone.ts";
import { endingSteps } from "./connections.ts";
import { masqueradeObject } from "./masquerade.ts";
import { MASQUERADE_POLICY } from "./object_name.ts";
import { isPuttingBack, type StandingNetworks } from "./original_zones.ts";
import type { PublishedAround } from "./published.ts";
import { mixedWarnings, publishedWarnings, refuseForeignAddress } from "./published_limits.ts";
import { networkObjects, type ZonesOfNetwork } from "./ruleset.ts";
import { publishedAround, standingGuards, type Surroundings } from "./surroundings.ts";
import { bindingSteps, returnGroups, type Zoning, zoningOf } from "./zone_of_interface.ts";
import { changesRules, fileSteps, removalGroup, zoneSteps } from "./zone_steps.ts";

/** Nothing that was there before has to end: connections keep the addresses that they began with. */
export function masqueradeChange(policy: MasqueradePolicy, { answers }: Facts): NetworkChange {
  const object = masqueradeObject(policy);
  return {
    network: policy.network,
    install: fileSteps({
      what: "policy of masqueraded prefixes",
      remedy: "Remove it",
      objects: [object],
      names: [MASQUERADE_POLICY],
    }, answers),
    removal: [removalGroup(object)],
    warnings: [],
  };
}

/** A network with its zone, its policies, and what it has to do with published ports. */
export function networkChange(
  policy: FilteredPolicy,
  facts: Facts,
  standing: StandingNetworks,
  surroundings: Surroundings,
): NetworkChange {
  const { answers } = facts;
  const held = standing.backendOf(policy);
  const { zones, warnings } = chooseZones(policy, answers, held !== undefined);
  if (!isPuttingBack(facts)) {
    refuseForeignAddress(policy, surroundings, standing.policyOf(policy));
  }
  const published = publishedAround(policy, zones, surroundings, answers);
  const objects = networkObjects(policy, zones, published);
  const zoning = zoningOf(policy.bridge, answers);
  const repair = checksumRepair(policy, facts);
  const isOwn = zones.kind === "own";
  const original = standing.zoningOf(policy) ?? zoning;
  return {
    network: policy.network,
    install: [
      ...zoneSteps(policy, objects, zoning, zones, answers),
      // A network that comes from another backend has connections that it may keep.
      ...((held ?? "firewalld") === "firewalld"
        ? connectionSteps(policy, published, zoning, zones, facts)
        : []),
      ...(isOwn ? [] : bindingSteps(policy.bridge, zoning, zones.name)),
      ...repair.steps,
      ...sctpSteps(policy),
    ],
    removal: [
      ...objects.toReversed().map(removalGroup),
      ...returnGroups(policy.bridge, original, isOwn ? undefined : zones.name),
      ...repair.removal,
    ],
    warnings: [
      ...warnings,
      ...publishedWarnings(policy, surroundings, answers),
      ...mixedWarnings(surroundings.elsewhere, [policy]),
      ...repair.warnings,
    ],
  };
}

/** Which ports of the host lead to guests, the network's own and others', is no reason to end connections. */
function connectionSteps(
  policy: FilteredPolicy,
  published: PublishedAround,
  zoning: Zoning,
  zones: ZonesOfNetwork,
  { answers }: Facts,
): readonly Step[] {
  const guards = standingGuards(policy, answers);
  const rules = networkObjects(policy, zones, { ...published, guards });
  return changesRules(policy, rules, zoning, zones, answers) ? endingSteps(policy) : [];
}

/** Tables of pf, and what is in them. */
import { bitsOf, type Subnet, subnetOf } from "../../core/address.ts";
import { type FamilyPolicy, NEVER_TRANSLATED } from "../../core/policy/policy.ts";
import { BROADCAST, MULTICAST, subnetNamed } from "./bridge_rules.ts";
import type { Endpoint, FilterRule, Table, TableEntry, TranslationRule } from "./rules.ts";

/** The tables that the rules name: others would be loaded in vain. */
export function namedTables(
  own: FamilyPolicy,
  rules: readonly (FilterRule | TranslationRule)[],
): readonly Table[] {
  const named = new Set(
    rules.flatMap(endpointsOf).flatMap((endpoint) =>
      typeof endpoint === "object" && "table" in endpoint ? [endpoint.table] : []
    ),
  );
  return [subnetsTable(own), guestsTable(own), elsewhereTable(own)]
    .filter(({ name }) => named.has(name));
}

function endpointsOf(rule: FilterRule | TranslationRule): readonly Endpoint[] {
  return ["from" in rule ? rule.from : "any", "to" in rule ? rule.to : "any"];
}

function subnetsTable({ subnets }: FamilyPolicy): Table {
  return { name: "subnets", entries: subnets.map(included), persists: false };
}

/** The same without the host's own addresses. */
export function guestsTable({ subnets, hostAddresses }: FamilyPolicy): Table {
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
    entries: [included(EVERYTHING), ...[...subnets, MULTICAST, BROADCAST].map(excluded)],
    persists: false,
  };
}

/** All that is not the network itself and leaves its link. */
export function natDestinations({ subnets }: FamilyPolicy): Table {
  return {
    name: "natdst",
    entries: [
      included(EVERYTHING),
      ...[...subnets, ...NEVER_TRANSLATED.ipv4.map(subnetNamed)].map(excluded),
    ],
    persists: true,
  };
}

const EVERYTHING: Subnet = subnetNamed("0.0.0.0/0");

function included(subnet: Subnet): TableEntry {
  return { subnet, isExcluded: false };
}

function excluded(subnet: Subnet): TableEntry {
  return { subnet, isExcluded: true };
}

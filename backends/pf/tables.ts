/** Tables of pf, and what is in them. */
import {
  bitsOf,
  compareSubnets,
  contains,
  formatSubnet,
  type Subnet,
  subnetOf,
} from "../../core/address.ts";
import { type FamilyPolicy, NEVER_TRANSLATED } from "../../core/policy/policy.ts";
import { BROADCAST, MULTICAST, subnetNamed } from "./bridge_rules.ts";
import type { Endpoint, FilterRule, Table, TableEntry, TranslationRule } from "./rules.ts";

/** The rules that packets can match: where no address is left for guests, none that name their table. */
export function matchable<Rule extends FilterRule | TranslationRule>(
  own: FamilyPolicy,
  rules: readonly Rule[],
): readonly Rule[] {
  return guestSubnets(own).length > 0
    ? rules
    : rules.filter((rule) => !tableNames(rule).includes("guests"));
}

/** The tables that the rules name: others would be loaded in vain. */
export function namedTables(
  own: FamilyPolicy,
  rules: readonly (FilterRule | TranslationRule)[],
): readonly Table[] {
  const named = new Set(rules.flatMap(tableNames));
  return [subnetsTable(own), guestsTable(own), elsewhereTable(own)]
    .filter(({ name }) => named.has(name));
}

function tableNames(rule: FilterRule | TranslationRule): readonly Table["name"][] {
  const endpoints: readonly Endpoint[] = [
    "from" in rule ? rule.from : "any",
    "to" in rule ? rule.to : "any",
  ];
  return endpoints.flatMap((endpoint) =>
    typeof endpoint === "object" && "table" in endpoint ? [endpoint.table] : []
  );
}

function subnetsTable({ subnets }: FamilyPolicy): Table {
  return { name: "subnets", entries: subnets.map(included), persists: false };
}

/**
 * The same without the host's own addresses. No address is there with a `!` and without: of two entries for
 * one address pf takes the first and says nothing, pfr_ina_define() in sys/netpfil/pf/pf_table.c.
 */
function guestsTable(own: FamilyPolicy): Table {
  const subnets = guestSubnets(own);
  const hosts = own.hostAddresses.filter((host) => subnets.some((subnet) => contains(subnet, host)))
    .map((host) => subnetOf(host, bitsOf("ipv4")));
  return {
    name: "guests",
    entries: [...subnets.map(included), ...hosts.map(excluded)],
    persists: false,
  };
}

/** Those that are more than an address of the host. */
function guestSubnets({ subnets, hostAddresses }: FamilyPolicy): readonly Subnet[] {
  return subnets.filter((subnet) =>
    subnet.prefix < bitsOf("ipv4") || !hostAddresses.some((host) => contains(subnet, host))
  );
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
  return { name: "natdst", entries: awayFrom(subnets), persists: true };
}

/**
 * The same for a prefix that belongs to no network. A table says in one rule what is not translated: `no nat`
 * in front of it would do it too, but in FreeBSD 15 a packet that matches that, and another nat for which
 * there is no free port, makes the kernel panic: pf_match_translation_rule() in sys/netpfil/pf/pf_lb.c.
 */
export function prefixDestinations(prefix: Subnet): Table {
  return { name: prefixTableName(prefix), entries: awayFrom([prefix]), persists: false };
}

/** Of 31 characters that a name may have it takes 25 at most: `natdst-192.168.122.128-25`. */
export function prefixTableName(prefix: Subnet): Table["name"] {
  return `natdst-${formatSubnet(prefix).replace("/", "-")}`;
}

function awayFrom(subnets: readonly Subnet[]): readonly TableEntry[] {
  const link = NEVER_TRANSLATED.ipv4.map(subnetNamed)
    .filter((one) => !subnets.some((subnet) => compareSubnets(subnet, one) === 0));
  return [included(EVERYTHING), ...[...subnets, ...link].map(excluded)];
}

const EVERYTHING: Subnet = subnetNamed("0.0.0.0/0");

function included(subnet: Subnet): TableEntry {
  return { subnet, isExcluded: false };
}

function excluded(subnet: Subnet): TableEntry {
  return { subnet, isExcluded: true };
}

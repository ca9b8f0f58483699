/** How the packets of guests get a source address of the host's, as rules of pf. */
import {
  type AddressRange,
  bitsOf,
  type IpAddress,
  type Subnet,
  subnetOf,
} from "../../core/address.ts";
import { type FamilyPolicy, NEVER_TRANSLATED } from "../../core/policy/policy.ts";
import { subnetNamed } from "./bridge_rules.ts";
import type { NatRule, Table, TableEntry } from "./script.ts";

/**
 * One rule for each subnet; none for a network that is not translated.
 *
 * @param external The interface that they leave by.
 */
export function translationRules(
  { subnets, forwarding }: FamilyPolicy,
  external: string,
): readonly NatRule[] {
  if (forwarding.direction === "none" || forwarding.translation === undefined) return [];
  const { addresses, ports } = forwarding.translation;
  const pool = addresses === undefined ? {} : { pool: subnetsOfRange(addresses) };
  return subnets.map((from) => ({ device: external, from, ports, ...pool }));
}

/** All that is not the network itself and leaves its link. */
export function natDestinations({ subnets }: FamilyPolicy): Table {
  return {
    name: "natdst",
    entries: [
      included(subnetNamed("0.0.0.0/0")),
      ...[...subnets, ...NEVER_TRANSLATED.ipv4.map(subnetNamed)].map(excluded),
    ],
    persists: true,
  };
}

/** Addresses that belong to a table. */
export function included(subnet: Subnet): TableEntry {
  return { subnet, isExcluded: false };
}

/** Addresses that do not, although a wider entry holds them. */
export function excluded(subnet: Subnet): TableEntry {
  return { subnet, isExcluded: true };
}

/** The fewest subnets that hold exactly these addresses: pf has pools of subnets, not of ranges. */
function subnetsOfRange({ start, end }: AddressRange): readonly Subnet[] {
  const bits = bitsOf(start.family);
  const found: Subnet[] = [];
  let { value } = start;
  while (value <= end.value) {
    const first: IpAddress = { family: start.family, value };
    const fits = (prefix: number): boolean =>
      subnetOf(first, prefix).value === value &&
      value + (1n << BigInt(bits - prefix)) - 1n <= end.value;
    let prefix = bits;
    while (prefix > 0 && fits(prefix - 1)) prefix--;
    found.push(subnetOf(first, prefix));
    value += 1n << BigInt(bits - prefix);
  }
  return found;
}

/** How the packets of guests get a source address of the host's, as rules of pf. */
import {
  type AddressRange,
  bitsOf,
  type IpAddress,
  type Subnet,
  subnetOf,
} from "../../core/address.ts";
import type { FamilyPolicy } from "../../core/policy/policy.ts";
import type { NatRule } from "./rules.ts";

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
  return subnets.map((from) => ({ kind: "nat pass", device: external, from, ports, ...pool }));
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

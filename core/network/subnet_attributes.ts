/** What `<ip>` and `<route>` share: an address with its family, netmask or prefix. */
import { bitsOf, formatAddress, prefixOfNetmask } from "../address.ts";
import type { Family, IpAddress } from "../address.ts";
import {
  addressAttribute,
  attributeOf,
  decimal,
  oneOf,
  refuse,
  tagOf,
  UNSIGNED_INT_MAX,
} from "./element_reader.ts";
import type { Part } from "./element_reader.ts";

/**
 * The family that the element stands for: `ipv4` unless it says `ipv6`.
 *
 * @throws {NetworkDefinitionError} When it is another word.
 */
export function familyOf(part: Part): Family {
  return oneOf(part, "family", ["ipv4", "ipv6"]) ?? "ipv4";
}

/**
 * Checks that the address is of the family that the element stands for.
 *
 * @throws {NetworkDefinitionError} When the address is of the other family.
 */
export function refuseOtherFamily(part: Part, name: string, address: IpAddress): void {
  const family = familyOf(part);
  if (address.family === family) return;
  const said = attributeOf(part, "family") === undefined ? "without family" : `of family ${family}`;
  refuse(
    part,
    `${tagOf(part)} ${said} has the ${name} "${formatAddress(address)}", wanted one of ${family}`,
    `Write family='${address.family}'`,
  );
}

/**
 * The prefix that netmask or prefix say, `undefined` when neither is given; `prefix='0'` counts as
 * absent, as in libvirt.
 *
 * @throws {NetworkDefinitionError} When both are given, or one of them does not fit the family.
 * libvirt 11.3 notices a netmask with gaps at start only.
 */
export function prefixOf(part: Part): number | undefined {
  const family = familyOf(part);
  const prefix = decimal(part, "prefix", UNSIGNED_INT_MAX) ?? 0;
  const netmask = addressAttribute(part, "netmask");
  if (netmask === undefined) {
    if (prefix > bitsOf(family)) {
      refuse(part, `${tagOf(part)} has prefix "${prefix}", wanted 1 to ${bitsOf(family)}`);
    }
    return prefix === 0 ? undefined : prefix;
  }
  if (family === "ipv6") {
    refuse(
      part,
      `${tagOf(part)} of family ipv6 has a netmask, wanted a prefix`,
      "Write prefix='64'",
    );
  }
  const bits = netmask.family === "ipv4" ? prefixOfNetmask(netmask) : undefined;
  if (bits === undefined) {
    return refuse(
      part,
      `${tagOf(part)} has netmask "${formatAddress(netmask)}", which is no netmask`,
    );
  }
  if (prefix > 0) {
    refuse(part, `${tagOf(part)} has both netmask and prefix`, `Write prefix='${bits}' alone`);
  }
  return bits;
}

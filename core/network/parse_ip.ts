/** `<ip>` → address, subnet and services of the host on the bridge. */
import { formatAddress, subnetOf } from "../address.ts";
import type { IpAddress } from "../address.ts";
import {
  attributeOf,
  partsNamed,
  placeOf,
  refuse,
  refuseLineBreaks,
  requiredAddress,
  yesOrNo,
} from "./element_reader.ts";
import type { Part } from "./element_reader.ts";
import type { NetworkAddress } from "./network.ts";
import { parseDhcp } from "./parse_dhcp.ts";
import { familyOf, prefixOf, refuseOtherFamily } from "./subnet_attributes.ts";

/**
 * Reads all `<ip>` of a network, by the rules of libvirt 11.3.
 *
 * @throws {NetworkDefinitionError} When one is not valid, or two of a family have DHCP.
 */
export function parseAddresses(network: Part): readonly NetworkAddress[] {
  const parts = partsNamed(network, "ip");
  const addresses = parts.map(parseIp);
  for (const family of ["ipv4", "ipv6"] as const) {
    const serving = parts.filter((_, index) => {
      const ip = addresses[index];
      return ip !== undefined && ip.dhcp && ip.address.family === family;
    });
    const [, second] = serving;
    if (second !== undefined) {
      refuse(second, `Second <ip> of family ${family} with DHCP, at most one may have it`);
    }
  }
  return addresses;
}

function parseIp(part: Part): NetworkAddress {
  familyOf(part);
  const address = requiredAddress(part, "address", "192.168.100.1");
  refuseOtherFamily(part, "address", address);
  const prefix = prefixOf(part) ?? defaultPrefix(part, address);
  // libvirt takes it. Here it would make every address a guest's own, so that nothing is filtered.
  if (prefix === 0) refuse(part, `<ip> "${formatAddress(address)}/0" would hold all addresses`);
  yesOrNo(part, "localPtr");
  const subnet = subnetOf(address, prefix);
  const tftp = parseTftp(part);
  return { address, subnet, dhcp: parseDhcp(part, subnet), tftp, place: placeOf(part) };
}

/** The prefix of an address that comes without one: of its class (RFC 791), or 64. */
function defaultPrefix(part: Part, address: IpAddress): number {
  if (address.value === 0n) return 0;
  if (address.family === "ipv6") return 64;
  const firstByte = Number(address.value >> 24n);
  if (firstByte < 128) return 8;
  if (firstByte < 192) return 16;
  if (firstByte < 224) return 24;
  return refuse(
    part,
    `<ip> has address "${formatAddress(address)}" without prefix`,
    "Add prefix='24'",
  );
}

function parseTftp(ip: Part): boolean {
  const parts = partsNamed(ip, "tftp");
  const [first] = parts;
  if (first !== undefined && familyOf(ip) === "ipv6") refuse(first, "<tftp> works in IPv4 only");
  for (const part of parts) refuseLineBreaks(part, "root");
  return parts.some((part) => attributeOf(part, "root") !== undefined);
}

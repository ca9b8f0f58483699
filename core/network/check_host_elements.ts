/** `<mac>`, `<mtu>`, `<domain>` and `<dns>`: settings of the host's own end, checked and not used. */
import {
  decimal,
  filledAttribute,
  onlyPart,
  partsNamed,
  refuse,
  UNSIGNED_INT_MAX,
} from "./element_reader.ts";
import type { Part } from "./element_reader.ts";
import { problemOfMac } from "./mac_address.ts";
import { checkDns, checkDomain } from "./check_dns.ts";

/**
 * Checks them, by the rules of libvirt 11.3.
 *
 * @returns The names of the elements that need a host on the network: `mac`, `ip`, `dns`, `domain`.
 * @throws {NetworkDefinitionError} When one is not valid, or there twice.
 */
export function checkHostElements(network: Part): readonly string[] {
  const mtu = onlyPart(network, "mtu");
  if (mtu !== undefined) decimal(mtu, "size", UNSIGNED_INT_MAX);
  const domain = onlyPart(network, "domain");
  const dns = onlyPart(network, "dns");
  const mac = onlyPart(network, "mac");
  return [
    ...(mac !== undefined && checkMac(mac) ? ["mac"] : []),
    ...(partsNamed(network, "ip").length > 0 ? ["ip"] : []),
    ...(dns !== undefined && checkDns(dns).length > 0 ? ["dns"] : []),
    ...(domain !== undefined && checkDomain(domain) ? ["domain"] : []),
  ];
}

function checkMac(part: Part): boolean {
  const address = filledAttribute(part, "address");
  if (address === undefined) return false;
  const problem = problemOfMac(address);
  if (problem !== undefined) refuse(part, `<mac> ${problem}`);
  return true;
}

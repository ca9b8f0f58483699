/** `<route>` → a network behind a guest. */
import { formatAddress, formatSubnet, subnetOf } from "../address.ts";
import type { IpAddress } from "../address.ts";
import {
  decimal,
  partsNamed,
  refuse,
  requiredAddress,
  UNSIGNED_INT_MAX,
} from "./element_reader.ts";
import type { Part } from "./element_reader.ts";
import type { NetworkAddress, NetworkRoute } from "./network.ts";
import { prefixOf, refuseOtherFamily } from "./subnet_attributes.ts";

/**
 * Reads all `<route>` of a network, by the rules of libvirt 11.3.
 *
 * @param addresses The network's own, which must hold every gateway.
 * @throws {NetworkDefinitionError} When one is not valid.
 */
export function parseRoutes(
  network: Part,
  addresses: readonly NetworkAddress[],
): readonly NetworkRoute[] {
  const isReachable = reachableFrom(addresses);
  return partsNamed(network, "route").map((part) => {
    const route = parseRoute(part);
    if (!isReachable(route.gateway)) {
      const gateway = formatAddress(route.gateway);
      refuse(part, `Gateway "${gateway}" is not inside any <ip> of the network`);
    }
    return route;
  });
}

/** Looks subnets up by prefix, so that many routes and many addresses do not multiply. */
function reachableFrom(addresses: readonly NetworkAddress[]): (gateway: IpAddress) => boolean {
  const subnets = new Set(addresses.map(({ subnet }) => formatSubnet(subnet)));
  const prefixes = { ipv4: new Set<number>(), ipv6: new Set<number>() };
  for (const { subnet } of addresses) prefixes[subnet.family].add(subnet.prefix);
  return (gateway) =>
    [...prefixes[gateway.family]].some((prefix) =>
      subnets.has(formatSubnet(subnetOf(gateway, prefix)))
    );
}

function parseRoute(part: Part): NetworkRoute {
  const address = requiredAddress(part, "address", "192.168.200.0");
  const gateway = requiredAddress(part, "gateway", "192.168.100.2");
  refuseOtherFamily(part, "address", address);
  refuseOtherFamily(part, "gateway", gateway);
  // Without either it is a default route: no prefix comes from the class here.
  const destination = subnetOf(address, prefixOf(part) ?? 0);
  if (destination.value !== address.value) {
    const hint = destination.prefix === 0
      ? `Add prefix='${address.family === "ipv4" ? 24 : 64}'`
      : `Write address='${formatAddress(destination)}'`;
    const given = formatSubnet({ ...destination, value: address.value });
    refuse(part, `Route to "${given}" names an address inside a network, not a network`, hint);
  }
  if (decimal(part, "metric", UNSIGNED_INT_MAX) === 0) {
    refuse(part, '<route> has metric "0", wanted at least 1', "Write metric='1'");
  }
  return { destination, gateway };
}

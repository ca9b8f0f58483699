/** Where a FreeBSD host sends what it got: to itself, or out by an interface. */
import { contains, type IpAddress, isLinkLocal, parseSubnet } from "../../../core/address.ts";
import type { HostSetup } from "./pf_host.ts";
import { broadcastsOf, hostsOf } from "./pf_matching.ts";
import type { Packet } from "../packets/packet.ts";

/** Whether it is one of the addresses that are not routed, RFC 3927 and RFC 4291. */
export function isLinkLocalAddress(address: IpAddress): boolean {
  return isLinkLocal({ ...address, prefix: address.family === "ipv4" ? 32 : 128 });
}

/** Whether the packet is from or to an address of `lo0`. */
export function hasLoopback({ source, destination }: Packet): boolean {
  return [source, destination].some((one) => one.family === "ipv4" && one.value >> 24n === 127n);
}

const MULTICAST = ["224.0.0.0/4", "255.255.255.255/32", "ff00::/8"].map(parseSubnet);

/** Its own addresses on any interface, broadcasts, and multicast, which it does not route. */
export function isForHost(setup: HostSetup, address: IpAddress): boolean {
  const addresses = Object.values(setup.interfaces).flatMap((each) => each.addresses);
  return isOwn(setup, address) ||
    [...broadcastsOf(addresses), ...MULTICAST]
      .some((each) => each !== undefined && contains(each, address));
}

/** An address that the host has. */
export function isOwn({ interfaces }: HostSetup, address: IpAddress): boolean {
  return hostsOf(Object.values(interfaces).flatMap((each) => each.addresses))
    .some((each) => contains(each, address));
}

/** By the longest prefix, of the interfaces' subnets and of the routes. */
export function routeTo(
  { interfaces, routes = {} }: HostSetup,
  to: IpAddress,
): string | undefined {
  const connected = Object.entries(interfaces)
    .flatMap(([name, { addresses }]) => addresses.map((text) => [text, name] as const));
  return [...connected, ...Object.entries(routes)]
    .map(([text, name]) => ({ subnet: parseSubnet(text), name }))
    .filter(({ subnet }) => subnet !== undefined && contains(subnet, to))
    .toSorted((one, other) => (other.subnet?.prefix ?? 0) - (one.subnet?.prefix ?? 0))[0]?.name;
}

/** Network → Policy. */
import { type Family, isLinkLocal, withoutContained } from "../address.ts";
import type { Forward, Network } from "../network/network.ts";
import { isEverything } from "../network/subnets.ts";
import type { FamilyPolicy, FilteredPolicy, Forwarding, NetworkPolicy } from "./policy.ts";

/** A network whose bridge is known: named by the definition, or generated. */
export interface PlacedNetwork {
  /** A bridge of its own is named in its definition too, so that the record names it. */
  readonly network: Network;
  /** The interface name of the bridge; not used by the bridged modes. */
  readonly bridge: string;
}

/**
 * Says what must be true for the traffic of a network.
 *
 * The modes mean what libvirt's documentation of `<forward>` says, with two promises that libvirt
 * does not keep: an isolated guest reaches no other network, and networks behind a guest
 * (`<route>`) are part of the network.
 */
export function derivePolicy({ network, bridge }: PlacedNetwork): NetworkPolicy {
  const { name, forward } = network;
  const zone = network.bridge.zone === undefined ? {} : { zone: network.bridge.zone };
  switch (forward.mode) {
    case "isolated":
    case "nat":
    case "route":
      return { ...filteredPolicy(network, forward, bridge), ...zone };
    case "open":
      return {
        kind: "open",
        network: name,
        mode: "open",
        bridge,
        ...zone,
        forwarding: familiesOf(network),
      };
    case "bridge":
    case "private":
    case "vepa":
    case "passthrough":
    case "hostdev":
      return { kind: "bridged", network: name, mode: forward.mode };
  }
}

type FilteredForward = Extract<Forward, { readonly mode: FilteredPolicy["mode"] }>;

function filteredPolicy(
  network: Network,
  forward: FilteredForward,
  bridge: string,
): FilteredPolicy {
  const families = familiesOf(network);
  const ipv4 = network.addresses.filter(({ address }) => address.family === "ipv4");
  const ipv6 = network.addresses.filter(({ address }) => address.family === "ipv6");
  return {
    kind: "filtered",
    network: network.name,
    mode: forward.mode,
    bridge,
    families: families.map((family) => familyPolicy(network, forward, family)),
    guestsOverIpv6: network.ipv6 || families.includes("ipv6"),
    services: {
      dhcp: ipv4.some(({ dhcp }) => dhcp),
      dhcpv6: ipv6.length > 0,
      dns: network.addresses.length > 0,
      tftp: ipv4.some(({ tftp }) => tftp),
    },
  };
}

function familiesOf(network: Network): readonly Family[] {
  return (["ipv4", "ipv6"] as const).filter((family) =>
    network.addresses.some(({ address }) => address.family === family)
  );
}

function familyPolicy(network: Network, forward: FilteredForward, family: Family): FamilyPolicy {
  const addresses = network.addresses.filter(({ address }) => address.family === family);
  const [first] = addresses;
  const routed = network.routes.map(({ destination }) => destination)
    .filter((destination) => destination.family === family && !isEverything(destination));
  return {
    family,
    subnets: withoutContained([...addresses.map(({ subnet }) => subnet), ...routed]),
    // What has a link-local source is not routed, and two networks may have the same address there.
    hostAddresses: addresses.filter(({ subnet }) => !isLinkLocal(subnet))
      .map(({ address }) => address),
    forwarding: forwardingOf(forward, family),
    published: network.published.filter(({ guest }) => guest.family === family),
    ...(first === undefined ? {} : { place: first.place }),
  };
}

function forwardingOf(forward: FilteredForward, family: Family): Forwarding {
  if (forward.mode === "isolated") return { direction: "none" };
  const device = forward.device === undefined ? {} : { device: forward.device };
  if (forward.mode === "route" || (family === "ipv6" && !forward.ipv6)) {
    return { direction: "both", ...device };
  }
  // The address range is for IPv4 alone: libvirt has no IPv6 form of it.
  const addresses = family === "ipv4" && forward.addresses !== undefined
    ? { addresses: forward.addresses }
    : {};
  return { direction: "replies", ...device, translation: { ports: forward.ports, ...addresses } };
}

/** What must be true for one network's traffic, in no firewall's words. */
import type { AddressRange, Family, IpAddress, Subnet } from "../address.ts";
import type { BridgedMode, PortRange } from "../network/network.ts";
import type { SourcePlace } from "../network/network_error.ts";
import type { PublishedPort } from "../network/published_port.ts";

/** One network's policy, or that of the prefixes that belong to none. */
export type Policy = NetworkPolicy | MasqueradePolicy;

/** One network's policy. */
export type NetworkPolicy = FilteredPolicy | OpenPolicy | BridgedPolicy;

/** What backends compile. */
export type CompiledPolicy = FilteredPolicy | MasqueradePolicy;

/** The host filters and perhaps translates: modes `isolated`, `nat` and `route`. */
export interface FilteredPolicy {
  /** The only kind that backends compile. */
  readonly kind: "filtered";
  /** The network's name: any characters, for comments and messages only. */
  readonly network: string;
  /** To tell people; what it means is said by `families`. */
  readonly mode: "isolated" | "nat" | "route";
  /** The interface that the guests are on, such as `virbr0`. */
  readonly bridge: string;
  /** The firewalld zone that the definition asks for. */
  readonly zone?: string;
  /** At most one entry for each family; a family without an entry is not forwarded at all. */
  readonly families: readonly FamilyPolicy[];
  /** True when guests may talk IPv6 among themselves: an address of the host's, or `ipv6='yes'`. */
  readonly guestsOverIpv6: boolean;
  /** They need no rule: what guests send to the host itself is not forwarded. */
  readonly services: HostServices;
}

/** The administrator wants no rule: the mode `open`. */
export interface OpenPolicy {
  /** On record and perhaps forwarded, but without rules. */
  readonly kind: "open";
  /** The network's name: any characters, for messages only. */
  readonly network: string;
  /** libvirt's word for it, to tell people. */
  readonly mode: "open";
  /** The interface that the guests are on, such as `virbr0`. */
  readonly bridge: string;
  /** The firewalld zone that the definition asks for. */
  readonly zone?: string;
  /** The families that the host has to forward. */
  readonly forwarding: readonly Family[];
}

/** Guests use a network of somebody else: there is nothing for a host firewall to decide. */
export interface BridgedPolicy {
  /** Neither rules nor a record. */
  readonly kind: "bridged";
  /** The network's name: any characters, for messages only. */
  readonly network: string;
  /** How guests share the other network, to tell people. */
  readonly mode: BridgedMode;
}

/**
 * Translation for prefixes of no network. What leaves a prefix gets the address of the interface that it
 * leaves by as its source; nothing is let through or stopped. What goes to another address of the same
 * prefix, or to {@linkcode NEVER_TRANSLATED}, stays as it is.
 */
export interface MasqueradePolicy {
  /** No network: there is one at most, for all prefixes. */
  readonly kind: "masquerade";
  /** What its record is called: no network has a slash in its name. */
  readonly network: typeof MASQUERADE;
  /** At most one entry for each family. */
  readonly families: readonly {
    readonly family: Family;
    /**
     * What is wanted, without what lies inside another one: sorted, apart from one another. At least
     * one, none of them everything.
     */
    readonly prefixes: readonly Subnet[];
  }[];
}

/** Whether it is that of a network with rules. */
export function isFiltered(policy: Policy): policy is FilteredPolicy {
  return policy.kind === "filtered";
}

/** The name of {@linkcode MasqueradePolicy}. */
export const MASQUERADE = "/masquerade";

/** What one address family of a filtered network may do. */
export interface FamilyPolicy {
  /** All addresses here are of this family. */
  readonly family: Family;
  /** `NETS`: where the guests are, none inside another. At least one. */
  readonly subnets: readonly Subnet[];
  /** The host's own addresses on the bridge that packets can be routed from. */
  readonly hostAddresses: readonly IpAddress[];
  /** Direction `none`: guests of this family stay among themselves. */
  readonly forwarding: Forwarding;
  /**
   * Ports of the host that lead to guests, whoever asks: the outside, the host, guests of this network
   * and of others that let them out. What else is forbidden stays so.
   */
  readonly published: readonly PublishedPort[];
  /** Where its first address is defined, for a backend that cannot take the family. */
  readonly place?: SourcePlace;
}

/** What passes between the guests and everything beyond their bridge. */
export type Forwarding =
  | { readonly direction: "none" }
  | {
    /** `replies`: only the guests open connections; `both`: others may as well. */
    readonly direction: "replies" | "both";
    /** The only interface that such traffic may use; absent: any. */
    readonly device?: string;
    readonly translation?: Translation;
  };

/** How packets that leave `NETS` get a source address of the host's. */
export interface Translation {
  /** Absent: the address of the interface that the packet leaves by. */
  readonly addresses?: AddressRange;
  /** Source ports for TCP and UDP; other protocols have none. */
  readonly ports: PortRange;
}

/** What the host itself offers to the guests on the bridge. */
export interface HostServices {
  /** Over IPv4: an `<ip>` of the network has a `<dhcp>` with a range or a host. */
  readonly dhcp: boolean;
  /** True with any IPv6 address of the host's, as in libvirt. */
  readonly dhcpv6: boolean;
  /** True with any address of the host's, as in libvirt. */
  readonly dns: boolean;
  /** Files for network boot, over IPv4 only. */
  readonly tftp: boolean;
}

/**
 * Destinations that are never translated: they do not leave the link.
 *
 * The local multicast block (RFC 5771), the limited broadcast (RFC 919) and IPv6 link-local
 * multicast (RFC 4291), as in libvirt.
 */
export const NEVER_TRANSLATED: Readonly<Record<Family, readonly string[]>> = {
  ipv4: ["224.0.0.0/24", "255.255.255.255/32"],
  ipv6: ["ff02::/16"],
};

/** The families that the host has to forward for this policy. */
export function forwardedFamilies(policy: Policy): readonly Family[] {
  switch (policy.kind) {
    case "filtered":
      return policy.families.filter(({ forwarding, published }) =>
        forwarding.direction !== "none" || published.length > 0
      ).map(({ family }) => family);
    case "masquerade":
      return policy.families.map(({ family }) => family);
    case "open":
      return policy.forwarding;
    case "bridged":
      return [];
  }
}

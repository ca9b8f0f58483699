/** The network definition as values: what libvirt's `<network>` XML says, defaults filled in. */
import type { XmlElement } from "@std/xml";
import type { AddressRange, IpAddress, Subnet } from "../address.ts";
import type { SourcePlace } from "./network_error.ts";
import type { PublishedPort } from "./published_port.ts";

/** How guests of the network reach others; the words are libvirt's, `isolated` is no `<forward>`. */
export type Forward =
  | { readonly mode: "isolated" }
  | {
    readonly mode: "nat";
    /** The only interface that guests may leave by; absent: any. */
    readonly device?: string;
    /** True: IPv6 is translated as well; false: IPv6 is routed. */
    readonly ipv6: boolean;
    /** IPv4 source addresses of translated packets; absent: that of the outgoing interface. */
    readonly addresses?: AddressRange;
    readonly ports: PortRange;
  }
  | { readonly mode: "route"; readonly device?: string }
  | { readonly mode: "open" }
  | { readonly mode: BridgedMode };

/** Modes in which guests use a network of somebody else: no rule of the host's applies. */
export type BridgedMode = "bridge" | "private" | "vepa" | "passthrough" | "hostdev";

/** Any forward mode. */
export type ForwardMode = Forward["mode"];

/** Whether a network of that mode has a bridge of its own, which no other network may use. */
export function makesBridge(mode: ForwardMode): boolean {
  switch (mode) {
    case "isolated":
    case "nat":
    case "route":
    case "open":
      return true;
    case "bridge":
    case "private":
    case "vepa":
    case "passthrough":
    case "hostdev":
      return false;
  }
}

/** Ports from 0 to 65535; both ends belong to the range. */
export interface PortRange {
  /** At least 1 in a definition: packets that leave from port 0 get no answer. */
  readonly start: number;
  /** Above `start` in a definition: libvirt wants two ports or more. */
  readonly end: number;
}

/** `start-end`, or one port where both are the same. */
export function formatPorts({ start, end }: PortRange): string {
  return start === end ? String(start) : `${start}-${end}`;
}

/** The source ports of translated packets unless `<port>` says otherwise, as in libvirt. */
export const DEFAULT_NAT_PORTS: PortRange = { start: 1024, end: 65535 };

/** `<bridge>`. */
export interface Bridge {
  /**
   * The interface name; absent when `<bridge>` or its name is. A name with `%d` is a template:
   * see {@linkcode isBridgeTemplate}.
   */
  readonly name?: string;
  /** The firewalld zone to put the bridge into. */
  readonly zone?: string;
}

/** Whether the name asks for a generated one: the number goes where `%d` stands. */
export function isBridgeTemplate(name: string): boolean {
  return name.includes("%d");
}

/** One `<ip>`. */
export interface NetworkAddress {
  /** The host's own address on the bridge. */
  readonly address: IpAddress;
  /** By prefix or netmask; without either, by the address's class (RFC 791), or /64. */
  readonly subnet: Subnet;
  /** True when the host answers DHCP there: a `<range>` or a `<host>` in `<dhcp>`. */
  readonly dhcp: boolean;
  /** True when the host serves files there: `<tftp root=…>`. */
  readonly tftp: boolean;
  /** Where it is defined, for those who cannot take it. */
  readonly place: SourcePlace;
}

/** One `<route>`: a network behind a guest. */
export interface NetworkRoute {
  /** Everything when the element has neither prefix nor netmask. */
  readonly destination: Subnet;
  /** The guest's address; it lies in the subnet of one of the network's addresses. */
  readonly gateway: IpAddress;
}

/** One `<network>`. */
export interface Network {
  /** 1 or more characters, any but `/` and line breaks. Never to be used as an identifier. */
  readonly name: string;
  /** 32 lower-case hex digits in the usual groups; absent when the definition has none. */
  readonly uuid?: string;
  /** True: guests may talk IPv6 among themselves although the host has no address there. */
  readonly ipv6: boolean;
  /**
   * Mode `isolated` when there is no `<forward>`. Of a network that libvirt leaves open, what
   * `<bridgewall:forward>` says, if there is one.
   */
  readonly forward: Forward;
  /** In bridged modes that of somebody else, if any. */
  readonly bridge: Bridge;
  /** Any number of either family; empty when the host is no part of the network. */
  readonly addresses: readonly NetworkAddress[];
  /** Networks behind guests; their addresses count as guests' own. */
  readonly routes: readonly NetworkRoute[];
  /** No two of them want the same packets; empty in modes that have no rules. */
  readonly published: readonly PublishedPort[];
  /** The definition as it was read, with the elements this program does not know. */
  readonly source: XmlElement;
}

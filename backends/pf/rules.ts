/** What an anchor of pf holds, as values: `script.ts` writes them. */
import type { Subnet } from "../../core/address.ts";
import type { PortRange } from "../../core/network/network.ts";

/** Addresses that belong to a table, or do not although a wider entry holds them. */
export interface TableEntry {
  /** IPv4. */
  readonly subnet: Subnet;
  /** True: written with a `!`. */
  readonly isExcluded: boolean;
}

/** A list of addresses that rules name. The most specific entry decides. */
export interface Table {
  /** At most 31 characters. */
  readonly name: TableName;
  /** No two for the same subnet. */
  readonly entries: readonly TableEntry[];
  /** True: it stays when no rule names it any more. */
  readonly persists: boolean;
}

/**
 * `natdst`: where translated packets go; with the name of a prefix behind it, those of that prefix.
 * `subnets`: all addresses of the network. `guests`: the same without the host's own. `elsewhere`: what
 * guests reach by leaving their bridge.
 */
export type TableName = "natdst" | `natdst-${string}` | "subnets" | "guests" | "elsewhere";

/**
 * What a rule compares an address with. `self`: what the host has when the packet comes; `broadcast`: the
 * broadcast addresses that belong to it.
 */
export type Endpoint =
  | "any"
  | "self"
  | "broadcast"
  | Subnet
  | { readonly allBut: Subnet }
  | { readonly table: TableName; readonly isExcluded?: boolean };

/**
 * What rules write on packets, for rules that meet the same packet later: at most 63 letters, digits and
 * `. _ - @ :`.
 */
export type Tag = string;

/** The interfaces that a rule is for. */
export interface OnInterface {
  /** A name; absent: any interface. */
  readonly device?: string;
  /** True: any interface but that one. */
  readonly isElsewhere?: boolean;
}

/**
 * What becomes of the addresses of packets. In an anchor the first that matches decides. Over all anchors it
 * is the first as well, in FreeBSD 15 the last: so packets that match rules of two are the exception.
 */
export type TranslationRule = NatRule | SourceRule | NatExemption | Redirection | RedirectionAnchor;

/** Translates the source of packets that leave, and lets them pass there. */
export interface NatRule {
  /** Written `nat pass`. */
  readonly kind: "nat pass";
  /** The interface that they leave by: a name. */
  readonly device: string;
  /** Packets with a source in it. */
  readonly from: Subnet;
  /** Absent: the address that the interface has when the packet leaves. */
  readonly pool?: readonly Subnet[];
  /** The source ports that TCP and UDP get. */
  readonly ports: PortRange;
}

/** Translates the source of packets that leave; the filter decides whether they do. */
export interface SourceRule {
  /** Written `nat`. */
  readonly kind: "nat";
  /** The interface that they leave by: a name. */
  readonly device: string;
  /** As in {@linkcode FilterRule}. */
  readonly from: Endpoint;
  /** As in {@linkcode FilterRule}. */
  readonly to: Endpoint;
  /** As in {@linkcode FilterRule}. */
  readonly tagged?: Tag;
  /** A single address; absent: the one that the interface has when the packet leaves. */
  readonly address?: Subnet;
}

/**
 * Packets with that tag are not translated, whatever rules come later. Not for FreeBSD 15, where it says
 * nothing to other anchors, and beside a rule of one that has no free port makes the kernel panic.
 */
export interface NatExemption {
  /** Written `no nat`. */
  readonly kind: "no nat";
  /** As in {@linkcode FilterRule}. */
  readonly family?: FilterRule["family"];
  /** As in {@linkcode FilterRule}. */
  readonly tagged: Tag;
}

/** Sends packets that come in to another address, and to other ports. */
export interface Redirection extends OnInterface {
  /** Written `rdr`. */
  readonly kind: "rdr";
  /** Protocols of which pf knows the ports, in every version. */
  readonly protocol: "tcp" | "udp";
  /** Where they were sent to. */
  readonly to: Endpoint;
  /** The ports that they were sent to. */
  readonly ports: PortRange;
  /** Written on them: what leads to guests only where it was redirected asks for it. */
  readonly tag: Tag;
  /** Where they go. */
  readonly target: Subnet;
  /** As many as `ports`, the first for the first. */
  readonly targetPorts: PortRange;
}

/** Calls the redirections of an anchor below this one, for some packets. */
export interface RedirectionAnchor extends OnInterface {
  /** Written `rdr-anchor`. */
  readonly kind: "rdr-anchor";
  /** Its name, without the path of this one. */
  readonly name: string;
  /** Where they were sent to. */
  readonly to: Endpoint;
}

/** Passes or blocks, and ends the search: whatever rules follow elsewhere, this one decides. */
export interface FilterRule extends OnInterface {
  /** `block return` answers, `block drop` is silent. */
  readonly action: "pass" | "block return" | "block drop";
  /** Absent: both. */
  readonly direction?: "in" | "out";
  /** Absent: both. */
  readonly family?: "inet" | "inet6";
  /** Absent: any protocol. */
  readonly transport?: {
    readonly protocol: "tcp" | "udp";
    /** Absent: any port. */
    readonly sourcePort?: number;
    readonly destinationPorts: PortRange;
  };
  /** What the source is compared with. */
  readonly from: Endpoint;
  /** What the destination is compared with. */
  readonly to: Endpoint;
  /**
   * What makes a state, so that all that belongs to it passes on this interface: `first` packets of TCP
   * connections and any other packet, or `any` packet, so that connections go on whose beginning nobody
   * saw. Absent: none, and for `block` never.
   */
  readonly state?: "first" | "any";
  /** True: IP options pass too, which IGMP and MLD have (Router Alert, RFC 2236, RFC 2710). */
  readonly allowsOptions?: boolean;
  /**
   * Whose rule it is, and what for: pf counts by it. At most 63 letters, digits, spaces and `. _ - @ :`.
   * A rule with a label is also left by the optimizer of pfctl as and where it is.
   */
  readonly label: string;
  /** Written on packets that pass, in the place of any other. */
  readonly tag?: Tag;
  /** Only packets match that have it. */
  readonly tagged?: Tag;
  /** Only packets match that do not have it. */
  readonly notTagged?: Tag;
}

/** One anchor and all that it holds. */
export interface Anchor {
  /** From the main ruleset down: `bridgewall/default`. At most 63 bytes. */
  readonly path: string;
  /** Seen by the rules of this anchor alone. */
  readonly tables: readonly Table[];
  /** Of each kind, the first that matches decides. What changes sources comes before redirections. */
  readonly translation: readonly TranslationRule[];
  /** The first that matches decides: all are quick. */
  readonly filter: readonly FilterRule[];
}

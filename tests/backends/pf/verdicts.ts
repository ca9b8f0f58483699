/** What the oracle says of a packet, and why. */
import type { AddressRange, IpAddress } from "../../../core/address.ts";
import type { PortRange } from "../../../core/network/network.ts";

/** The source that the receiver sees is one of these; the ports are for TCP and UDP. */
export interface Translated {
  readonly addresses: AddressRange;
  readonly ports: PortRange;
}

/** What must happen, and why. */
export type Verdict =
  | {
    readonly kind: "arrives";
    /** `host`, `neighbour`, or the interface that it leaves by. */
    readonly at: string;
    /** Absent: the source is what it was. */
    readonly as?: Translated;
    /** Absent: the destination is what it was. */
    readonly to?: { readonly address: IpAddress; readonly port: number };
    readonly because: string;
  }
  | { readonly kind: "stops"; readonly because: string }
  /** Either is right: the networks do not decide it. */
  | { readonly kind: "open"; readonly because: string };

/** What the modes mean. */
export const POLICY = {
  neighbours: "Guests of one bridge reach one another",
  host: "Guests reach the host",
  reached: "The host reaches its guests",
  dhcp: "A guest without an address may ask for one",
  strangers: "Guests without addresses in the definition have one another and the host, no more",
  isolated: "Isolated guests reach nothing beyond their bridge but the host",
  foreign: "A guest that sends with a source outside of its network is rejected",
  disguised: "A guest that says to be the host is rejected beyond its bridge",
  device: "Where a network has a forward device, its guests use that one only",
  routed: "Guests of a routed network leave with their own address",
  translated: "Guests of a nat network leave with an address and a port of its translation",
  crosses: "From one network to another passes what the one lets out and the other lets in",
  parted: "A network that lets nobody in, or by one device only, lets no other network in",
  entered: "The outside opens connections to guests of a routed network",
  unasked: "Nobody else opens connections to guests, nor by another than their forward device",
  spoofed: "Who comes from outside with the address of a guest is no guest",
  published: "A published port of the host leads to its guest, whoever asks",
  returned: "Guests reach what their own network publishes, as the host",
} as const;

/** Where pf does not do what the modes mean, or leaves it to the main ruleset. */
export const DIFFERENCES = {
  unseen: "Guests of one bridge have no firewall between them where pf does not see the bridge",
  oneWay: "A nat network without forward device leaves by the interface of the default route only",
  untranslated: "Other networks of ours see the guests of a nat network as they are",
  isolatedHost: "Isolated guests reach the host at its addresses in their own subnets only",
  hostElsewhere: "Only from there does the host reach guests of a nat or isolated network",
  secondUplink: "By an uplink that its network does not use, the address of a guest is known for " +
    "false where it is sent to its neighbours only",
  foreignNeighbour: "Where pf sees a bridge, its guests use addresses of their network only",
  members: "On members of a bridge the main ruleset decides about addresses that are no guest's, " +
    "and what it passes with state passes on the bridge too",
  taken: "Where pf sees a bridge, its guests cannot use the addresses of another network",
  directed: "The broadcast address of another network is nobody's",
  misdirected: "A frame to a neighbour that is for a published port of the host is nobody's",
  hostAsks: "The host reaches what it publishes only where pf sees what it takes for itself",
  posing:
    "Where pf of FreeBSD 15 sees a bridge, guests without addresses in the definition leave " +
    "it with the address of a translated guest",
  others: "What is neither from a guest nor for one is the affair of the main ruleset",
  hostAddress: "What has the host's own address on a bridge as its source is the affair of the " +
    "main ruleset on other interfaces",
} as const;

/** It comes there as it was sent. */
export const arrives = (at: string, because: string): Verdict => ({ kind: "arrives", at, because });
/** It comes nowhere. */
export const stops = (because: string): Verdict => ({ kind: "stops", because });
/** Either is right. */
export const open = (because: string): Verdict => ({ kind: "open", because });

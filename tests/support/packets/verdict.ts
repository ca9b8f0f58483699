/** What the model says of a packet, and why. */
import type { AddressRange, IpAddress } from "../../../core/address.ts";
import type { PortRange } from "../../../core/network/network.ts";

/** The source that the receiver sees: one of these; the ports are for TCP and UDP. */
export interface Translated {
  readonly addresses: readonly AddressRange[];
  readonly ports: PortRange;
}

/** Where a packet is redirected to. */
export interface Redirected {
  readonly address: IpAddress;
  readonly port: number;
}

/** What must happen, and why. */
export type Verdict =
  | {
    readonly kind: "arrives";
    /** `host`, or the interface that it leaves by. */
    readonly at: string;
    /** Absent: the source is what it was. */
    readonly as?: Translated;
    /** Absent: the destination is what it was. */
    readonly to?: Redirected;
    readonly because: string;
  }
  /** Who sent it is told so, where that is possible. */
  | { readonly kind: "is rejected"; readonly because: string }
  /** Whether anybody is told is nobody's business. */
  | { readonly kind: "stops"; readonly because: string }
  /** Either is right: the networks do not decide it. */
  | { readonly kind: "open"; readonly because: string };

/** What the modes mean. */
export const POLICY = {
  neighbours: "Guests of one bridge reach one another",
  host: "Guests and others reach the host",
  reached: "The host reaches its guests",
  others: "What is neither from a guest nor for one passes as it did before",
  strangers: "What guests send of a family that their network has no address of is not forwarded",
  foreign: "A guest that sends with a source outside of its network is rejected",
  isolated: "Isolated guests reach nothing beyond their bridge but the host",
  device: "Where a network has a forward device, its guests use that one only",
  routed: "Guests of a routed network leave with their own address",
  translated: "Guests of a nat network leave with an address and a port of its translation",
  untranslatable: "What cannot be translated does not leave a nat network",
  crosses: "From one network to another passes what the one lets out and the other lets in",
  parted: "A network that lets nobody in, or by one device only, lets no other network in",
  entered: "The outside opens connections to guests of a routed network",
  unasked: "Nobody else opens connections to guests, nor by another than their forward device",
  published: "A published port of the host leads to its guest, whoever asks",
  returned: "Guests and 127.0.0.1 reach what their own bridge publishes, as the host",
  loopback: "127.0.0.0/8 belongs to the host alone",
  posing:
    "The host with its address on a bridge is translated like a guest where it leaves the network",
} as const;

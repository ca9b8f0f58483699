/** Where pf does not do what the policies say, or leaves it to the main ruleset. */
import type { Verdict } from "../../support/packets/verdict.ts";

/** Sentences beside those of the policies. */
export const DIFFERENCES = {
  dhcp: "A guest without an address may ask for one",
  disguised: "A guest that says to be the host is rejected beyond its bridge",
  spoofed: "Who comes from outside with the address of a guest is no guest",
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

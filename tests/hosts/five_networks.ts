/** A host with a network of each kind, for what concerns several networks and backends at once. */
import { assertEquals } from "@std/assert";
import type { BackendUnderTest } from "./backends.ts";
import { type FirewallParts, firewallParts } from "./ruleset.ts";
import { testNetwork } from "./test_network.ts";

/** IPv4 translated, IPv6 routed; the host answers DHCP. */
export const NAT = testNetwork(101, "a-nat", { forward: '<forward mode="nat"/>', dhcp: true });
/** Only by the first uplink. */
export const DEVICE = testNetwork(102, "b-device", { forward: '<forward mode="nat" dev="eth0"/>' });
/** Reached as it is. */
export const ROUTE = testNetwork(103, "c-route", { forward: '<forward mode="route"/>' });
/** Reached by nobody. */
export const ISOLATED = testNetwork(104, "d-isolated", { dhcp: true });
/** Both families translated. */
export const NAT66 = testNetwork(105, "e-nat66", {
  forward: '<forward><nat ipv6="yes"/></forward>',
});

/** All of them, in the order of their names. */
export const FIVE = [NAT, DEVICE, ROUTE, ISOLATED, NAT66] as const;

/** The table of the nftables backend, as nft lists it. */
const OUR_TABLE = /^table inet bridgewall \{\n[\s\S]*?^\}\n/m;

/**
 * Nothing of any backend but this one is on the host.
 *
 * @param before What stood when none of ours did.
 */
export async function proveAlone(
  host: string,
  before: FirewallParts,
  { name }: BackendUnderTest,
): Promise<void> {
  const { nft, legacy, iptablesNft, tc } = await firewallParts(host);
  if (name !== "iptables-legacy") assertEquals(legacy, before.legacy, "iptables-legacy");
  if (name !== "iptables-nft") {
    assertEquals(iptablesNft, before.iptablesNft, "iptables-nft");
    assertEquals(nft.replace(OUR_TABLE, ""), before.nft, "nft, but for our table");
  }
  if (name !== "nftables") {
    assertEquals(nft.match(OUR_TABLE)?.[0], undefined, "our table");
    assertEquals(tc, before.tc, "tc");
  }
}

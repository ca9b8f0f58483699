/**
 * What arrived in a namespace, written down by its own kernel: source, destination, protocol and
 * size of each packet that came in from outside. Needs no listening program and no timing.
 */
import { mustRun } from "./run_program.ts";

/** One kind of packet that arrived. */
export interface Arrival {
  readonly source: string;
  readonly destination: string;
  /** `icmp`, `tcp`, `udp`, `ipv6-icmp`. */
  readonly protocol: string;
  /** Bytes as the IP header counts them: with that header for IPv4, without it for IPv6. */
  readonly size: number;
}

const RULES = `table inet witness {
  set arrivals4 {
    typeof ip saddr . ip daddr . meta l4proto . ip length
    flags dynamic; size 65535
  }
  set arrivals6 {
    typeof ip6 saddr . ip6 daddr . meta l4proto . ip6 length
    flags dynamic; size 65535
  }
  chain arriving {
    type filter hook input priority -300; policy accept;
    iifname "lo" accept
    icmp type != { echo-request, echo-reply } accept
    icmpv6 type != { echo-request, echo-reply } accept
    add @arrivals4 { ip saddr . ip daddr . meta l4proto . ip length }
    add @arrivals6 { ip6 saddr . ip6 daddr . meta l4proto . ip6 length }
  }
}
`;

/** Starts the writing down; ends with the namespace. */
export async function startWitness(namespace: string): Promise<void> {
  await mustRun(["nft", "-f", "-"], { namespace, stdin: RULES });
}

/** Ends it, and forgets what was written down. */
export async function stopWitness(namespace: string): Promise<void> {
  await mustRun(["nft", "delete", "table", "inet", "witness"], { namespace });
}

/** What arrived since the start, in no order, the same only once. */
export async function arrivals(namespace: string): Promise<readonly Arrival[]> {
  const listing = await mustRun(["nft", "-j", "list", "table", "inet", "witness"], { namespace });
  const { nftables } = JSON.parse(listing) as { nftables: readonly NftObject[] };
  const elements = nftables.flatMap((object) => object.set?.elem ?? []);
  return elements.map(({ concat: [source, destination, protocol, size] }) => ({
    source,
    destination,
    protocol: String(protocol),
    size,
  }));
}

interface NftObject {
  readonly set?: { readonly elem?: readonly NftElement[] };
}

interface NftElement {
  readonly concat: readonly [string, string, string, number];
}

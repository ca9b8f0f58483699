/** Packets that have something to do with networks. */
import fc from "fast-check";
import { formatAddress, type IpAddress, rangeOf } from "../../../core/address.ts";
import { parseNetwork } from "../../../core/network/parse_network.ts";
import { derivePolicy } from "../../../core/policy/derive_policy.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { address } from "../definitions.ts";
import { type Packet, packet, type ProtocolName } from "./packet.ts";

/** Texts of addresses of IPv4. */
export type Addresses = fc.Arbitrary<string>;

/** Guests that have no address from the definition. */
export const STRANGERS: readonly IpAddress[] = ["169.254.7.7", "169.254.7.8"].map(address);

/** Those of the host beyond its bridges. */
export const AT_UPLINKS: readonly IpAddress[] = ["203.0.113.2", "192.0.2.2"].map(address);

/** Where others are, by the interface that leads to them. */
export const OUTSIDE: Readonly<Record<string, Addresses>> = {
  re0: fc.constantFrom("203.0.113.200", "192.0.9.9", "172.16.0.1"),
  em1: fc.constantFrom("192.0.2.200", "192.0.3.9"),
};

/** One of these. */
export function oneOf(...addresses: readonly IpAddress[]): Addresses {
  return fc.constantFrom(...addresses).map(formatAddress);
}

/** What is true for a network with a bridge. */
export function policyOf(definition: string): FilteredPolicy {
  const network = parseNetwork(definition, "test.xml");
  const policy = derivePolicy({ network, bridge: network.bridge.name ?? "" });
  if (policy.kind !== "filtered") throw new Error(`${policy.kind}: ${definition}`);
  return policy;
}

/** The ends of the subnets, an address in the middle, and the host's. */
export function inside({ families }: FilteredPolicy): readonly IpAddress[] {
  const near = families.flatMap(({ subnets }) => subnets).flatMap((one) => {
    const { start, end } = rangeOf(one);
    const middle = (start.value + end.value) / 2n;
    return [start, { ...start, value: middle }, { ...end, value: end.value - 1n }, end];
  });
  return [...near, ...families.flatMap(({ hostAddresses }) => hostAddresses)];
}

/** What is next to the subnets on both sides. */
export function beside({ families }: FilteredPolicy): readonly IpAddress[] {
  return families.flatMap(({ subnets }) => subnets).flatMap((one) => {
    const { start, end } = rangeOf(one);
    return [{ ...start, value: start.value - 1n }, { ...end, value: end.value + 1n }];
  });
}

const PORTS = fc.oneof(
  fc.constantFrom(1, 53, 67, 68, 443, 1024, 65535),
  fc.integer({ min: 1, max: 65535 }),
);

/** Protocol, and the port of each end; for an echo its id, and 0 where there is none. */
const PROBES: fc.Arbitrary<readonly [ProtocolName, number, number]> = fc.oneof(
  fc.tuple(fc.constantFrom("tcp", "udp"), PORTS, PORTS),
  PORTS.map((id) => ["icmp", id, id] as const),
  fc.constantFrom("gre", "esp").map((protocol) => [protocol, 0, 0] as const),
);

/** Any from here to there. */
export function packets(from: Addresses, to: Addresses): fc.Arbitrary<Packet> {
  const end = (text: string, port: number): string => port === 0 ? text : `${text}:${port}`;
  return fc.tuple(PROBES, from, to).map(([[protocol, port, other], source, destination]) =>
    packet(protocol, end(source, port), end(destination, other))
  );
}

/** Packets that have something to do with some networks: for property tests of iptables. */
import fc from "fast-check";
import { type Family, type IpAddress, rangeOf } from "../../../core/address.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { addressesOf } from "../../support/arbitrary.ts";
import type { Packet } from "./packets.ts";

/** What conntrack says of packets: without a connection there is no status. */
const CONNECTIONS: fc.Arbitrary<Pick<Packet, "states" | "statuses">> = fc.oneof(
  fc.constantFrom("INVALID", "UNTRACKED").map((state) => ({ states: [state], statuses: [] })),
  fc.record({
    states: fc.tuple(
      fc.constantFrom("NEW", "RELATED", "ESTABLISHED"),
      fc.subarray(["SNAT", "DNAT"]),
    ).map(([state, more]) => [state, ...more]),
    statuses: fc.subarray(["CONFIRMED", "EXPECTED"]),
  }),
);

/** Packets of the family between, into and out of the networks, and some that pass them by. */
export function packetsOf(
  policies: readonly FilteredPolicy[],
  family: Family,
): fc.Arbitrary<Packet> {
  const own = policies.flatMap(({ families }) => families).filter((one) => one.family === family);
  const devices = own.flatMap(({ forwarding }) =>
    forwarding.direction === "none" || forwarding.device === undefined ? [] : [forwarding.device]
  );
  const interfaces = fc.constantFrom(
    ...policies.map(({ bridge }) => bridge),
    ...devices,
    "eth9",
  );
  const near = own.flatMap(({ subnets }) => subnets).flatMap((subnet): readonly IpAddress[] => {
    const { start, end } = rangeOf(subnet);
    return [start, end, { family, value: (start.value + end.value) / 2n }];
  });
  const addresses = near.length === 0
    ? addressesOf(family)
    : fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...near) }, addressesOf(family));
  return fc.record({
    in: interfaces,
    out: interfaces,
    source: addresses,
    destination: addresses,
    protocol: fc.constantFrom("tcp", "udp", "icmp"),
    connection: CONNECTIONS,
  }).map(({ connection, ...packet }) => ({ ...packet, ...connection }));
}

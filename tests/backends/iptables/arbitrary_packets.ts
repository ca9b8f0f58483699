/** Packets that have something to do with some networks: for property tests of iptables. */
import fc from "fast-check";
import { type Family, type IpAddress, rangeOf } from "../../../core/address.ts";
import { LOCALHOST, type PublishedPort } from "../../../core/network/published_port.ts";
import type { FamilyPolicy, FilteredPolicy } from "../../../core/policy/policy.ts";
import { addressesOf } from "../../support/arbitrary.ts";
import type { Connection, Packet } from "./packets.ts";

/** The protocols that have ports, by the numbers that conntrack knows them by. */
export const NUMBERS: Readonly<Record<PublishedPort["protocol"], number>> = {
  tcp: 6,
  udp: 17,
  sctp: 132,
};

/** Packets of the family between, into and out of the networks, and some that pass them by. */
export function packetsOf(
  policies: readonly FilteredPolicy[],
  family: Family,
): fc.Arbitrary<Packet> {
  const own = policies.flatMap(({ families }) => families).filter((one) => one.family === family);
  const published = own.flatMap((one) => one.published);
  const devices = own.flatMap(({ forwarding }) =>
    forwarding.direction === "none" || forwarding.device === undefined ? [] : [forwarding.device]
  );
  const interfaces = fc.constantFrom(
    ...policies.map(({ bridge }) => bridge),
    ...devices,
    "eth9",
  );
  const addresses = addressesNear(own, family);
  const ports = portsNear(published);
  return fc.record({
    in: interfaces,
    out: interfaces,
    source: addresses,
    destination: addresses,
    protocol: fc.constantFrom("tcp", "udp", "sctp", "icmp"),
    port: ports,
    isLocal: fc.boolean(),
    tracked: trackedNear(published, addresses, ports),
  }).map(({ tracked, ...packet }) => ({ ...packet, ...tracked }));
}

/** Those of networks, of guests and of published ports, and any. */
function addressesNear(
  own: readonly FamilyPolicy[],
  family: Family,
): fc.Arbitrary<IpAddress> {
  const near = own.flatMap(({ subnets, published }) => [
    ...subnets.flatMap((subnet): readonly IpAddress[] => {
      const { start, end } = rangeOf(subnet);
      return [start, end, { family, value: (start.value + end.value) / 2n }];
    }),
    ...published.flatMap(({ hostAddress, guest }) =>
      hostAddress === undefined ? [guest] : [guest, hostAddress]
    ),
  ]).concat(family === "ipv4" ? [LOCALHOST] : [{ family, value: 1n }]);
  return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...near) }, addressesOf(family));
}

function portsNear(published: readonly PublishedPort[]): fc.Arbitrary<number> {
  const near = published.flatMap(({ ports, guestPorts }) =>
    [ports, guestPorts].flatMap(({ start, end }) => [start - 1, start, end, end + 1])
  );
  return fc.constantFrom(0, 80, ...near);
}

/** What conntrack says of packets: without a connection there is no status. */
function trackedNear(
  published: readonly PublishedPort[],
  addresses: fc.Arbitrary<IpAddress>,
  ports: fc.Arbitrary<number>,
): fc.Arbitrary<Pick<Packet, "states" | "statuses" | "connection">> {
  const anything = fc.record({
    protocol: fc.constantFrom(...Object.values(NUMBERS), 1),
    asked: addresses,
    askedPort: ports,
    answers: addresses,
    answersPort: ports,
  });
  // Those that published ports make, and some that differ from them in one thing or another.
  const mostly = <T>(value: T, others: fc.Arbitrary<T>): fc.Arbitrary<T> =>
    fc.oneof({ weight: 6, arbitrary: fc.constant(value) }, others);
  const led = published.map(({ protocol, hostAddress, ports: { start }, guest, guestPorts }) =>
    fc.record({
      protocol: mostly(NUMBERS[protocol], fc.constantFrom(...Object.values(NUMBERS))),
      asked: hostAddress === undefined ? addresses : mostly(hostAddress, addresses),
      askedPort: mostly(start, ports),
      answers: mostly(guest, addresses),
      answersPort: mostly(guestPorts.start, ports),
    })
  );
  const tuples: fc.Arbitrary<Omit<Connection, "direction">> = fc.oneof(anything, ...led);
  return fc.oneof(
    fc.constantFrom("INVALID", "UNTRACKED").map((state) => ({ states: [state], statuses: [] })),
    fc.record({
      states: fc.tuple(
        fc.constantFrom("NEW", "RELATED", "ESTABLISHED"),
        fc.subarray(["SNAT", "DNAT"]),
      ).map(([state, more]) => [state, ...more]),
      statuses: fc.subarray(["CONFIRMED", "EXPECTED"]),
      connection: fc.tuple(tuples, fc.constantFrom("ORIGINAL", "REPLY" as const))
        .map(([tuple, direction]): Connection => ({ ...tuple, direction })),
    }),
  );
}

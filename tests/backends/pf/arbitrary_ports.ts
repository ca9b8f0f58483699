/** Published ports of every kind, and packets that have something to do with them. */
import fc from "fast-check";
import { formatAddress, type IpAddress } from "../../../core/address.ts";
import { LOCALHOST, needsLocalhost } from "../../../core/network/published_port.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { type Packet, packet } from "../../support/packets/packet.ts";

/** A published port, but for its number, which no other one has. */
export const PUBLISHED = fc.record({
  protocol: fc.constantFrom("tcp", "udp"),
  more: fc.constantFrom(0, 0, 1, 40),
  guestPort: fc.constantFrom(undefined, 80, 40000),
  // Of an uplink, of the bridge, of nobody that is the host; the last where it can be.
  address: fc.constantFrom("", "", "", "203.0.113.2", "own", "192.0.3.9", "127.0.0.1"),
  localhost: fc.boolean(),
  place: fc.nat({ max: 4 }),
});

/** Where published ports of a network can lead, and what the host is. */
export interface Surroundings {
  /** The host's own address on the bridge. */
  readonly host: string;
  readonly guests: readonly string[];
  /** Whether 127.0.0.1 can lead to a guest. */
  readonly filterLocal: boolean;
}

/** The attributes of its element. */
export function publishAttributes(
  { protocol, more, guestPort, address, localhost, place }: typeof PUBLISHED extends
    fc.Arbitrary<infer P> ? P : never,
  first: number,
  { host, guests, filterLocal }: Surroundings,
): string {
  const at = address === "own" ? host : address === "127.0.0.1" && !filterLocal ? "" : address;
  const to = `${guests[place % guests.length]}${guestPort === undefined ? "" : `:${guestPort}`}`;
  return [
    `proto='${protocol}' port='${more === 0 ? first : `${first}-${first + more}`}' to='${to}'`,
    at === "" ? "" : ` address='${at}'`,
    localhost && filterLocal ? " localhost='yes'" : "",
  ].join("");
}

/**
 * Packets to the ports and next to them, at these addresses and straight to the guest. Not from a port that
 * a guest answers at: to itself that would be the same connection the other way round.
 */
export function packetsToPorts(
  { families }: FilteredPolicy,
  from: fc.Arbitrary<string>,
  hosts: readonly IpAddress[],
): readonly fc.Arbitrary<Packet>[] {
  return families.flatMap(({ published }) => published).flatMap(
    ({ protocol, ports: { start, end }, guest, guestPorts }) => {
      if (protocol === "sctp") return [];
      const numbers = fc.constantFrom(start, start, end, start - 1, end + 1);
      const others = fc.constantFrom(protocol, protocol, "tcp", "udp");
      const to = fc.oneof(
        fc.tuple(fc.constantFrom(...hosts), numbers),
        fc.tuple(fc.constant(guest), fc.constantFrom(guestPorts.start, guestPorts.end)),
      );
      return [
        fc.tuple(others, from, to).map(([name, source, [address, port]]) =>
          packet(name, `${source}:30000`, `${formatAddress(address)}:${port}`)
        ),
      ];
    },
  );
}

/** What the host asks of itself: from the address that it asks at. */
export function packetsToItself(
  { families }: FilteredPolicy,
  hosts: readonly IpAddress[],
): readonly fc.Arbitrary<Packet>[] {
  return families.flatMap(({ published }) => published).flatMap((one) => {
    const { protocol, ports: { start, end } } = one;
    if (protocol === "sctp") return [];
    const addresses = [...hosts, ...(needsLocalhost(one) ? [LOCALHOST] : [])];
    return [
      fc.tuple(fc.constantFrom(...addresses), fc.constantFrom(start, end)).map(
        ([address, port]) => {
          const text = formatAddress(address);
          return packet(protocol, `${text}:30000`, `${text}:${port}`);
        },
      ),
    ];
  });
}

/** Published ports of every kind, and packets that have something to do with them. */
import fc from "fast-check";
import { formatAddress, type IpAddress } from "../../../core/address.ts";
import { LOCALHOST, needsLocalhost } from "../../../core/network/published_port.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { address } from "../definitions.ts";
import { type Abilities, inFamily } from "./arbitrary_definitions.ts";
import { type Packet, packet } from "./packet.ts";

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
export interface Surroundings extends Abilities {
  /** The host's own address on the bridge. */
  readonly host: IpAddress;
  readonly guests: readonly IpAddress[];
}

/** Its elements, one for each family; of 127.0.0.1 there is one at most. */
export function publishElement(
  { protocol, more, guestPort, place, ...one }: typeof PUBLISHED extends fc.Arbitrary<infer P> ? P
    : never,
  first: number,
  { host, guests, families, localhost, sctp }: Surroundings,
): readonly string[] {
  return families.map((family) => {
    const isLocal = localhost && family === "ipv4";
    const listener = one.address === "own" ? formatAddress(host) : one.address;
    const at = listener === "" || listener.startsWith("127.") && !isLocal ? "" : formatAddress(
      listener.startsWith("127.") ? address(listener) : inFamily(address(listener), family),
    );
    const guest = formatAddress(inFamily(guests[place % guests.length] ?? host, family));
    const to = family === "ipv4" ? guest : `[${guest}]`;
    return [
      "<b:publish xmlns:b='urn:bridgewall:network:1' ",
      `proto='${sctp === true && protocol === "tcp" ? "sctp" : protocol}' port='${
        more === 0 ? first : `${first}-${first + more}`
      }' `,
      `to='${to}${guestPort === undefined ? "" : `:${guestPort}`}'`,
      at === "" ? "" : ` address='${at}'`,
      one.localhost && isLocal ? " localhost='yes'" : "",
      "/>",
    ].join("");
  });
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

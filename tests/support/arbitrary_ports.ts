/** Arbitrary published ports: any that a command line or a definition could hold, for any network. */
import fc from "fast-check";
import type { Family, IpAddress } from "../../core/address.ts";
import {
  isLoopback,
  type PublishedPort,
  TRANSPORT_PROTOCOLS,
} from "../../core/network/published_port.ts";
import { addressesOf } from "./arbitrary.ts";

/** Few ports and few addresses, so that many of them meet; and any at all. */
function numbers(isCrowded: boolean): fc.Arbitrary<Pick<PublishedPort, "ports" | "guestPorts">> {
  const port = fc.integer({ min: 1, max: isCrowded ? 20 : 65535 });
  const size = fc.nat({ max: isCrowded ? 6 : 65534 });
  return fc.tuple(port, port, size).map(([start, to, wanted]) => {
    const more = Math.min(wanted, 65535 - start, 65535 - to);
    return { ports: { start, end: start + more }, guestPorts: { start: to, end: to + more } };
  });
}

function hostAddresses(family: Family, isCrowded: boolean): fc.Arbitrary<IpAddress | undefined> {
  const few = family === "ipv4" ? [0x7f000001n, 0x7f000002n, 0xc0000201n, 0xc0000202n] : [2n, 3n];
  const any = addressesOf(family).filter(({ value }) =>
    family === "ipv4" ? value > 0n && value < 0xe0000000n : value > 1n && value >> 120n !== 0xffn
  );
  const one = isCrowded ? fc.constantFrom(...few).map((value) => ({ family, value })) : any;
  return fc.option(one, { nil: undefined });
}

function portsOf(isCrowded: boolean): fc.Arbitrary<PublishedPort> {
  const families = fc.constantFrom("ipv4" as const, "ipv6" as const);
  return families.chain((family) =>
    fc.record({
      protocol: fc.constantFrom(...TRANSPORT_PROTOCOLS),
      guest: addressesOf(family),
      numbers: numbers(isCrowded),
      hostAddress: hostAddresses(family, isCrowded),
      localhost: fc.boolean(),
      runtime: fc.boolean(),
    })
  ).map(({ numbers: { ports, guestPorts }, hostAddress, localhost, ...one }) => ({
    ...one,
    ports,
    guestPorts,
    ...(hostAddress === undefined ? {} : { hostAddress }),
    localhost: localhost && one.guest.family === "ipv4" &&
      (hostAddress === undefined || !isLoopback(hostAddress)),
  }));
}

/** Any published port. */
export const PUBLISHED_PORTS: fc.Arbitrary<PublishedPort> = portsOf(false);

/** Published ports of which many want the same packets. */
export const CROWDED_PORTS: fc.Arbitrary<PublishedPort> = portsOf(true);

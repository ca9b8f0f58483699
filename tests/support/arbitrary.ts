/** Arbitrary values for property tests: what a hostile definition could hold, and a bit more. */
import fc from "fast-check";
import {
  bitsOf,
  type Family,
  type IpAddress,
  rangeOf,
  type Subnet,
  subnetOf,
  withoutContained,
} from "../../core/address.ts";
import { problemOfInterfaceName } from "../../core/network/interface_name.ts";
import {
  findSharedPort,
  isLoopback,
  type PublishedPort,
  TRANSPORT_PROTOCOLS,
} from "../../core/network/published_port.ts";
import type { FamilyPolicy, FilteredPolicy, Forwarding } from "../../core/policy/policy.ts";

/** Any character of Unicode, halves of pairs as well; those that scripts give a meaning often. */
const CHARACTERS = fc.oneof(
  fc.constantFrom(..." \"'\\;{}#$*@/:|&<>\n\r\t\0"),
  fc.constantFrom("\u2028", "\u202e", "\u009b", "é", "网", "😀", "\ud800"),
  fc.nat({ max: 0x7f }).map((code) => String.fromCharCode(code)),
  fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code)),
);

/** Any text at all. */
export const TEXTS: fc.Arbitrary<string> = fc.string({ unit: CHARACTERS, maxLength: 200 });

/** Any text that XML can hold: no control characters but white space, no halves of pairs. */
export const XML_TEXTS: fc.Arbitrary<string> = TEXTS.map(xmlText);

function xmlText(text: string): string {
  // deno-lint-ignore no-control-regex -- the characters that XML 1.0 leaves out
  return text.toWellFormed().replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "");
}

/** Names that a kernel takes for an interface, and that a definition can hold. */
export const INTERFACE_NAMES: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: CHARACTERS, minLength: 1, maxLength: 15 }),
  fc.stringMatching(/^[a-z0-9*"'\\;{}#.-]{1,15}$/),
).map(xmlText).filter((name) => problemOfInterfaceName(name) === undefined);

/** Any address of the family. */
export function addressesOf(family: Family): fc.Arbitrary<IpAddress> {
  return fc.bigInt(0n, (1n << BigInt(bitsOf(family))) - 1n).map((value) => ({ family, value }));
}

/** Subnets of the family, a default route excepted: the policy never has one. */
export function subnetsOf(family: Family): fc.Arbitrary<Subnet> {
  return fc.tuple(addressesOf(family), fc.integer({ min: 1, max: bitsOf(family) }))
    .map(([address, prefix]) => subnetOf(address, prefix));
}

/** Ports as `<port>` takes them: two or more. */
const PORTS = fc.tuple(fc.integer({ min: 1, max: 65535 }), fc.integer({ min: 1, max: 65535 }))
  .filter(([one, other]) => one !== other)
  .map(([one, other]) => ({ start: Math.min(one, other), end: Math.max(one, other) }));

const RANGES = fc.tuple(addressesOf("ipv4"), fc.bigInt(0n, 65535n)).map(([start, size]) => {
  const last = (1n << 32n) - 1n;
  const end = start.value + size;
  return { start, end: { family: start.family, value: end > last ? last : end } };
});

function translations(family: Family): fc.Arbitrary<Partial<Forwarding>> {
  const ports = PORTS.map((one) => ({ translation: { ports: one } }));
  return family === "ipv6" ? ports : fc.oneof(
    ports,
    fc.tuple(PORTS, RANGES).map(([one, addresses]) => ({
      translation: { ports: one, addresses },
    })),
  );
}

function forwardings(family: Family, devices: fc.Arbitrary<string>): fc.Arbitrary<Forwarding> {
  const device = fc.oneof(fc.constant({}), devices.map((name) => ({ device: name })));
  return fc.oneof<fc.Arbitrary<Forwarding>[]>(
    fc.constant<Forwarding>({ direction: "none" }),
    device.map((one): Forwarding => ({ direction: "both", ...one })),
    fc.tuple(device, translations(family)).map(([one, translation]): Forwarding => ({
      direction: "replies",
      ...one,
      ...translation,
    })),
  );
}

/** Ports of the host, and how far from them those of the guest are; wide ranges stay where they are. */
const PUBLISHED_PORTS = fc.oneof(
  fc.tuple(
    fc.integer({ min: 1, max: 65535 }),
    fc.nat({ max: 5 }),
    fc.integer({ min: 1, max: 65535 }),
  ),
  fc.tuple(fc.integer({ min: 1, max: 65535 }), fc.nat({ max: 2000 }), fc.constant(undefined)),
  fc.tuple(fc.constantFrom(80, 443, 8080), fc.constant(0), fc.constantFrom(undefined, 80)),
).map(([start, more, to = start]) => {
  const size = Math.min(more, 65535 - start, 65535 - to);
  return { ports: { start, end: start + size }, guestPorts: { start: to, end: to + size } };
});

/** Addresses that a port can be published on. */
function hostAddressesOf(family: Family): fc.Arbitrary<IpAddress> {
  const any = addressesOf(family).filter(({ value }) =>
    family === "ipv4" ? value > 0n && value < 0xe0000000n : value > 1n && value >> 120n !== 0xffn
  );
  const loopback = fc.constantFrom(0x7f000001n, 0x7f00002an).map((value) => ({ family, value }));
  return family === "ipv4" ? fc.oneof({ weight: 3, arbitrary: any }, loopback) : any;
}

/** One that leads to a guest in these subnets, of which one at least has more than the address zero. */
function publishedPorts(
  family: Family,
  subnets: readonly Subnet[],
): fc.Arbitrary<PublishedPort> {
  const guests = fc.constantFrom(...subnets.map(rangeOf)).chain(({ start, end }) => {
    const first = start.value === 0n ? 1n : start.value;
    const last = first + 3n > end.value ? end.value : first + 3n;
    return fc.oneof(fc.bigInt(first, last), fc.bigInt(first, end.value));
  }).map((value): IpAddress => ({ family, value }));
  return fc.record({
    protocol: fc.constantFrom(...TRANSPORT_PROTOCOLS),
    guest: guests,
    numbers: PUBLISHED_PORTS,
    hostAddress: fc.option(hostAddressesOf(family), { nil: undefined }),
    localhost: fc.boolean(),
  }).map(({ numbers, hostAddress, localhost, ...one }) => ({
    ...one,
    ...numbers,
    ...(hostAddress === undefined ? {} : { hostAddress }),
    localhost: family === "ipv4" && localhost &&
      (hostAddress === undefined || !isLoopback(hostAddress)),
    runtime: false,
  }));
}

/** As many of them as want different packets. */
function withoutShared(all: readonly PublishedPort[]): readonly PublishedPort[] {
  return all.reduce<readonly PublishedPort[]>((before, one) => {
    const more = [...before, one];
    return findSharedPort(more.map((published) => ({ published, owner: "" }))) === undefined
      ? more
      : before;
  }, []);
}

function familyPolicies(
  family: Family,
  devices: fc.Arbitrary<string>,
): fc.Arbitrary<FamilyPolicy> {
  const subnets = fc.array(subnetsOf(family), { minLength: 1, maxLength: 5 }).map(withoutContained);
  return subnets.chain((own) => {
    const inhabited = own.filter((subnet) => rangeOf(subnet).end.value > 0n);
    return fc.record({
      family: fc.constant(family),
      subnets: fc.constant(own),
      hostAddresses: fc.array(addressesOf(family), { minLength: 1, maxLength: 3 }),
      forwarding: forwardings(family, devices),
      published: inhabited.length === 0 ? fc.constant([]) : fc.oneof(
        fc.constant([]),
        fc.array(publishedPorts(family, inhabited), { maxLength: 6 }).map(withoutShared),
      ),
    });
  });
}

/** Prefixes that could be masqueraded, in whatever order they were wanted. */
export const PREFIXES: fc.Arbitrary<readonly Subnet[]> = fc.array(
  fc.oneof(subnetsOf("ipv4"), subnetsOf("ipv6")),
  { minLength: 1, maxLength: 5 },
);

/** Policies with any name, on bridges and through devices with these names. */
export function policies(
  names: fc.Arbitrary<string> = TEXTS,
  bridges: fc.Arbitrary<string> = INTERFACE_NAMES,
): fc.Arbitrary<FilteredPolicy> {
  const families = (["ipv4", "ipv6"] as const).map((family) =>
    fc.option(familyPolicies(family, bridges), { nil: undefined })
  );
  return fc.record({
    kind: fc.constant("filtered" as const),
    network: names,
    mode: fc.constant("nat" as const),
    bridge: bridges,
    families: fc.tuple(...families).map((all) => all.flatMap((one) => one ?? [])),
    guestsOverIpv6: fc.constant(false),
    services: fc.record({
      dhcp: fc.boolean(),
      dhcpv6: fc.constant(false),
      dns: fc.constant(true),
      tftp: fc.constant(false),
    }),
  });
}

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  bitsOf,
  contains,
  formatAddress,
  formatRange,
  formatSubnet,
  overlapFinder,
  overlaps,
  parseAddress,
  parseSubnet,
  prefixOfNetmask,
  rangeOf,
  subnetOf,
  withoutContained,
} from "../../core/address.ts";
import type { Family, IpAddress, Subnet } from "../../core/address.ts";

function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  assert(parsed !== undefined, text);
  return parsed;
}

function subnet(text: string): Subnet {
  const parsed = parseSubnet(text);
  assert(parsed !== undefined, text);
  return parsed;
}

const addresses: fc.Arbitrary<IpAddress> = fc.constantFrom<Family>("ipv4", "ipv6").chain((family) =>
  fc.bigInt(0n, (1n << BigInt(bitsOf(family))) - 1n).map((value) => ({ family, value }))
);

const subnets: fc.Arbitrary<Subnet> = addresses.chain((of) =>
  fc.integer({ min: 0, max: bitsOf(of.family) }).map((prefix) => subnetOf(of, prefix))
);

/** Subnets of which many share addresses. */
const crowded: fc.Arbitrary<Subnet> = fc.oneof(
  subnets,
  fc.tuple(fc.constantFrom<Family>("ipv4", "ipv6"), fc.nat(15), fc.nat(4)).map(
    ([family, number, size]) =>
      subnetOf({ family, value: BigInt(number) << BigInt(bitsOf(family) - 4) }, size),
  ),
);

Deno.test("an address has one value however it is written", () => {
  const same: readonly (readonly string[])[] = [
    ["10.0.0.1", "10.1", "0xa.1", "012.0.0.1", "167772161"],
    ["2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:0db8::0001"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
    ["::10.0.0.1", "::a00:1", "0:0:0:0:0:0:10.0.0.1", "::0:10.0.0.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a"],
  ];
  for (const [first = "", ...others] of same) {
    for (const other of others) assertEquals(address(other), address(first), other);
  }
});

Deno.test("text that is no address is none", () => {
  const texts = [
    "",
    " ",
    "10.0.0.256",
    "10.0.0.1 ",
    " 10.0.0.1",
    "1.2.3.4.5",
    "10.0.0.1/8",
    "fe80::1%eth0",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:10.0.0.1",
    "1:2:3:4:5:10.0.0.1",
    "::10.0.0.256",
    "::10.0.1",
    "::10.0.0.01",
    "::0xa.0.0.1",
    "::10.0.0.1:5",
    ":10.0.0.1",
    "host",
    "１０.0.0.1",
    "-1",
    "1e3",
  ];
  for (const text of texts) assertEquals(parseAddress(text), undefined, text);
});

Deno.test("addresses are printed the shortest usual way", () => {
  assertEquals(formatAddress(address("010.1")), "8.0.0.1");
  assertEquals(formatAddress(address("2001:DB8:0:0:1:0:0:0")), "2001:db8:0:0:1::");
  assertEquals(formatAddress(address("0:0:0:0:0:0:0:0")), "::");
  assertEquals(formatSubnet(subnet("192.0.2.77/24")), "192.0.2.0/24");
});

Deno.test("any address reads back as it was printed", () => {
  fc.assert(fc.property(addresses, (one) => {
    assertEquals(parseAddress(formatAddress(one)), one);
  }));
});

Deno.test("any 128 bits have one value however they are spelled", () => {
  const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });
  fc.assert(fc.property(groups, fc.nat(7), fc.nat(7), (parts, one, other) => {
    const value = parts.reduce((sum, part) => (sum << 16n) | BigInt(part), 0n);
    const [start, end] = [Math.min(one, other), Math.max(one, other) + 1];
    for (const spelling of spellings(parts, start, end)) {
      assertEquals(parseAddress(spelling), { family: "ipv6", value }, spelling);
    }
  }));
});

/** With and without leading zeros, capitals and a dotted end; `::` where only zeros stand. */
function spellings(parts: readonly number[], start: number, end: number): readonly string[] {
  const hex = (some: readonly number[]): string => some.map((one) => one.toString(16)).join(":");
  const dotted = (some: readonly number[]): string => {
    const octets = some.slice(-2).flatMap((part) => [part >> 8, part & 0xff]).join(".");
    return [...some.slice(0, -2).map((one) => one.toString(16)), octets].join(":");
  };
  const before = hex(parts.slice(0, start));
  const after = parts.slice(end);
  const zeros = parts.slice(start, end).every((part) => part === 0);
  return [
    hex(parts),
    hex(parts).toUpperCase(),
    parts.map((part) => part.toString(16).padStart(4, "0")).join(":"),
    dotted(parts),
    ...(zeros ? [`${before}::${hex(after)}`] : []),
    ...(zeros && after.length >= 2 ? [`${before}::${dotted(after)}`] : []),
  ];
}

Deno.test("any subnet reads back as it was printed", () => {
  fc.assert(fc.property(subnets, (one) => {
    assertEquals(parseSubnet(formatSubnet(one)), one);
  }));
});

Deno.test("an address alone is a subnet of one host", () => {
  assertEquals(formatSubnet(subnet("192.0.2.1")), "192.0.2.1/32");
  assertEquals(formatSubnet(subnet("2001:db8::1")), "2001:db8::1/128");
});

Deno.test("text that is no subnet is none", () => {
  const texts = [
    "",
    "/24",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/24/24",
    "10.0.0.0/-1",
    "10.0.0.0/ 8",
    "10.0.0.0/255.0.0.0",
    "2001:db8::/129",
    "2001:db8::/0064",
  ];
  for (const text of texts) assertEquals(parseSubnet(text), undefined, text);
});

Deno.test("the range of a subnet has its first and last address", () => {
  const { start, end } = rangeOf(subnet("192.0.2.0/25"));
  assertEquals([formatAddress(start), formatAddress(end)], ["192.0.2.0", "192.0.2.127"]);
  const whole = rangeOf(subnet("::/0"));
  assertEquals(whole.end.value, (1n << 128n) - 1n);
});

Deno.test("a subnet contains its range and nothing beside it", () => {
  fc.assert(fc.property(subnets, (one) => {
    const { start, end } = rangeOf(one);
    assert(contains(one, start) && contains(one, end));
    const last = (1n << BigInt(bitsOf(one.family))) - 1n;
    if (end.value < last) assert(!contains(one, { ...end, value: end.value + 1n }));
    if (start.value > 0n) assert(!contains(one, { ...start, value: start.value - 1n }));
  }));
});

Deno.test("families never mix", () => {
  assert(!contains(subnet("0.0.0.0/0"), address("::")));
  assert(!overlaps(subnet("0.0.0.0/0"), subnet("::/0")));
});

Deno.test("two subnets overlap when they share an address", () => {
  assert(overlaps(subnet("10.0.0.0/8"), subnet("10.1.0.0/16")));
  assert(overlaps(subnet("10.1.0.0/16"), subnet("10.0.0.0/8")));
  assert(!overlaps(subnet("10.0.0.0/25"), subnet("10.0.0.128/25")));
  fc.assert(fc.property(subnets, subnets, (one, other) => {
    const a = rangeOf(one);
    const b = rangeOf(other);
    const share = one.family === other.family &&
      a.start.value <= b.end.value && b.start.value <= a.end.value;
    assertEquals(overlaps(one, other), share);
  }));
});

Deno.test("subnets that another one holds are left out, equal ones but one", () => {
  const given = ["10.1.0.0/16", "10.0.0.0/8", "10.0.0.0/8", "::/0", "192.0.2.0/24"].map(subnet);
  assertEquals(withoutContained(given).map(formatSubnet), ["10.0.0.0/8", "::/0", "192.0.2.0/24"]);
  assertEquals(withoutContained([]), []);
});

Deno.test("what is left holds all that was given, in the order given, and nothing twice", () => {
  fc.assert(fc.property(fc.array(crowded, { maxLength: 12 }), (some) => {
    const quadratic = some.filter((subnet, index) =>
      !some.some((other, at) =>
        at !== index && overlaps(other, subnet) &&
        (other.prefix < subnet.prefix || (other.prefix === subnet.prefix && at < index))
      )
    );
    assertEquals(withoutContained(some), quadratic);
  }));
  const [one] = given(1);
  assert(one !== undefined);
  assertEquals(withoutContained([one, one]), [one]);
});

Deno.test("whether one of many shares an address is found as by looking at each", () => {
  fc.assert(fc.property(fc.array(crowded, { maxLength: 12 }), crowded, (some, one) => {
    assertEquals(overlapFinder(some)(one), some.some((other) => overlaps(one, other)));
  }));
});

Deno.test("a hundred thousand subnets are no problem", () => {
  const start = performance.now();
  assertEquals(withoutContained(given(100_000)).length, 100_000);
  assert(performance.now() - start < 3000);
});

function given(count: number): readonly Subnet[] {
  return Array.from(
    { length: count },
    (_, number) => subnetOf({ family: "ipv6", value: BigInt(number) << 64n }, 64),
  );
}

Deno.test("a range of one address is written as that address", () => {
  const range = (start: string, end: string): string =>
    formatRange({ start: address(start), end: address(end) });
  assertEquals(range("192.0.2.1", "192.0.2.9"), "192.0.2.1-192.0.2.9");
  assertEquals(range("192.0.2.1", "192.0.2.1"), "192.0.2.1");
  assertEquals(range("fd00::1", "fd00::ff"), "fd00::1-fd00::ff");
});

Deno.test("a netmask has a prefix when its one bits are not interrupted", () => {
  assertEquals(prefixOfNetmask(address("0.0.0.0")), 0);
  assertEquals(prefixOfNetmask(address("255.255.255.0")), 24);
  assertEquals(prefixOfNetmask(address("255.255.255.255")), 32);
  assertEquals(prefixOfNetmask(address("ffff:ffff:ffff:ffff::")), 64);
  assertEquals(prefixOfNetmask(address("255.0.255.0")), undefined);
  assertEquals(prefixOfNetmask(address("0.0.0.255")), undefined);
});

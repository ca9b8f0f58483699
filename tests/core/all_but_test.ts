import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  allBut,
  bitsOf,
  contains,
  type Family,
  formatSubnet,
  type IpAddress,
  overlaps,
  rangeOf,
  type Subnet,
  subnetOf,
} from "../../core/address.ts";
import { addressesOf, subnetsOf } from "../support/arbitrary.ts";
import { subnet } from "../support/definitions.ts";

const FAMILIES = fc.constantFrom<Family>("ipv4", "ipv6");

/** Subnets of which many lie beside or inside each other, and some of the other family. */
const SUBNETS: fc.Arbitrary<Subnet> = FAMILIES.chain((family) =>
  fc.oneof(
    subnetsOf(family),
    fc.tuple(fc.nat(31), fc.integer({ min: 0, max: 5 })).map(([number, prefix]) =>
      subnetOf({ family, value: BigInt(number) << BigInt(bitsOf(family) - 5) }, prefix)
    ),
  )
);

const GIVEN = fc.array(SUBNETS, { maxLength: 6 });

/** The addresses at both sides of both ends: where a mistake of one would show. */
function edges(family: Family, subnets: readonly Subnet[]): readonly IpAddress[] {
  const last = (1n << BigInt(bitsOf(family))) - 1n;
  return subnets.filter((one) => one.family === family).map(rangeOf)
    .flatMap(({ start, end }) => [start.value - 1n, start.value, end.value, end.value + 1n])
    .concat(0n, last)
    .filter((value) => value >= 0n && value <= last)
    .map((value) => ({ family, value }));
}

Deno.test("what is left holds no address of the subnets", () => {
  fc.assert(fc.property(FAMILIES, GIVEN, (family, given) => {
    for (const one of allBut(family, given)) {
      assertEquals(one.family, family);
      assert(!given.some((other) => overlaps(one, other)), formatSubnet(one));
    }
  }));
});

Deno.test("what is left holds every other address once", () => {
  const addresses = FAMILIES.chain((family) => fc.array(addressesOf(family), { minLength: 5 }));
  fc.assert(fc.property(addresses, GIVEN, (some, given) => {
    const family = some[0]?.family ?? "ipv4";
    const left = allBut(family, given);
    for (const address of [...some, ...edges(family, given)]) {
      const isGiven = given.some((one) => contains(one, address));
      const holders = left.filter((one) => contains(one, address)).map(formatSubnet);
      assertEquals(holders.length, isGiven ? 0 : 1, `${address.value}: ${holders}`);
    }
  }));
});

Deno.test("what is left has no two halves that could be one", () => {
  fc.assert(fc.property(FAMILIES, GIVEN, (family, given) => {
    const left = allBut(family, given);
    const known = new Set(left.map(formatSubnet));
    for (const { value, prefix } of left.filter((one) => one.prefix > 0)) {
      const other = value ^ (1n << BigInt(bitsOf(family) - prefix));
      assert(!known.has(formatSubnet({ family, value: other, prefix })));
    }
  }));
});

Deno.test("what is left beside one network is one subnet for each bit of its prefix", () => {
  assertEquals(allBut("ipv4", [subnet("192.168.122.0/24")]).map(formatSubnet), [
    "0.0.0.0/1",
    "128.0.0.0/2",
    "192.0.0.0/9",
    "192.128.0.0/11",
    "192.160.0.0/13",
    "192.168.0.0/18",
    "192.168.64.0/19",
    "192.168.96.0/20",
    "192.168.112.0/21",
    "192.168.120.0/23",
    "192.168.123.0/24",
    "192.168.124.0/22",
    "192.168.128.0/17",
    "192.169.0.0/16",
    "192.170.0.0/15",
    "192.172.0.0/14",
    "192.176.0.0/12",
    "192.192.0.0/10",
    "193.0.0.0/8",
    "194.0.0.0/7",
    "196.0.0.0/6",
    "200.0.0.0/5",
    "208.0.0.0/4",
    "224.0.0.0/3",
  ]);
});

Deno.test("one host has a neighbour at every bit", () => {
  for (const [family, text] of [["ipv4", "192.0.2.1"], ["ipv6", "2001:db8::1"]] as const) {
    const prefixes = allBut(family, [subnet(text)]).map(({ prefix }) => prefix);
    assertEquals(
      prefixes.toSorted((one, other) => one - other),
      Array.from({ length: bitsOf(family) }, (_, index) => index + 1),
    );
  }
});

Deno.test("nothing is left beside everything, however it is said", () => {
  assertEquals(allBut("ipv4", [subnet("0.0.0.0/0")]), []);
  assertEquals(allBut("ipv6", [subnet("8000::/1"), subnet("::/1")]), []);
  assertEquals(allBut("ipv4", [subnet("10.0.0.0/8"), subnet("0.0.0.0/0")]), []);
});

Deno.test("everything is left beside nothing, and beside the other family", () => {
  assertEquals(allBut("ipv4", []), [subnet("0.0.0.0/0")]);
  assertEquals(allBut("ipv6", []), [subnet("::/0")]);
  assertEquals(allBut("ipv6", [subnet("0.0.0.0/0")]), [subnet("::/0")]);
});

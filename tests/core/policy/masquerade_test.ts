import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parse, stringify } from "@std/xml";
import {
  compareSubnets,
  contains,
  formatSubnet,
  overlaps,
  type Subnet,
} from "../../../core/address.ts";
import {
  isMasquerade,
  masqueradeElement,
  masqueradePolicy,
  recordedPrefixes,
} from "../../../core/policy/masquerade.ts";
import { forwardedFamilies } from "../../../core/policy/policy.ts";
import { RecordError } from "../../../core/record/record.ts";
import { formatRecord, parseRecord } from "../../../core/record/record_xml.ts";
import { PREFIXES } from "../../support/arbitrary.ts";
import { subnet } from "../../support/definitions.ts";

function prefixesOf(...texts: readonly string[]): readonly string[] {
  return masqueradePolicy(texts.map(subnet)).families.flatMap(({ family, prefixes }) =>
    prefixes.map((prefix) => `${family} ${formatSubnet(prefix)}`)
  );
}

Deno.test("prefixes of both families are kept apart, sorted", () => {
  assertEquals(prefixesOf("fd00:3::/64", "10.9.0.0/16", "10.8.0.0/24"), [
    "ipv4 10.8.0.0/24",
    "ipv4 10.9.0.0/16",
    "ipv6 fd00:3::/64",
  ]);
  assertEquals(prefixesOf("fd00:3::/64"), ["ipv6 fd00:3::/64"]);
  assertEquals(masqueradePolicy([]).families, []);
});

Deno.test("a prefix inside another adds nothing", () => {
  assertEquals(prefixesOf("10.8.1.0/24", "10.8.0.0/16", "10.8.1.1/32", "10.8.0.0/16"), [
    "ipv4 10.8.0.0/16",
  ]);
  assertEquals(prefixesOf("10.8.0.0/25", "10.8.0.128/25"), [
    "ipv4 10.8.0.0/25",
    "ipv4 10.8.0.128/25",
  ]);
});

Deno.test("what is translated holds exactly the wanted addresses, each once", () => {
  fc.assert(fc.property(PREFIXES, (wanted) => {
    const policy = masqueradePolicy(wanted);
    const all = policy.families.flatMap(({ prefixes }) => prefixes);
    for (const prefix of wanted) assert(all.some((one) => isInside(prefix, one)));
    for (const one of all) {
      assert(wanted.some((prefix) => formatSubnet(prefix) === formatSubnet(one)));
    }
    all.forEach((one, index) => {
      assert(all.every((other, place) => place === index || !overlaps(one, other)));
    });
    for (const { family, prefixes } of policy.families) {
      assert(prefixes.length > 0 && prefixes.every((prefix) => prefix.family === family));
      assertEquals(prefixes, prefixes.toSorted(compareSubnets));
    }
  }));
});

function isInside(one: Subnet, other: Subnet): boolean {
  return contains(other, one) && other.prefix <= one.prefix;
}

Deno.test("the order of the wanted prefixes makes no difference", () => {
  fc.assert(fc.property(PREFIXES, (wanted) => {
    assertEquals(masqueradePolicy(wanted.toReversed()), masqueradePolicy(wanted));
  }));
});

Deno.test("the host forwards the families of the prefixes", () => {
  const families = (...texts: readonly string[]): unknown =>
    forwardedFamilies(masqueradePolicy(texts.map(subnet)));
  assertEquals(families("10.8.0.0/24"), ["ipv4"]);
  assertEquals(families("fd00::/64", "10.8.0.0/24"), ["ipv4", "ipv6"]);
});

Deno.test("a record holds each prefix as it was wanted, those inside others too", () => {
  fc.assert(fc.property(PREFIXES, (wanted) => {
    const network = masqueradeElement(wanted);
    const record = { name: "/masquerade", state: "active", network, removal: [] } as const;
    const read = parseRecord(formatRecord(record), "x");
    assert(isMasquerade(read));
    assertEquals(recordedPrefixes(read), wanted.toSorted(compareSubnets));
  }));
  assertEquals(
    stringify(masqueradeElement(["10.9.0.0/16", "10.8.0.0/24"].map(subnet))),
    '<masquerade><prefix address="10.8.0.0/24"/><prefix address="10.9.0.0/16"/></masquerade>',
  );
});

Deno.test("only the record of that name is that of prefixes", () => {
  assertEquals(isMasquerade({ name: "/masquerade" }), true);
  for (const name of ["masquerade", "/Masquerade", "lan"]) {
    assertEquals(isMasquerade({ name }), false);
  }
});

for (
  const damaged of [
    "<network/>",
    "<masquerade><prefix/></masquerade>",
    "<masquerade><prefix address='10.0.0.0/33'/></masquerade>",
    "<masquerade><prefix address='0.0.0.0/0'/></masquerade>",
    "<masquerade><prefix address='::/0'/></masquerade>",
    "<masquerade><prefix address='lan'/></masquerade>",
  ]
) {
  Deno.test(`a record with ${damaged} is damaged`, () => {
    assertThrows(
      () => recordedPrefixes({ network: parse(damaged).root }),
      RecordError,
      "Cannot use the record of masqueraded prefixes: it is damaged",
    );
  });
}

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { masqueradeObject } from "../../../backends/firewalld/masquerade.ts";
import { fileText } from "../../../backends/firewalld/objects.ts";
import { formatRichRule } from "../../../backends/firewalld/rich_rule.ts";
import { contains, type IpAddress, rangeOf } from "../../../core/address.ts";
import { masqueradePolicy } from "../../../core/policy/masquerade.ts";
import { NEVER_TRANSLATED } from "../../../core/policy/policy.ts";
import { addressesOf, PREFIXES } from "../../support/arbitrary.ts";
import { subnet } from "../../support/definitions.ts";
import { objectsIn, refusalOf } from "../../support/firewalld_objects.ts";

const SOME = PREFIXES.map((prefixes) => prefixes.filter(({ prefix }) => prefix > 0))
  .filter((prefixes) => prefixes.length > 0);

const ADDRESSES = fc.array(fc.oneof(addressesOf("ipv4"), addressesOf("ipv6")), { maxLength: 6 });

Deno.test("what leaves a prefix is translated, except to the same one and to what never is", () => {
  fc.assert(fc.property(SOME, ADDRESSES, (prefixes, some) => {
    const policy = masqueradePolicy(prefixes);
    const { from, to, rules } = masqueradeObject(policy);
    assertEquals([from, to], ["ANY", "ANY"]);
    const all = policy.families.flatMap((one) => one.prefixes);
    const ends = all.map(rangeOf).flatMap(({ start, end }) => [start, end]);
    const known: readonly IpAddress[] = [...some, ...ends];
    for (const source of known) {
      for (const target of known.filter(({ family }) => family === source.family)) {
        const own = all.find((one) => contains(one, source));
        const stays = [...own === undefined ? [] : [own], ...never(source)];
        const wanted = own !== undefined && !stays.some((one) => contains(one, target));
        const found = rules.some((rule) =>
          rule.source !== undefined && contains(rule.source.subnet, source) &&
          rule.destination !== undefined && contains(rule.destination.subnet, target)
        );
        assertEquals(found, wanted);
      }
    }
  }));
});

function never({ family }: IpAddress): ReturnType<typeof subnet>[] {
  return NEVER_TRANSLATED[family].map(subnet);
}

Deno.test("nothing is let through or stopped, and firewalld takes the file", () => {
  fc.assert(fc.property(SOME, (prefixes) => {
    const object = masqueradeObject(masqueradePolicy(prefixes));
    assertEquals(object.target, "CONTINUE");
    assert(object.rules.every(({ action }) => action === "masquerade"));
    const files = new Map([["/etc/firewalld/policies/bw-masquerade.xml", fileText(object)]]);
    assertEquals(refusalOf(files, [], new Map()), undefined);
    const printed = objectsIn(files)[0]?.settings["rich_rules"]?.data;
    assertEquals(printed, object.rules.map(formatRichRule));
  }));
});

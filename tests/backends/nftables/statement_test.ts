import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { subnetSet } from "../../../backends/nftables/script.ts";
import { canonicalStatements, list, statement } from "../../../backends/nftables/statement.ts";
import { formatAddress, rangeOf, type Subnet } from "../../../core/address.ts";
import { subnetsOf } from "../../support/arbitrary.ts";

/** Rules as they were written, and the expressions that nft 1.0.6 lists for them. */
const RULES: readonly (readonly [written: string, listed: string])[] = [
  [
    'oifname "virbr0" accept',
    '[{"match":{"op":"==","left":{"meta":{"key":"oifname"}},"right":"virbr0"}},{"accept":null}]',
  ],
  [
    'oifname "-b;{}$#\\*" accept',
    '[{"match":{"op":"==","left":{"meta":{"key":"oifname"}},"right":"-b;{}$#\\\\*"}},' +
    '{"accept":null}]',
  ],
  [
    'ip saddr { 10.44.0.0/24, 10.44.1.0/24, 172.30.9.0/25 } counter name "out-virbr0" return',
    '[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":{"set":[' +
    '{"prefix":{"addr":"10.44.0.0","len":23}},{"prefix":{"addr":"172.30.9.0","len":25}}]}}},' +
    '{"counter":"out-virbr0"},{"return":null}]',
  ],
  [
    "ip daddr 10.44.0.9 ct state established,related accept",
    '[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"daddr"}},' +
    '"right":"10.44.0.9"}},{"match":{"op":"in","left":{"ct":{"key":"state"}},' +
    '"right":["established","related"]}},{"accept":null}]',
  ],
  [
    'counter name "rejected-virbr0" reject',
    '[{"counter":"rejected-virbr0"},{"reject":{"type":"icmpx","expr":"port-unreachable"}}]',
  ],
  ["reject", '[{"reject":null}]'],
  [
    "ip6 daddr != { fd44::/64, ff02::/16 } meta l4proto { tcp, udp } masquerade to :1024-65535",
    '[{"match":{"op":"!=","left":{"payload":{"protocol":"ip6","field":"daddr"}},"right":{"set":[' +
    '{"prefix":{"addr":"fd44::","len":64}},{"prefix":{"addr":"ff02::","len":16}}]}}},' +
    '{"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":{"set":["tcp","udp"]}}},' +
    '{"masquerade":{"port":{"range":[1024,65535]}}}]',
  ],
  ["masquerade", '[{"masquerade":null}]'],
  [
    "snat ip to 198.51.100.8-198.51.100.11:2000-60000",
    '[{"snat":{"family":"ip","addr":{"prefix":{"addr":"198.51.100.8","len":30}},' +
    '"port":{"range":[2000,60000]}}}]',
  ],
  [
    "snat ip to 198.51.100.8-198.51.100.12",
    '[{"snat":{"family":"ip","addr":{"range":["198.51.100.8","198.51.100.12"]}}}]',
  ],
  ["snat ip to 10.0.0.1:99", '[{"snat":{"family":"ip","addr":"10.0.0.1","port":99}}]'],
  [
    "ip saddr vmap @translate_host_ipv4",
    '[{"vmap":{"key":{"payload":{"protocol":"ip","field":"saddr"}},' +
    '"data":"@translate_host_ipv4"}}]',
  ],
];

/** The statements of one rule, from nft's JSON. */
function live(expressions: string): string {
  return list(JSON.parse(expressions)).map(statement).join(" ");
}

for (const [written, listed] of RULES) {
  Deno.test(`the live form of \`${written}\` is known to be the same`, () => {
    assertEquals(live(listed), canonicalStatements(written));
  });
}

/** Rules that differ from ours by little, as nft 1.0.6 lists them. */
const OTHERS: Readonly<Record<string, readonly [expr: string, shown: string]>> = {
  "a comparison": [
    '[{"match":{"op":">","left":{"payload":{"protocol":"ip","field":"saddr"}},' +
    '"right":"10.0.0.1"}}]',
    "ip saddr > 10.0.0.1-10.0.0.1",
  ],
  "another state": [
    '[{"match":{"op":"!=","left":{"ct":{"key":"state"}},"right":{"|":["established","related"]}}}]',
    'ct state != {"|":["established","related"]}',
  ],
  "none of our states": [
    '[{"match":{"op":"!=","left":{"ct":{"key":"state"}},"right":["established","related"]}}]',
    "ct state != established,related",
  ],
  "flags of a segment": [
    '[{"match":{"op":"in","left":{"payload":{"protocol":"tcp","field":"flags"}},' +
    '"right":["syn","ack"]}}]',
    "tcp flags syn,ack",
  ],
  "a set of names": [
    '[{"match":{"op":"==","left":{"meta":{"key":"oifname"}},"right":{"set":["x","virbr0"]}}}]',
    "oifname { x, virbr0 }",
  ],
  "another rejection": ['[{"reject":{"type":"tcp reset"}}]', "reject tcp reset"],
  "one family's rejection": [
    '[{"reject":{"type":"icmp","expr":"port-unreachable"}}]',
    "reject icmp port-unreachable",
  ],
  "flags of a translation": ['[{"masquerade":{"flags":"random"}}]', "masquerade random"],
  "an unnamed counter": [
    '[{"counter":{"packets":0,"bytes":0}},{"return":null}]',
    '{"counter":{"packets":0,"bytes":0}} return',
  ],
  "bytes of a packet": [
    '[{"match":{"op":"==","left":{"payload":{"base":"nh","offset":8,"len":8}},"right":5}}]',
    '{"payload":{"base":"nh","offset":8,"len":8}} 5',
  ],
  "a map inside the rule": [
    '[{"vmap":{"key":{"meta":{"key":"iifname"}},"data":{"set":[["a",{"accept":null}]]}}}]',
    '{"vmap":{"key":{"meta":{"key":"iifname"}},"data":{"set":[["a",{"accept":null}]]}}}',
  ],
  "what nft has no JSON for": ['["jump {\\n\\t\\t\\taccept\\n\\t\\t}"]', "jump { accept }"],
  "a jump": ['[{"goto":{"target":"y"}}]', "goto y"],
};

for (const [says, [expr, shown]] of Object.entries(OTHERS)) {
  Deno.test(`somebody else's rule with ${says} is shown for what it is`, () => {
    assertEquals(live(expr), shown);
  });
}

const SETS: fc.Arbitrary<readonly Subnet[]> = fc.constantFrom("ipv4" as const, "ipv6" as const)
  .chain((family) => fc.array(subnetsOf(family), { minLength: 1, maxLength: 6 }));

Deno.test("a set is the same in any order, and in any pieces", () => {
  const rules = (subnets: readonly Subnet[]): string =>
    canonicalStatements(`ip saddr ${subnetSet(subnets)} accept`);
  fc.assert(fc.property(SETS, (subnets) => {
    const halves = subnets.flatMap((one): readonly Subnet[] => {
      const bits = one.family === "ipv4" ? 32 : 128;
      if (one.prefix === bits) return [one];
      const half = { ...one, prefix: one.prefix + 1 };
      const upper = half.value + (1n << BigInt(bits - half.prefix));
      return [{ ...half, value: upper }, half];
    });
    assertEquals(rules(halves.toReversed()), rules(subnets));
  }));
});

Deno.test("two sets are the same only when they hold the same addresses", () => {
  assertEquals(
    canonicalStatements("ip saddr { 10.0.0.0/25, 10.0.0.128/25 } accept"),
    "ip saddr 10.0.0.0-10.0.0.255 accept",
  );
  fc.assert(fc.property(SETS, (subnets) => {
    const [first] = subnets;
    if (first === undefined) return;
    const { start, end } = rangeOf(first);
    const alone = canonicalStatements(`ip saddr ${subnetSet([first])} accept`);
    assertEquals(alone, `ip saddr ${formatAddress(start)}-${formatAddress(end)} accept`);
  }));
});

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatAnchor, formatNatRule } from "../../../backends/pf/script.ts";
import { printedTranslation } from "../../../backends/pf/listing.ts";
import { addressableInterface, interfaceWord } from "../../../backends/pf/interface_word.ts";
import { networkAnchors } from "../../../backends/pf/ruleset.ts";
import { UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { policies, TEXTS } from "../../support/arbitrary.ts";
import { filtered, subnet } from "../../support/definitions.ts";
import { equalRules } from "../../support/pf/pf_equal_rules.ts";
import { parseRuleset, undefinedTables } from "../../support/pf/pf_grammar.ts";
import { publishing } from "./scene.ts";

Deno.test("an interface is named bare where its name means nothing else, and in quotes elsewhere", () => {
  const bare = ["re0", "virbr0", "vlan.10", "em0_1", "bridge12"];
  assertEquals(bare.map(interfaceWord), bare);
  const keywords = ["inet6", "l3", "pass", "from"];
  const quoted = [...keywords, "wan", "br-lan0", "0re0", "x y0", "$re0", "<t>0", "a#0"];
  assertEquals(quoted.map(interfaceWord), quoted.map((name) => `"${name}"`));
});

Deno.test("names that quotes cannot hold, and those of groups, are refused with what to do", () => {
  for (const name of ['a"0', "a\\0", "a\n0"]) {
    const { hint } = assertThrows(
      () => interfaceWord(name),
      UnsupportedNetworkError,
      "cannot write",
    );
    assertEquals(hint, "Give the interface a name of letters and digits");
  }
  for (const name of ["bridge", "tap", "lo", "all", "any", "epair", "wg"]) {
    assertThrows(() => interfaceWord(name), UnsupportedNetworkError, "all interfaces of that kind");
  }
});

Deno.test("the address of an interface is asked for by names that begin with a letter", () => {
  assertEquals(addressableInterface("e_0"), "e_0");
  assertThrows(
    () => addressableInterface("0re0"),
    UnsupportedNetworkError,
    "cannot write the address",
  );
});

Deno.test("translation has the form that libvirt's users know", () => {
  const rule = {
    kind: "nat pass",
    device: "re0",
    from: subnet("192.168.122.0/24"),
    ports: { start: 1024, end: 65535 },
  } as const;
  const text = (pool?: readonly string[]): string =>
    formatNatRule(
      { ...rule, ...(pool === undefined ? {} : { pool: pool.map(subnet) }) },
      interfaceWord,
    );
  const start = "nat pass on re0 inet from 192.168.122.0/24 to <natdst> -> ";
  assertEquals(text(), `${start}(re0) port 1024:65535`);
  assertEquals(text(["203.0.113.4/32"]), `${start}203.0.113.4 port 1024:65535`);
  assertEquals(
    text(["203.0.113.4/30"]),
    `${start}203.0.113.4/30 port 1024:65535 round-robin sticky-address`,
  );
  assertEquals(
    text(["203.0.113.4/30", "203.0.113.8/32"]),
    `${start}{ 203.0.113.4/30, 203.0.113.8 } port 1024:65535 round-robin sticky-address`,
  );
});

const PUBLISHED = publishing(
  "<ip address='10.44.0.1' prefix='24'/><ip address='10.45.0.1' prefix='24'/></network>",
  "proto='tcp' port='8080' to='10.44.0.10:80'",
  "proto='tcp' port='8081' to='10.44.0.10:80'",
  "proto='udp' port='5060-5062' to='10.45.0.11:6060' address='192.0.2.7'",
  "proto='tcp' port='443' to='10.44.0.10' localhost='yes'",
).replace("</network>", "");

/** As pfctl of FreeBSD 14 prints them: print_rule() in sbin/pfctl/pfctl_parser.c. */
const REDIRECTIONS = [
  "rdr inet proto tcp from any to ! 127.0.0.0/8 port = 8080 tag bridgewall-published-lan -> 10.44.0.10 port 80",
  "rdr inet proto tcp from any to ! 127.0.0.0/8 port = 8081 tag bridgewall-published-lan -> 10.44.0.10 port 80",
  "rdr inet proto udp from any to 192.0.2.7 port 5060:5062 tag bridgewall-published-lan -> 10.45.0.11 port 6060:6062",
  "rdr inet proto tcp from any to ! 127.0.0.0/8 port = 443 tag bridgewall-published-lan -> 10.44.0.10 port 443",
];

Deno.test("published ports are written as pfctl prints them", () => {
  const anchors = networkAnchors(filtered(PUBLISHED), { root: "bridgewall" });
  const of = (path: string): readonly string[] =>
    anchors.find((anchor) => anchor.path === path)?.translation.map(printedTranslation) ?? [];
  assertEquals(of("bridgewall/lan/=rdr"), REDIRECTIONS);
  assertEquals(of("bridgewall/lan"), [
    "nat on virbr0 inet from <guests> to 10.44.0.0/24 tagged bridgewall-published-lan -> 10.44.0.1",
    "nat on virbr0 inet from <guests> to 10.45.0.0/24 tagged bridgewall-published-lan -> 10.45.0.1",
    'rdr-anchor "=rdr" on ! lo0 inet from any to (self)',
  ]);
  const text = anchors.map(formatAnchor).join("");
  for (
    const line of [
      "pass in quick on virbr0 inet proto tcp from <guests> to 10.44.0.10 port = 80 flags S/SA " +
      'keep state (if-bound) label "published tcp 10.44.0.10:80" tagged bridgewall-published-lan',
      "pass out quick on virbr0 inet proto udp from any to 10.45.0.11 port 6060:6062 " +
      'keep state (if-bound) label "published udp 10.45.0.11:6060-6062" ' +
      "tagged bridgewall-published-lan",
      "pass in quick inet proto tcp from ! <guests> to 10.44.0.10 port = 443 flags S/SA " +
      'keep state (if-bound) label "published tcp 10.44.0.10:443" tagged bridgewall-published-lan',
      'block return in quick inet from ! <subnets> to <guests> label "lan rejected" ' +
      "! tagged bridgewall-published-lan",
    ]
  ) assert(text.includes(`\n${line}\n`), line);
});

Deno.test("where pf sees what the host takes, 127.0.0.1 and the host's own packets are redirected too", () => {
  const anchors = networkAnchors(filtered(PUBLISHED), { root: "bridgewall", seesLocal: true });
  const text = anchors.map(formatAnchor).join("");
  for (
    const line of [
      "rdr on lo0 inet proto tcp from any to 127.0.0.1 port = 443 " +
      "tag bridgewall-published-lan -> 10.44.0.10 port 443",
      "nat on virbr0 inet from 127.0.0.0/8 to 10.44.0.0/24 tagged bridgewall-published-lan -> 10.44.0.1",
      'rdr-anchor "=rdr" inet from any to (self)',
      'pass out quick on lo0 inet from <guests> to any no state allow-opts label "lan local"',
    ]
  ) assert(text.includes(`\n${line}\n`), line);
});

Deno.test("rules that only write or lead to something else are equal to pf, others are not", () => {
  const first = "rdr inet proto tcp from any to any port = 80 tag a -> 10.0.0.2 port 80";
  const other = "rdr inet proto tcp from any to any port = 80 tag b -> 10.0.0.3 port 81";
  const tagging = 'pass in quick all no state label "a b" tag a tagged c';
  const plain = 'pass in quick all no state label "a b" tagged c';
  const equal = [first, tagging, other, plain].map((line) => `${line}\n`);
  assertEquals(equalRules(equal.join("")), [other, plain]);
  const different = [
    "table <a> { 10.0.0.1 }",
    "table <a> { 10.0.0.1 }",
    ...["a", "b"].map((tag) => `pass in quick all no state label "a" tagged ${tag}`),
    ...["80", "81"].map((port) => `rdr inet proto tcp from any to any port = ${port} -> 10.0.0.2`),
  ];
  assertEquals(equalRules(different.join("\n")), []);
});

Deno.test("whatever the definition says, pfctl takes every line, none twice, and every table is defined", () => {
  let compiled = 0;
  const roots = fc.constantFrom("bridgewall", "libvirt", "a/b");
  const ways = fc.constantFrom(
    {},
    { defaultInterface: "re0" },
    { defaultInterface: "wan", seesLocal: true },
    { defaultInterface: "re0", lastTranslates: true },
    { defaultInterface: "re0", lastTranslates: true, seesBridges: true, seesLocal: true },
  );
  fc.assert(
    fc.property(policies(TEXTS), fc.boolean(), roots, ways, (policy, six, root, way) => {
      const families = policy.families.filter(({ family }) => family === "ipv4");
      const own = { ...policy, families, guestsOverIpv6: six };
      let texts: readonly string[] = [];
      try {
        texts = networkAnchors(own, { root, ...way }).map(formatAnchor);
      } catch (error) {
        if (!(error instanceof UnsupportedNetworkError)) throw error;
      }
      for (const text of texts) {
        assertEquals(undefinedTables(parseRuleset(text)), [], text);
        assertEquals(equalRules(text), [], text);
        assert(text.endsWith("\n"));
        compiled++;
      }
    }),
    { numRuns: 1500 },
  );
  assert(compiled > 1000, `only ${compiled} anchors`);
});

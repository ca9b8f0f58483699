import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatAnchor, formatNatRule } from "../../../backends/pf/script.ts";
import { addressableInterface, interfaceWord } from "../../../backends/pf/interface_word.ts";
import { networkAnchors } from "../../../backends/pf/ruleset.ts";
import { UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { policies, TEXTS } from "../../support/arbitrary.ts";
import { subnet } from "../../support/definitions.ts";
import { parseRuleset, undefinedTables } from "../../support/pf/pf_grammar.ts";

Deno.test("an interface is named bare where its name means nothing else, and in quotes elsewhere", () => {
  const bare = ["re0", "virbr0", "vlan.10", "em0_1", "bridge12"];
  assertEquals(bare.map(interfaceWord), bare);
  const quoted = ["inet6", "pass", "from", "wan", "br-lan0", "0re0", "x y0", "$re0", "<t>0", "a#0"];
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
  for (const name of ["bridge", "tap", "lo", "all", "epair", "wg"]) {
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
    device: "re0",
    from: subnet("192.168.122.0/24"),
    ports: { start: 1024, end: 65535 },
  };
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

Deno.test("whatever the definition says, pfctl takes every line, and every table is defined", () => {
  let compiled = 0;
  const roots = fc.constantFrom("bridgewall", "libvirt", "a/b");
  const ways = fc.constantFrom({}, { defaultInterface: "re0" }, { defaultInterface: "wan" });
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
        assert(text.endsWith("\n"));
        compiled++;
      }
    }),
    { numRuns: 1500 },
  );
  assert(compiled > 1000, `only ${compiled} anchors`);
});

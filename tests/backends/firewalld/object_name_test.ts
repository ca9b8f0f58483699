import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import {
  allNames,
  filePath,
  MASQUERADE_POLICY,
  objectOfPath,
  POLICY_KINDS,
  policyName,
  zoneName,
} from "../../../backends/firewalld/object_name.ts";
import { INTERFACE_NAMES } from "../../support/arbitrary.ts";

/** Bridges that need no number, and such that look as if they had one. */
const PLAIN = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_]{0,7}$/);
const BRIDGES = fc.oneof(INTERFACE_NAMES, PLAIN, fc.stringMatching(/^[a-z_-]{1,15}$/));

Deno.test("an administrator finds the bridge in the names of its zone and policies", () => {
  assertEquals(allNames("virbr0"), [
    { kind: "zone", name: "bw-virbr0" },
    ...["lan", "to", "from", "in", "out", "nat", "ask", "port", "own"].map((end) => ({
      kind: "policy" as const,
      name: `bw-virbr0-${end}`,
    })),
  ]);
  assertEquals(zoneName("longname").name, "bw-longname");
  // The hint for names that meet promises so many letters, and no more.
  assertMatch(zoneName("ninechars").name, /^bw-_[0-9a-z]{7}$/);
});

Deno.test("names that do not fit are the same numbers in every version: files outlive a program", () => {
  // FNV-1a with 64 bits modulo 36^7, computed with Python.
  assertEquals(zoneName("virbr-lan").name, "bw-_1p3ah3k");
  assertEquals(zoneName("bridge_lan").name, "bw-_xyc2c0o");
  assertEquals(zoneName("br.7").name, "bw-_cw2lbcy");
  assertEquals(zoneName("_one").name, "bw-_o5gzvqe");
  assertEquals(zoneName("netzwerk-é").name, "bw-_pzxnp9w");
  assertEquals(policyName("virbr-lan", "from").name, "bw-_1p3ah3k-from");
});

Deno.test("every name fits into a chain of firewalld, whatever the bridge is called", () => {
  fc.assert(fc.property(BRIDGES, (bridge) => {
    for (const { name } of allNames(bridge)) {
      assert(name.length <= 17, name);
      assertMatch(name, /^bw-[A-Za-z0-9_]+(-[a-z]+)?$/);
    }
  }));
});

Deno.test("no bridge is called as the number of another one", () => {
  fc.assert(fc.property(PLAIN, BRIDGES, (plain, other) => {
    fc.pre(plain !== other);
    assertNotEquals(zoneName(plain).name, zoneName(other).name);
  }));
  // The number of one bridge may itself be the name of another.
  assertNotEquals(zoneName("_1p3ah3k").name, zoneName("virbr-lan").name);
});

Deno.test("no zone is called as a policy, which firewalld would not take", () => {
  const ends = fc.constantFrom(...POLICY_KINDS);
  const looksLikePolicy = fc.tuple(PLAIN, ends).map(([name, end]) => `${name.slice(0, 6)}-${end}`);
  fc.assert(fc.property(fc.oneof(BRIDGES, looksLikePolicy), BRIDGES, (one, other) => {
    const policies = allNames(other).filter(({ kind }) => kind === "policy");
    assert(!policies.some(({ name }) => name === zoneName(one).name));
  }));
});

Deno.test("the policy of masqueraded prefixes is called as nothing of any bridge", () => {
  assertEquals(MASQUERADE_POLICY, { kind: "policy", name: "bw-masquerade" });
  assert(MASQUERADE_POLICY.name.length <= 17);
  const looksLikeIt = fc.constantFrom("masquerade", "masquera", "masquerade-in", "bw-masquerade");
  fc.assert(fc.property(fc.oneof(looksLikeIt, BRIDGES), (bridge) => {
    assert(!allNames(bridge).some(({ name }) => name === MASQUERADE_POLICY.name));
  }));
});

Deno.test("the names of one bridge are all different", () => {
  fc.assert(fc.property(BRIDGES, (bridge) => {
    const names = allNames(bridge).map(({ name }) => name);
    assertEquals(new Set(names).size, POLICY_KINDS.length + 1);
  }));
});

Deno.test("a file tells whose it is", () => {
  assertEquals(filePath(zoneName("virbr0")), "/etc/firewalld/zones/bw-virbr0.xml");
  assertEquals(
    filePath(policyName("virbr0", "nat")),
    "/etc/firewalld/policies/bw-virbr0-nat.xml",
  );
  fc.assert(fc.property(BRIDGES, (bridge) => {
    for (const object of allNames(bridge)) assertEquals(objectOfPath(filePath(object)), object);
  }));
});

Deno.test("other files are of no object", () => {
  const paths = [
    "",
    "/etc/firewalld/firewalld.conf",
    "/etc/firewalld/zones/bw-virbr0.xml.old",
    "/etc/firewalld/services/bw-virbr0.xml",
    "/usr/lib/firewalld/zones/bw-virbr0.xml",
    "etc/firewalld/zones/bw-virbr0.xml",
  ];
  for (const path of paths) assertEquals(objectOfPath(path), undefined, path);
});

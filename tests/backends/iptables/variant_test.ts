import { assertEquals } from "@std/assert";
import { PROGRAMS, readVersion } from "../../../backends/iptables/variant.ts";

/** What `iptables --version` prints → version and variant. */
const VERSIONS: Readonly<Record<string, readonly [string, string]>> = {
  "iptables v1.8.9 (nf_tables)\n": ["1.8.9", "nft"],
  "iptables v1.8.9 (legacy)\n": ["1.8.9", "legacy"],
  "iptables v1.8.0 (nf_tables)\n": ["1.8.0", "nft"],
  "iptables v1.8.11 (nf_tables)": ["1.8.11", "nft"],
  "iptables v2.0 (legacy)\n": ["2.0", "legacy"],
};

for (const [stdout, [version, variant]] of Object.entries(VERSIONS)) {
  Deno.test(`"${stdout.trim()}" makes ${variant} rules`, () => {
    assertEquals<unknown>(readVersion({ status: 0, stdout, stderr: "" }), { version, variant });
  });
}

/** What is no answer, or that of a program that knows no variants. */
const OTHERS: readonly string[] = [
  "iptables v1.6.1\n",
  "iptables v1.4.21\n",
  "iptables v1.8.9 (ebtables)\n",
  "iptables v (nf_tables)\n",
  "ip6tables v1.8.9 (nf_tables)\n",
  "nftables v1.0.6 (Lester Gooch #5)\n",
  "a line before\niptables v1.8.9 (nf_tables)\n",
  "",
];

for (const stdout of OTHERS) {
  Deno.test(`${JSON.stringify(stdout)} tells of no variant`, () => {
    assertEquals(readVersion({ status: 0, stdout, stderr: "" }), undefined);
  });
}

Deno.test("a program that fails tells of no variant, whatever it prints", () => {
  const stdout = "iptables v1.8.9 (nf_tables)\n";
  for (const status of [1, 2, 126, 127]) {
    assertEquals(readVersion({ status, stdout, stderr: "" }), undefined);
  }
});

Deno.test("each variant has its own programs for each family, by names that mean nothing else", () => {
  assertEquals(PROGRAMS.map(({ variant, family }) => `${variant} ${family}`), [
    "nft ipv4",
    "nft ipv6",
    "legacy ipv4",
    "legacy ipv6",
  ]);
  for (const { variant, family, restore, save } of PROGRAMS) {
    const name = `${family === "ipv4" ? "iptables" : "ip6tables"}-${variant}`;
    assertEquals<unknown>([restore, save], [
      `${name}-restore`,
      { program: `${name}-save`, args: ["--counters"] },
    ]);
  }
});

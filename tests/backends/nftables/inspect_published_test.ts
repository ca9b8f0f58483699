import { assertEquals } from "@std/assert";
import { compareListing } from "../../../backends/nftables/inspect.ts";
import { readListing } from "../../../backends/nftables/listing.ts";
import type { Inspection } from "../../../core/firewall_backend.ts";
import { masqueradePolicy } from "../../../core/policy/masquerade.ts";
import type { CompiledPolicy } from "../../../core/policy/policy.ts";
import { parseNetwork } from "../../../core/network/parse_network.ts";
import { derivePolicy } from "../../../core/policy/derive_policy.ts";
import { subnet } from "../../support/definitions.ts";
import {
  answer,
  chain,
  concat,
  counted,
  type Json,
  jump,
  map,
  rule,
  set,
} from "../../support/nft_listing.ts";
import {
  MASQUERADE_LISTING,
  PREFIXES_LISTED,
  WEB,
  WEB_LISTING,
} from "../../support/nft_published_listing.ts";

const POLICY = derivePolicy({ network: parseNetwork(WEB, "test"), bridge: "virbr0" });
const WEB_POLICY: readonly CompiledPolicy[] = POLICY.kind === "filtered" ? [POLICY] : [];
const MASQUERADED = [masqueradePolicy(PREFIXES_LISTED.map(subnet))];

function inspect(objects: readonly Json[], policies: readonly CompiledPolicy[]): Inspection {
  return compareListing(readListing(answer(objects)), policies);
}

Deno.test("a table with published ports that is as it should be tells what each has carried", () => {
  const { networks, drift } = inspect(WEB_LISTING, WEB_POLICY);
  assertEquals(drift, []);
  assertEquals(networks.map((one) => [...one.counted ?? []]), [[
    ["8080:10.44.0.9:80/tcp", { packets: 2, bytes: 120 }],
    ["192.0.2.1:5000-5999:10.44.0.9:5000-5999/udp", { packets: 9, bytes: 900 }],
  ]]);
});

Deno.test("masqueraded prefixes that are as they should be tell what each has sent", () => {
  const { networks, drift } = inspect(MASQUERADE_LISTING, MASQUERADED);
  assertEquals(drift, []);
  assertEquals(networks, [{
    network: "/masquerade",
    counted: new Map([
      ["10.8.0.0/24", { packets: 0, bytes: 0 }],
      ["10.9.0.0/16", { packets: 1, bytes: 60 }],
    ]),
  }]);
});

/** The listing with the object of that kind and name replaced. */
function changed(
  listing: readonly Json[],
  kind: string,
  name: string,
  ...instead: readonly Json[]
): readonly Json[] {
  const index = listing.findIndex((one) =>
    kind in one && (one[kind] as Json)[kind === "rule" ? "chain" : "name"] === name
  );
  return listing.toSpliced(index, 1, ...instead);
}

const ANY: readonly [string, readonly string[]] = ["publish_any_ipv4", [
  "inet_proto",
  "inet_service",
]];

function anyPorts(...elem: readonly unknown[]): Json {
  return map(...ANY, elem, "ipv4_addr . inet_service");
}

const TARGETS: readonly [string, readonly string[]] = [
  "published_ipv4",
  ["inet_proto", "ipv4_addr", "inet_service"],
];
const COUNTING = { stmt: [{ counter: null }] };
const RIGHT = concat("tcp", "10.44.0.9", 80);
const PORT = concat("tcp", 8080);
const GUEST = concat("10.44.0.9", 80);

/** What somebody did to the table → what `check` says; the network where it is of one alone. */
const DRIFT: Readonly<Record<string, readonly [readonly Json[], string, string?]>> = {
  "a port leads nowhere": [
    changed(WEB_LISTING, "map", "publish_any_ipv4", anyPorts()),
    'Element tcp . 8080 of map "publish_any_ipv4" is missing, expected "10.44.0.9 . 80"',
    "web",
  ],
  "a port leads to another guest": [
    changed(
      WEB_LISTING,
      "map",
      "publish_any_ipv4",
      anyPorts([PORT, concat("10.44.0.66", 80)]),
    ),
    'Element tcp . 8080 of map "publish_any_ipv4" is "10.44.0.66 . 80", expected "10.44.0.9 . 80"',
    "web",
  ],
  "somebody has published a port": [
    changed(
      WEB_LISTING,
      "map",
      "publish_any_ipv4",
      anyPorts([PORT, GUEST], [concat("udp", 53), GUEST]),
    ),
    'Element udp . 53 : 10.44.0.9 . 80 of map "publish_any_ipv4" is not ours',
  ],
  "somebody has published many": [
    changed(
      WEB_LISTING,
      "map",
      "publish_any_ranges_ipv4",
      map(
        "publish_any_ranges_ipv4",
        ["inet_proto", "inet_service"],
        [[concat("tcp", { range: [1, 1023] }), "10.44.0.9"]],
        "ipv4_addr",
        { flags: ["interval"] },
      ),
    ),
    'Element tcp . 1-1023 : 10.44.0.9 of map "publish_any_ranges_ipv4" is not ours',
  ],
  "a guest is not let in any more": [
    changed(WEB_LISTING, "set", "published_ipv4", set(...TARGETS, [], COUNTING)),
    'Element tcp . 10.44.0.9 . 80 of set "published_ipv4" is missing',
    "web",
  ],
  "more is let in": [
    changed(
      WEB_LISTING,
      "set",
      "published_ipv4",
      set(...TARGETS, [counted(RIGHT), counted(concat("tcp", "10.44.0.9", 22))], COUNTING),
    ),
    'Element tcp . 10.44.0.9 . 22 of set "published_ipv4" is not ours',
  ],
  "a set does not count": [
    changed(WEB_LISTING, "set", "published_ipv4", set(...TARGETS, [counted(RIGHT)])),
    'The set "published_ipv4" is "set type inet_proto . ipv4_addr . inet_service;" instead of ' +
    '"set type inet_proto . ipv4_addr . inet_service; counter;"',
  ],
  "a set is a map": [
    changed(
      WEB_LISTING,
      "set",
      "published_ipv4",
      map(...TARGETS, [[RIGHT, { accept: null }]], "verdict", COUNTING),
    ),
    'The set "published_ipv4" is "map type inet_proto . ipv4_addr . inet_service : verdict; ' +
    'counter;" instead of "set type inet_proto . ipv4_addr . inet_service; counter;"',
  ],
  "a map that nobody asks is gone": [
    changed(WEB_LISTING, "map", "publish_ranges_ipv4"),
    'Map "publish_ranges_ipv4" is missing',
  ],
  "the guard is gone": [
    changed(WEB_LISTING, "rule", "guard"),
    'Rule 1 of chain "guard" is missing: iifname != "lo" ip daddr 127.0.0.0/8 drop',
  ],
  "the guard comes too late": [
    changed(
      WEB_LISTING,
      "chain",
      "guard",
      chain("guard", { type: "filter", hook: "prerouting", prio: -50, policy: "accept" }),
    ),
    'Chain "guard" is "filter prerouting -50 accept" instead of "filter prerouting -300 accept"',
  ],
  "what is routed through the host is looked up as well": [
    WEB_LISTING.toSpliced(
      WEB_LISTING.findIndex((one) => JSON.stringify(one).includes('"fib"')),
      1,
    ),
    'Rule 2 of chain "publish_ipv4" is missing: fib daddr type != local return',
  ],
  "the network does not know its own bridge": [
    changed(
      WEB_LISTING,
      "map",
      "hairpin",
      map("hairpin", "ifname", [["virbr1", jump("hairpin-virbr0")], [
        "virbr0",
        jump("hairpin-virbr0"),
      ]]),
    ),
    'Element "virbr1" : jump hairpin-virbr0 of map "hairpin" is not ours',
  ],
};

for (const [says, [objects, difference, network]] of Object.entries(DRIFT)) {
  Deno.test(`it is noticed and named when ${says}`, () => {
    const { drift } = inspect(objects, WEB_POLICY);
    const expected = network === undefined ? { difference } : { network, difference };
    assertEquals(
      drift.filter((one) => one.difference === difference),
      [expected],
      JSON.stringify(drift),
    );
  });
}

Deno.test("a rule that somebody added for published ports is named with its lookup", () => {
  const foreign = rule("from-virbr0", {
    match: { op: "!=", left: concat({ meta: { key: "l4proto" } }), right: "@published_ipv4" },
  }, { accept: null });
  const { drift } = inspect([...WEB_LISTING, foreign], WEB_POLICY);
  assertEquals(drift, [{
    network: "web",
    difference: 'Rule 6 of chain "from-virbr0" is not ours: meta l4proto != @published_ipv4 accept',
  }]);
});

Deno.test("a prefix that somebody took away or added is named, and is no network's", () => {
  const other = changed(
    MASQUERADE_LISTING,
    "set",
    "masquerade_ipv4",
    set("masquerade_ipv4", "ipv4_addr", [
      counted({ prefix: { addr: "10.8.0.0", len: 24 } }, 4, 240),
      counted({ range: ["10.7.0.0", "10.7.0.9"] }),
    ], { flags: ["interval"], ...COUNTING }),
  );
  const { drift, networks } = inspect(other, MASQUERADED);
  assertEquals(drift, [
    {
      network: "/masquerade",
      difference: 'Element 10.9.0.0/16 of set "masquerade_ipv4" is missing',
    },
    { difference: 'Element 10.7.0.0-10.7.0.9 of set "masquerade_ipv4" is not ours' },
  ]);
  assertEquals(networks.map((one) => [...one.counted ?? []]), [[
    ["10.8.0.0/24", { packets: 4, bytes: 240 }],
  ]]);
});

Deno.test("networks and prefixes stand in one table, each with what is its own", () => {
  const both = [...WEB_LISTING, ...MASQUERADE_LISTING];
  assertEquals(inspect(both, [...WEB_POLICY, ...MASQUERADED]).drift, []);
  const said = inspect(both, WEB_POLICY).drift.map(({ difference }) => difference);
  assertEquals(said, [
    'Chain "masquerade_ipv4" is not ours',
    'Set "masquerade_ipv4" is not ours',
    'Set "masquerade_within_ipv4" is not ours',
  ]);
});

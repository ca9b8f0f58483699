import { assertEquals, assertRejects } from "@std/assert";
import { inspectTable } from "../../../backends/nftables/inspect.ts";
import type { CommandResult } from "../../../core/command.ts";
import type { Drift, Inspection } from "../../../core/firewall_backend.ts";
import { type Host, HostError } from "../../../core/host.ts";
import { parseNetwork } from "../../../core/network/parse_network.ts";
import { derivePolicy } from "../../../core/policy/derive_policy.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { emptyWorld, startProcess } from "../../support/model_host.ts";
import {
  answer,
  chain,
  counter,
  DEFINITION,
  type Json,
  jump,
  LISTING,
  map,
  match,
  META,
  rule,
} from "../../support/nft_listing.ts";
import { scriptedRunner } from "../../support/scripted_runner.ts";

const { host: MODEL } = startProcess(emptyWorld(), {}).context;

const POLICIES: readonly FilteredPolicy[] = [
  derivePolicy({ network: parseNetwork(DEFINITION, "test"), bridge: "virbr0" }),
].flatMap((policy) => policy.kind === "filtered" ? [policy] : []);

async function inspect(
  nft: Partial<CommandResult>,
  policies = POLICIES,
): Promise<Inspection> {
  const runner = scriptedRunner(() => nft);
  const host: Host = { ...MODEL, run: runner.run };
  const inspection = await inspectTable(host, "bridgewall", policies);
  assertEquals(runner.ran, ["nft -j list table inet bridgewall"]);
  return inspection;
}

async function drift(
  objects: readonly Json[],
  policies = POLICIES,
): Promise<readonly Drift[]> {
  return (await inspect({ stdout: answer(objects) }, policies)).drift;
}

/** The objects of one kind and name, as a number in the listing. */
function indexOf(kind: string, name: string): number {
  return LISTING.findIndex((one) =>
    kind in one && (one[kind] as Json)[kind === "rule" ? "chain" : "name"] === name
  );
}

/** The listing with the object there replaced; nothing: left out. */
function changed(kind: string, name: string, ...instead: readonly Json[]): readonly Json[] {
  return LISTING.toSpliced(indexOf(kind, name), 1, ...instead);
}

Deno.test("a table that is as it should be has no drift, and tells its traffic", async () => {
  assertEquals(await inspect({ stdout: answer(LISTING) }), {
    networks: [{
      network: "lan",
      traffic: {
        out: { packets: 7, bytes: 700 },
        in: { packets: 5, bytes: 500 },
        rejected: { packets: 3, bytes: 300 },
      },
      counted: new Map(),
    }],
    drift: [],
  });
});

/** What somebody did to the table → what `check` says; the network where it is of one alone. */
const DRIFT: Readonly<Record<string, readonly [readonly Json[], string, string?]>> = {
  "a rule is gone": [
    changed("rule", "from-virbr0"),
    'Rule 1 of chain "from-virbr0" is missing: oifname "virbr0" accept',
    "lan",
  ],
  "a shared rule is gone": [
    changed("rule", "forward"),
    'Rule 1 of chain "forward" is missing: iifname vmap @from_bridge',
  ],
  "a foreign rule was added": [
    [...LISTING, rule("forward", match(META("iifname"), "eth0"), { drop: null })],
    'Rule 3 of chain "forward" is not ours: iifname "eth0" drop',
  ],
  "a rule stands twice": [
    [...LISTING, LISTING[indexOf("rule", "from-virbr0")] ?? {}],
    'The rules of chain "from-virbr0" are repeated or in another order',
    "lan",
  ],
  "rules stand in another order": [
    LISTING.toSpliced(
      indexOf("rule", "forward"),
      2,
      ...LISTING.filter((one) => one["rule"])
        .slice(0, 2).toReversed(),
    ),
    'The rules of chain "forward" are repeated or in another order',
  ],
  "a base chain lets nothing through": [
    changed(
      "chain",
      "forward",
      chain("forward", { type: "filter", hook: "forward", prio: 0, policy: "drop" }),
    ),
    'Chain "forward" is "filter forward 0 drop" instead of "filter forward 0 accept"',
  ],
  "a base chain has another priority": [
    changed(
      "chain",
      "postrouting",
      chain("postrouting", { type: "nat", hook: "postrouting", prio: 101, policy: "accept" }),
    ),
    'Chain "postrouting" is "nat postrouting 101 accept" instead of "nat postrouting 100 accept"',
  ],
  "a base chain is a regular one": [
    changed("chain", "forward", chain("forward")),
    'Chain "forward" is "" instead of "filter forward 0 accept"',
  ],
  "a foreign chain was added": [[...LISTING, chain("mine")], 'Chain "mine" is not ours'],
  "a foreign map was added": [
    [...LISTING, map("mine", "ipv4_addr", [["10.0.0.1", "10.0.0.2"]], "ipv4_addr")],
    'Map "mine" is not ours',
  ],
  "a foreign counter was added": [[...LISTING, counter("mine")], 'Counter "mine" is not ours'],
  "a foreign set was added": [
    [...LISTING, { set: { family: "inet", name: "mine", type: "ipv4_addr" } }],
    'Set "mine" is not ours',
  ],
  "an element is gone": [
    changed("map", "to_bridge", map("to_bridge", "ifname")),
    'Element "virbr0" of map "to_bridge" is missing, expected "jump to-virbr0"',
    "lan",
  ],
  "an element has another verdict": [
    changed("map", "from_bridge", map("from_bridge", "ifname", [["virbr0", { accept: null }]])),
    'Element "virbr0" of map "from_bridge" is "accept", expected "jump from-virbr0"',
    "lan",
  ],
  "a foreign element was added": [
    changed(
      "map",
      "translate_host_ipv6",
      map("translate_host_ipv6", "ipv6_addr", [["fd44::1", jump("nat-virbr0")]]),
    ),
    'Element fd44::1 : jump nat-virbr0 of map "translate_host_ipv6" is not ours',
  ],
  "a map has keys of another type": [
    changed("map", "translate_host_ipv6", map("translate_host_ipv6", "ifname")),
    'The map "translate_host_ipv6" is "map type ifname : verdict;" instead of ' +
    '"map type ipv6_addr : verdict;"',
  ],
  "a map is gone": [changed("map", "to_bridge"), 'Map "to_bridge" is missing'],
  "a chain is gone": [
    LISTING.filter((_, index) => index !== indexOf("chain", "nat-virbr0")),
    'Chain "nat-virbr0" is missing',
    "lan",
  ],
  "a counter is gone": [changed("counter", "in-virbr0"), 'Counter "in-virbr0" is missing', "lan"],
};

for (const [says, [objects, difference, network]] of Object.entries(DRIFT)) {
  Deno.test(`it is noticed and named when ${says}`, async () => {
    assertEquals(await drift(objects), [
      network === undefined ? { difference } : { network, difference },
    ]);
  });
}

Deno.test("a rule that was changed is named twice, as it should be and as it is", async () => {
  const first = rule("from-virbr0", match(META("oifname"), "virbr0"), { drop: null });
  assertEquals((await drift(changed("rule", "from-virbr0", first))).map((one) => one.difference), [
    'Rule 1 of chain "from-virbr0" is missing: oifname "virbr0" accept',
    'Rule 1 of chain "from-virbr0" is not ours: oifname "virbr0" drop',
  ]);
});

Deno.test("a network without its counters has no traffic to tell", async () => {
  const stdout = answer(changed("counter", "in-virbr0"));
  assertEquals((await inspect({ stdout })).networks, [{ network: "lan", counted: new Map() }]);
});

Deno.test("a network that is gone from the records is not ours any more", async () => {
  const differences = (await drift(LISTING, [])).map((one) => one.difference);
  for (const name of ["from-virbr0", "forward", "postrouting"]) {
    assertEquals(differences.includes(`Chain "${name}" is not ours`), true, name);
  }
});

const NO_TABLE = {
  status: 1,
  stderr: "Error: No such file or directory\nlist table inet bridgewall\n",
};

Deno.test("a table that is missing is one difference, of all networks", async () => {
  const { networks, drift: [only, ...more] } = await inspect(NO_TABLE);
  assertEquals([networks, more], [[{ network: "lan" }], []]);
  assertEquals(only?.network, undefined);
  assertEquals(only?.difference.startsWith('Table "inet bridgewall" is missing'), true);
});

Deno.test("without networks there need be no table", async () => {
  assertEquals(await inspect(NO_TABLE, []), { networks: [], drift: [] });
});

Deno.test("an nft that does not answer is an error, not drift", async () => {
  const stderr = "Error: cache initialization failed: Operation not permitted\nmore\n";
  await assertRejects(
    () => inspect({ status: 1, stderr }),
    HostError,
    'Cannot list the table "inet bridgewall": Error: cache initialization failed: Operation not',
  );
  await assertRejects(() => inspect({ status: 127, stderr: "nft: not found" }), HostError);
});

import { assert, assertEquals } from "@std/assert";
import type { Drift } from "../../../core/firewall_backend.ts";
import { inspect, installedPolicies, listings } from "./inspecting.ts";

const LISTINGS = listings();

/** What is said of a host whose IPv4 rules somebody edited. */
async function drift(edit: (listing: string) => string): Promise<readonly Drift[]> {
  const before = LISTINGS["iptables-nft-save"]?.replaceAll("[0:0] -A", "-A") ?? "";
  const after = edit(before);
  assert(before !== after, "the edit changes nothing");
  return (await inspect({ ...LISTINGS, "iptables-nft-save": after })).inspection.drift;
}

Deno.test("rules of others in the same tables are no drift", async () => {
  const others = "-A FORWARD -i docker0 -j DOCKER\n";
  assertEquals(
    await drift((text) =>
      text.replace(":INPUT", ":DOCKER - [0:0]\n:INPUT")
        .replace("-A FORWARD", `${others}$&`)
        .replace(/COMMIT\n$/, `${others}$&`)
    ),
    [],
  );
});

const FROM_GUESTS = '-i virbr0 -m comment --comment "lan: from its guests" -j BWALL_FROM_virbr0';
const GUEST_TO_GUEST = '-o virbr0 -m comment --comment "lan: guest to guest" -j ACCEPT';
const JUMP_FROM = "-m comment --comment bridgewall -j BRIDGEWALL_FROM";
const JUMP_TO = "-m comment --comment bridgewall -j BRIDGEWALL_TO";

/** What somebody did: a line → what stands there instead. */
type Edit = readonly [line: string, instead: string, difference: string, network?: string];

const EDITS: Readonly<Record<string, Edit>> = {
  "a jump is gone": [
    `-A FORWARD ${JUMP_FROM}`,
    "",
    "The jump from FORWARD to BRIDGEWALL_FROM is missing",
  ],
  "a jump stands twice": [
    `-A FORWARD ${JUMP_TO}`,
    `-A FORWARD ${JUMP_TO}\n-A FORWARD ${JUMP_TO}`,
    "The jump from FORWARD to BRIDGEWALL_TO is there 2 times",
  ],
  "jumps stand in another order": [
    `-A FORWARD ${JUMP_FROM}\n-A FORWARD ${JUMP_TO}`,
    `-A FORWARD ${JUMP_TO}\n-A FORWARD ${JUMP_FROM}`,
    "The jumps from FORWARD to our chains are in another order",
  ],
  "an entry is gone": [
    `-A BRIDGEWALL_FROM ${FROM_GUESTS}`,
    "",
    `A rule is missing from chain "BRIDGEWALL_FROM": ${FROM_GUESTS}`,
    "lan",
  ],
  "an entry stands twice": [
    `-A BRIDGEWALL_FROM ${FROM_GUESTS}`,
    `-A BRIDGEWALL_FROM ${FROM_GUESTS}\n-A BRIDGEWALL_FROM ${FROM_GUESTS}`,
    `A rule is 2 times in chain "BRIDGEWALL_FROM": ${FROM_GUESTS}`,
    "lan",
  ],
  "a foreign entry was added": [
    `-A BRIDGEWALL_FROM ${FROM_GUESTS}`,
    `-A BRIDGEWALL_FROM -i eth0 -j DROP\n-A BRIDGEWALL_FROM ${FROM_GUESTS}`,
    'A rule of chain "BRIDGEWALL_FROM" is not ours: -i eth0 -j DROP',
  ],
  "a rule is gone": [
    `-A BWALL_FROM_virbr0 ${GUEST_TO_GUEST}`,
    "",
    `Rule 1 of chain "BWALL_FROM_virbr0" is missing: ${GUEST_TO_GUEST}`,
    "lan",
  ],
  "a foreign rule was added": [
    `-A BWALL_FROM_virbr0 ${GUEST_TO_GUEST}`,
    `-A BWALL_FROM_virbr0 ${GUEST_TO_GUEST}\n-A BWALL_FROM_virbr0 ! -o eth0 -j ACCEPT`,
    'Rule 2 of chain "BWALL_FROM_virbr0" is not ours: ! -o eth0 -j ACCEPT',
    "lan",
  ],
  "a rule stands twice": [
    `-A BWALL_FROM_virbr0 ${GUEST_TO_GUEST}`,
    `-A BWALL_FROM_virbr0 ${GUEST_TO_GUEST}\n-A BWALL_FROM_virbr0 ${GUEST_TO_GUEST}`,
    'The rules of chain "BWALL_FROM_virbr0" are repeated or in another order',
    "lan",
  ],
  "a shared rule is gone": [
    '-A BRIDGEWALL_LET -m comment --comment "to the outside" -j ACCEPT',
    "",
    'Rule 2 of chain "BRIDGEWALL_LET" is missing: -m comment --comment "to the outside" -j ACCEPT',
  ],
  "a chain of no network was added": [
    ":BRIDGEWALL_FROM - [0:0]",
    ":BRIDGEWALL_FROM - [0:0]\n:BWALL_FROM_virbr7 - [0:0]",
    'Chain "BWALL_FROM_virbr7" of table filter belongs to no network',
  ],
};

for (const [says, [line, instead, difference, network]] of Object.entries(EDITS)) {
  Deno.test(`it is noticed and named when ${says}`, async () => {
    assertEquals(
      await drift((text) => text.replace(line, instead)),
      [
        network === undefined ? { difference } : { network, difference },
      ],
    );
  });
}

Deno.test("rules in another order are noticed, those of networks among each other are not", async () => {
  const swapLines = (chain: string) => (text: string): string =>
    text.replace(new RegExp(`(-A ${chain} .*\n)(-A ${chain} .*\n)`), "$2$1");
  assertEquals(await drift(swapLines("BWALL_TO_virbr0")), [{
    network: "lan",
    difference: 'The rules of chain "BWALL_TO_virbr0" are repeated or in another order',
  }]);
  assertEquals(await drift(swapLines("BRIDGEWALL_TO")), []);
});

Deno.test("a chain that is gone is named, with its network or for all", async () => {
  const without = (chain: string) => (text: string): string =>
    text.replace(new RegExp(`^:${chain} .*\n|^-A ${chain} .*\n`, "gm"), "");
  assertEquals(await drift(without("BWALL_TO_virbr1")), [
    { network: "other", difference: 'Chain "BWALL_TO_virbr1" is missing' },
  ]);
  assertEquals(await drift(without("BRIDGEWALL_INP")), [
    { difference: 'Chain "BRIDGEWALL_INP" is missing' },
  ]);
});

Deno.test("a rule that was changed is named twice, as it should be and as it is", async () => {
  const changed = await drift((text) => text.replace("--ctstate SNAT", "--ctstate DNAT"));
  assertEquals(changed.map(({ network }) => network), ["lan", "lan"]);
  const [missing = "", foreign = ""] = changed.map(({ difference }) => difference);
  assert(missing.startsWith('Rule 2 of chain "BWALL_FROM_virbr0" is missing: -s 10.44.0.0/24'));
  assert(foreign.startsWith('Rule 2 of chain "BWALL_FROM_virbr0" is not ours: -s 10.44.0.0/24'));
});

Deno.test("a host whose rules somebody flushed misses all of them, each named once", async () => {
  const flushed = await drift(() => "*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n");
  const said = flushed.map(({ difference }) => difference);
  assertEquals(said.length, new Set(said).size);
  assert(said.includes("The jump from POSTROUTING to BRIDGEWALL_POST is missing"));
  assert(said.includes('Chain "BWALL_FROM_virbr1" is missing'));
});

Deno.test("the rules of a network that is gone from the records belong to no network", async () => {
  const { inspection } = await inspect(LISTINGS, installedPolicies().slice(0, 1));
  const said = inspection.drift.map(({ difference }) => difference);
  assert(said.includes('Chain "BWALL_FROM_virbr1" of table filter belongs to no network'));
  assert(
    said.some((one) => one.startsWith('A rule of chain "BRIDGEWALL_TO" is not ours: -o virbr1')),
  );
  assertEquals(inspection.networks.map(({ network }) => network), ["lan"]);
});

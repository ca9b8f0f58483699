import { assert, assertEquals } from "@std/assert";
import { compileChange } from "../../../backends/iptables/compile.ts";
import type { Inspection } from "../../../core/firewall_backend.ts";
import { masqueradePolicy } from "../../../core/policy/masquerade.ts";
import { subnet } from "../../support/definitions.ts";
import { factsOf } from "./facts.ts";
import { inspect, installedPolicies } from "./inspecting.ts";
import { publishing } from "./publishing.ts";
import { installed, listing } from "./tables.ts";

const LAN = publishing("<forward/>", [
  'proto="tcp" port="8080" to="10.44.0.9:80" localhost="yes"',
  'proto="udp" port="5000-5001" to="10.44.0.9:6000"',
  'proto="sctp" port="7000-7100" to="[fd44::ffff:a00:1]" address="2001:db8::1"',
]);
const PREFIXES = masqueradePolicy([subnet("10.9.0.0/16"), subnet("fd99::/48")]);
const POLICIES = [LAN, PREFIXES];

const WEB = "8080:10.44.0.9:80/tcp";
const VOICE = "5000-5001:10.44.0.9:6000-6001/udp";
const SIX = "[2001:db8::1]:7000-7100:[fd44::ffff:a00:1]:7000-7100/sctp";

/** What each program lists; every rule has counted two packets of together 100 bytes. */
const LISTINGS = ((): Readonly<Record<"iptables-nft-save" | "ip6tables-nft-save", string>> => {
  const host = installed(new Map(), compileChange(POLICIES, factsOf()).networks);
  return {
    "iptables-nft-save": listing(host, "iptables-nft-restore", "[2:100]"),
    "ip6tables-nft-save": listing(host, "ip6tables-nft-restore", "[2:100]"),
  };
})();

async function edited(
  edit: (text: string) => string,
  program: keyof typeof LISTINGS = "iptables-nft-save",
): Promise<Inspection> {
  const text = edit(LISTINGS[program]);
  assert(text !== LISTINGS[program], "the edit changes nothing");
  const { inspection } = await inspect(
    { ...LISTINGS, [program]: text },
    installedPolicies(POLICIES),
  );
  return inspection;
}

const NOTHING = { packets: 0, bytes: 0 };

function counted(rules: number): typeof NOTHING {
  return { packets: 2 * rules, bytes: 100 * rules };
}

Deno.test("ports and prefixes that are as they should be have no drift, and tell what they carried", async () => {
  const { inspection } = await inspect(LISTINGS, installedPolicies(POLICIES));
  assertEquals(inspection.drift, []);
  const [lan, prefixes] = inspection.networks;
  assertEquals(lan?.counted, new Map([WEB, VOICE, SIX].map((spec) => [spec, counted(2)])));
  // Three ports count once each way, beside what the mode lets through.
  assertEquals(lan?.traffic, { out: counted(3 + 4), in: counted(3 + 3), rejected: counted(4) });
  assertEquals(prefixes?.network, "/masquerade");
  assertEquals(prefixes?.traffic, undefined);
  assertEquals(
    prefixes?.counted,
    new Map(["10.9.0.0/16", "fd99::/48"].map((prefix) => [prefix, counted(1)])),
  );
});

Deno.test("a port whose rule is gone tells nothing, the others go on", async () => {
  const { networks } = await edited((text) => text.replace(/.*-A BWALL_REQ_virbr0 .*6000.*\n/, ""));
  assertEquals([...networks[0]?.counted?.keys() ?? []].toSorted(), [WEB, SIX].toSorted());
  assertEquals(networks[0]?.traffic, undefined);
});

/** Who is named, and how what is said begins. */
type Said = readonly [network: string | undefined, difference: string];

const EDITS: Readonly<Record<string, readonly [line: RegExp, instead: string, ...Said[]]>> = {
  "a port leads nowhere": [/.*-A BWALL_PRE_virbr0 .*:6001\n/, "", [
    "lan",
    'Rule 4 of chain "BWALL_PRE_virbr0" is missing: ! -d 127.0.0.0/8 -p udp -m udp --dport 5001',
  ]],
  "a port leads to somebody else": [
    /10.44.0.9:6001$/m,
    "10.44.0.8:6001",
    ["lan", 'Rule 4 of chain "BWALL_PRE_virbr0" is missing'],
    ["lan", 'Rule 4 of chain "BWALL_PRE_virbr0" is not ours'],
  ],
  "more than what is published is let in": [/(.*-A BWALL_REQ_virbr0 )(.*\n)/, "$1-j ACCEPT\n$1$2", [
    "lan",
    'Rule 1 of chain "BWALL_REQ_virbr0" is not ours: -j ACCEPT',
  ]],
  "routed packets are led away as well": [
    /-A PREROUTING -m addrtype --dst-type LOCAL/,
    "-A PREROUTING",
    [undefined, "The jump from PREROUTING to BRIDGEWALL_PRE is missing"],
  ],
  "ports are not published for the host": [/.*-A OUTPUT .*PRE\n/, "", [
    undefined,
    "The jump from OUTPUT to BRIDGEWALL_PRE is missing",
  ]],
  "nothing comes back to its bridge": [/.*-A BRIDGEWALL_POST -o virbr0.*\n/, "", [
    "lan",
    'A rule is missing from chain "BRIDGEWALL_POST": -o virbr0 -m conntrack --ctstate DNAT',
  ]],
  "others may have 127.0.0.1": [/.*-A BRIDGEWALL_LO -d .*\n/, "", [
    undefined,
    'Rule 1 of chain "BRIDGEWALL_LO" is missing: -d 127.0.0.0/8 ! -i lo',
  ]],
  "a prefix is not translated": [/.*-A BRIDGEWALL_MASQ -s .*\n/, "", [
    "/masquerade",
    'A rule is missing from chain "BRIDGEWALL_MASQ": -s 10.9.0.0/16 ! -d 10.9.0.0/16',
  ]],
  "somebody else is translated": [/(.*-A BRIDGEWALL_MASQ )-s .*\n/, "$&$1-j MASQUERADE\n", [
    undefined,
    'A rule of chain "BRIDGEWALL_MASQ" is not ours: -j MASQUERADE',
  ]],
  "prefixes are asked before networks": [
    /(.*-A POSTROUTING .*POST\n)(.*-A POSTROUTING .*MASQ\n)/,
    "$2$1",
    [undefined, "The jumps from POSTROUTING to our chains are in another order"],
  ],
};

for (const [says, [line, instead, ...said]] of Object.entries(EDITS)) {
  Deno.test(`it is noticed and named when ${says}`, async () => {
    const { drift } = await edited((text) => text.replace(line, instead));
    assertEquals(drift.map(({ network }) => network), said.map(([network]) => network));
    for (const [index, [, difference]] of said.entries()) {
      assert(drift[index]?.difference.startsWith(difference), drift[index]?.difference);
    }
  });
}

Deno.test("an address is the same whatever form the programs print it in", async () => {
  const { drift } = await edited(
    (text) =>
      text.replaceAll(
        /(?<=--ctreplsrc |--to-destination )fd44::ffff:a00:1/g,
        "fd44:0:0:0:0:ffff:a00:1",
      ),
    "ip6tables-nft-save",
  );
  assertEquals(drift, []);
});

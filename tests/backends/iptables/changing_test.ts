import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { compileChange } from "../../../backends/iptables/compile.ts";
import type { NetworkChange } from "../../../core/change/change.ts";
import { masqueradePolicy } from "../../../core/policy/masquerade.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { PREFIXES } from "../../support/arbitrary.ts";
import { filtered, IPV4, subnet } from "../../support/definitions.ts";
import { hostilePolicies } from "./arbitrary_policies.ts";
import { compileOne, factsOf } from "./facts.ts";
import { publishing } from "./publishing.ts";
import {
  afterCommands,
  described,
  type HostTables,
  installCommands,
  installed,
  listing,
  removed,
} from "./tables.ts";

const NOTHING: HostTables = new Map();

function assertSame(one: HostTables, other: HostTables): void {
  assertEquals(described(one), described(other));
}

Deno.test("whatever a network becomes, it is the same as if it had never been something else", () => {
  const two = fc.tuple(hostilePolicies(), hostilePolicies());
  fc.assert(fc.property(two, fc.constantFrom("nft", "legacy"), ([one, next], variant) => {
    const other = { ...next, network: one.network, bridge: one.bridge };
    const before = compileOne(one, { variant });
    const after = compileOne(other, { variant, standing: [before] });
    const host = installed(NOTHING, [before]);
    assertSame(
      afterCommands(host, installCommands([after], [before])),
      installed(NOTHING, [compileOne(other, { variant })]),
    );
  }));
});

/** What differs between two networks of the same shape, as it is run. */
function adjusted(
  before: FilteredPolicy,
  after: FilteredPolicy,
  variant: "nft" | "legacy" = "nft",
): NetworkChange["adjustment"] {
  const standing = [compileOne(before, { variant })];
  return compileOne(after, { variant, standing, before: [before] }).adjustment;
}

Deno.test("single ports that come and go leave what they would have been made anew", () => {
  const two = fc.tuple(hostilePolicies(), hostilePolicies(), fc.infiniteStream(fc.boolean()));
  let times = 0;
  fc.assert(fc.property(two, fc.constantFrom("nft", "legacy"), ([one, next, choose], variant) => {
    const own = next.families.filter(({ published }) => published.length > 0);
    const some = (): FilteredPolicy => ({
      ...one,
      families: own.map((family) => ({
        ...family,
        published: family.published.filter(() => choose.next().value === true),
      })),
    });
    const [before, after] = [some(), some()];
    const steps = adjusted(before, after, variant);
    if (steps === undefined) return;
    times++;
    assertSame(
      afterCommands(
        installed(NOTHING, [compileOne(before, { variant })]),
        steps.map(({ command }) => command),
      ),
      installed(NOTHING, [compileOne(after, { variant })]),
    );
  }));
  assert(times > 10, `only ${times} times`);
});

const WEB = 'proto="tcp" port="8080" to="10.44.0.9:80"';
const MAIL = 'proto="tcp" port="25" to="10.44.0.8"';
const NAMES = 'proto="udp" port="53" to="10.44.0.7"';

/** The lines of an adjustment, each with its first words. */
function beginnings(steps: NetworkChange["adjustment"]): readonly string[] {
  return steps?.flatMap(({ command }) => command.stdin?.trimEnd().split("\n") ?? [])
    .map((line) => line.split(" ", 3).join(" ")) ?? [];
}

Deno.test("one more port brings in its own rules and touches no other", () => {
  const steps = adjusted(publishing("", [WEB, NAMES]), publishing("", [WEB, MAIL, NAMES]));
  assertEquals(beginnings(steps), [
    ...["*filter", "-I BWALL_ANS_virbr0 2", "-I BWALL_REQ_virbr0 2", "COMMIT"],
    ...["*nat", "-I BWALL_PRE_virbr0 2", "COMMIT"],
  ]);
});

Deno.test("a port that leads to another guest is let in there before it leads there", () => {
  const other = WEB.replace("10.44.0.9", "10.44.0.8");
  const steps = adjusted(publishing("", [WEB, NAMES]), publishing("", [other, NAMES]));
  assertEquals(beginnings(steps), [
    ...["*filter", "-I BWALL_ANS_virbr0 1", "-I BWALL_REQ_virbr0 1", "COMMIT"],
    ...["*nat", "-I BWALL_PRE_virbr0 1", "-D BWALL_PRE_virbr0 !", "COMMIT"],
    ...["*filter", "-D BWALL_ANS_virbr0 -m", "-D BWALL_REQ_virbr0 -m", "COMMIT"],
  ]);
});

Deno.test("the first port brings in all that ports need, and the last takes it away again", () => {
  const [none, some] = [publishing("", []), publishing("", [`${WEB} localhost="yes"`])];
  const [first, ...beside] = adjusted(none, some) ?? [];
  assertEquals(beginnings(first === undefined ? [] : [first]).filter((line) => /^[*]/.test(line)), [
    ...["*filter", "*raw", "*nat"],
  ]);
  assertEquals(beside.map(({ command }) => command.args.at(-1)), [
    "net/ipv4/conf/virbr0/route_localnet=1",
  ]);
  const tables = beginnings(adjusted(publishing("", [WEB]), none)).filter((line) =>
    /^[*]/.test(line)
  );
  assertEquals(tables, ["*nat", "*filter"]);
});

Deno.test("what another network needs as well stays when the last port goes", () => {
  const web = publishing("", [WEB]);
  const other = { ...publishing("", [MAIL], "other"), bridge: "virbr1" };
  const standing = compileChange([web, other], factsOf()).networks;
  const after = compileOne(publishing("", []), { standing, before: [web] });
  const host = afterCommands(
    installed(NOTHING, standing),
    after.adjustment?.map(({ command }) => command) ?? [],
  );
  assertSame(
    host,
    installed(NOTHING, [...compileChange([publishing("", []), other], factsOf()).networks]),
  );
});

Deno.test("a network is made anew where more than its ports would change", () => {
  const [web, local] = [publishing("", [WEB]), publishing("", [`${WEB} localhost="yes"`])];
  assertEquals(adjusted(local, web), undefined);
  assertEquals(adjusted(publishing("", [WEB, MAIL]), publishing("", [MAIL, WEB])), undefined);
  const standing = [compileOne(web, { variant: "nft" })];
  const more = publishing("", [WEB, MAIL]);
  const switched = compileOne(more, { variant: "legacy", standing, before: [web] });
  assertEquals(switched.adjustment, undefined);
  assertEquals(compileOne(more, { standing }).adjustment, undefined);
  assertEquals(compileOne(more, { before: [web] }).adjustment, undefined);
});

const PUBLISHING = publishing("<forward><nat ipv6='yes'/></forward>", [
  `${WEB} localhost="yes"`,
  'proto="tcp" port="8080" to="[fd44::9]:80"',
]);

Deno.test("prefixes come and go beside networks, and are asked after them whatever came first", () => {
  fc.assert(fc.property(PREFIXES, PREFIXES, fc.boolean(), (one, next, first) => {
    const [before, after] = [one, next].map(masqueradePolicy);
    assert(before !== undefined && after !== undefined);
    const network = compileOne(PUBLISHING);
    const prefixes = compileOne(before, { standing: first ? [] : [network] });
    const alone = installed(NOTHING, [first ? prefixes : network]);
    const both = first
      ? installed(alone, [compileOne(PUBLISHING, { standing: [prefixes] })])
      : installed(alone, [prefixes]);
    const changed = compileOne(after, { standing: [network, prefixes] });
    const host = afterCommands(both, installCommands([changed], [prefixes]));
    for (const tables of host.values()) {
      const jumps = tables.get("nat")?.get("POSTROUTING") ?? [];
      const targets = jumps.map((rule) => rule.split(" ").at(-1));
      assert(!targets.slice(0, -1).includes("BRIDGEWALL_MASQ"), targets.join());
    }
    assertSame(removed(host, [changed], [network]), installed(NOTHING, [network]));
    assertSame(removed(host, [changed, network]), NOTHING);
  }));
});

Deno.test("what networks share goes with the last that needs it", () => {
  const [web, other] = compileChange([
    PUBLISHING,
    { ...publishing("", [MAIL], "other"), bridge: "virbr1" },
  ], factsOf()).networks;
  assert(web !== undefined && other !== undefined);
  const left = removed(installed(NOTHING, [web, other]), [web], [other]);
  assertSame(left, installed(NOTHING, [other]));
  const listed = listing(left, "iptables-nft-restore");
  assert(listed.includes("-j BRIDGEWALL_PRE") && !listed.includes("BRIDGEWALL_LO"), listed);
});

Deno.test("what stands of ports and prefixes is known from the records, and all of it goes", () => {
  const prefixes = masqueradePolicy([subnet("10.9.0.0/16"), subnet("fd99::/48")]);
  const policies = [PUBLISHING, prefixes, { ...filtered(IPV4, "plain"), bridge: "virbr1" }];
  const { networks } = compileChange(policies, factsOf());
  const host = installed(NOTHING, networks);
  const saved = {
    "iptables-nft-save": listing(host, "iptables-nft-restore"),
    "ip6tables-nft-save": listing(host, "ip6tables-nft-restore"),
  };
  assertEquals(compileChange(policies, factsOf({ standing: networks, saved })).drifted, false);
  for (const chain of ["PREROUTING", "BRIDGEWALL_PRE", "BRIDGEWALL_MASQ"]) {
    const line = new RegExp(`.*-A ${chain} .*\n`);
    const edited = { ...saved, "iptables-nft-save": saved["iptables-nft-save"].replace(line, "") };
    assert(edited["iptables-nft-save"] !== saved["iptables-nft-save"]);
    const { drifted } = compileChange(policies, factsOf({ standing: networks, saved: edited }));
    assertEquals(drifted, true, chain);
  }
  const { reset } = compileChange([], factsOf({ saved }));
  assertSame(afterCommands(host, reset), NOTHING);
});

Deno.test("masqueraded prefixes are no network in messages, and needed in the families they have", () => {
  const { install, warnings } = compileOne(masqueradePolicy([subnet("fd99::/48")]));
  assertEquals(warnings, []);
  for (const { purpose, command, optional } of install) {
    assertEquals(purpose, "load the iptables rules of masqueraded prefixes");
    assertEquals([command.program, optional], ["ip6tables-nft-restore", undefined]);
  }
});

Deno.test("127.0.0.1 leads to guests only while others are kept from it", () => {
  const { install, removal } = compileOne(PUBLISHING);
  const routing = install.filter(({ command }) => command.program === "sysctl");
  assertEquals(routing.map(({ command: { args } }) => args.at(-1)), [
    "net/ipv4/conf/virbr0/route_localnet=1",
  ]);
  const undone = removal.flatMap(({ commands }) => commands)
    .filter(({ program }) => program === "sysctl");
  assertEquals(undone.map(({ args }) => args.at(-1)), ["net/ipv4/conf/virbr0/route_localnet=0"]);
  const tables = removal.flatMap(({ commands }) => commands)
    .map(({ stdin = "" }) => stdin.split("\n", 1)[0]);
  assert(tables.includes("*raw"), tables.join());
});

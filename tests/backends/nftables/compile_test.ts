import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { compileChange } from "../../../backends/nftables/compile.ts";
import type { Command } from "../../../core/command.ts";
import {
  type Facts,
  NoBackendError,
  UnsupportedNetworkError,
} from "../../../core/firewall_backend.ts";
import { describeRuleset, runScript } from "../../support/model_nft.ts";
import { INTERFACE_NAMES, policies, PREFIXES } from "../../support/arbitrary.ts";
import { standing } from "../../support/operation.ts";
import { filtered, FRESH_FACTS, FRESH_HOST, IPV4, IPV6 } from "../../support/definitions.ts";
import { masqueradePolicy } from "../../../core/policy/masquerade.ts";
import type { CompiledPolicy, FilteredPolicy } from "../../../core/policy/policy.ts";

/** The typed tokens of the scripts. None holds a quote, a brace or a line break but in its place. */
const TOKENS: Readonly<Record<string, string>> = {
  TABLE: "inet bridgewall",
  NAME: "[a-z][A-Za-z0-9/._-]*",
  STRING: '"[^"\\r\\n\\0]*"',
  COMMENT: '"[^"\\p{Cc}\\p{Zl}\\p{Zp}\\p{Cs}]{1,127}"',
  ADDRESS: "[0-9a-f.:]+",
  SUBNET: "[0-9a-f.:]+(?:/\\d{1,3})?",
  SET: "(?:SUBNET|\\{ SUBNET(?:, SUBNET)+ \\})",
  PORTS: "\\d{1,5}(?:-\\d{1,5})?",
  RANGE: "ADDRESS(?:-ADDRESS)?",
  FIELD: "(?:ip|ip6) (?:saddr|daddr)",
  MATCH: "FIELD (?:!= )?SET|[io]ifname (?:!= )?STRING|ct state established,related|" +
    "ct state new,related|ct state related|ct direction (?:original|reply)|" +
    "ct status (?:expected,snat|dnat|! confirmed)|meta nfproto != ipv[46]|" +
    "fib daddr type != local|meta l4proto (?:\\{ tcp, udp \\}|icmp|ipv6-icmp)|" +
    "meta l4proto \\. FIELD \\. th [sd]port @published(?:_ranges)?_ipv[46]|" +
    "FIELD \\. FIELD @masquerade_within_ipv[46]|FIELD @masquerade_ipv[46]",
  MAP: "@(?:from_bridge|to_bridge|hairpin|translate_from_bridge|translate_host_ipv[46])",
  VMAP: "(?:ct status dnat )?[io]ifname vmap MAP|[io]ifname != STRING (?:ip|ip6) saddr vmap MAP",
  LOOKUP: "(?:FIELD \\. )?meta l4proto \\. th dport map @publish(?:_any)?(?:_ranges)?_ipv[46]",
  DNAT: "dnat (?:ip|ip6) (?:addr \\. port )?to LOOKUP",
  END: "accept|return|reject|drop|masquerade(?: to :PORTS)?|snat ip to RANGE(?::PORTS)?|DNAT",
  STATEMENTS: "(?:VMAP|(?:(?:MATCH) )*(?:counter name STRING )?(?:END))",
  HOOK: "type (?:filter hook (?:forward priority filter|prerouting priority raw)|" +
    "nat hook (?:postrouting priority srcnat(?: [+-] 1)?|(?:prerouting|output) priority -100)); " +
    "policy accept;",
  TYPE: "(?:ifname|ipv4_addr|ipv6_addr|inet_proto|inet_service)",
  TYPES: "TYPE(?: \\. TYPE){0,2}",
  TRANSPORT: "(?:tcp|udp|sctp)",
  KEY: "(?:STRING|SUBNET(?: \\. SUBNET)?|(?:ADDRESS \\. )?TRANSPORT \\. (?:ADDRESS \\. )?PORTS)",
  VALUE: "(?:jump NAME|ADDRESS(?: \\. \\d{1,5})?)",
  MEMBER: "KEY(?: : VALUE)?",
};

const LINES: readonly string[] = [
  "(?:add|delete) table TABLE",
  "add map TABLE NAME \\{ type TYPES : (?:verdict|TYPES);(?: flags interval;)? \\}",
  "add set TABLE NAME \\{ type TYPES;(?: flags interval;)?(?: counter;)? \\}",
  "add chain TABLE NAME \\{ HOOK(?: comment COMMENT;)? \\}",
  "add chain TABLE NAME(?: \\{ comment COMMENT; \\})?",
  "add counter TABLE NAME(?: \\{ comment COMMENT; \\})?",
  "(?:flush|delete) chain TABLE NAME",
  "delete (?:map|set|counter) TABLE NAME",
  "flush set TABLE NAME",
  "add rule TABLE NAME STATEMENTS comment COMMENT",
  "add element TABLE NAME \\{ MEMBER(?:, MEMBER){0,31} \\}",
  "delete element TABLE NAME \\{ KEY(?:, KEY){0,31} \\}",
];

function expand(pattern: string): string {
  const next = pattern.replace(/[A-Z]{3,}/g, (word) => TOKENS[word] ?? word);
  return next === pattern ? pattern : expand(next);
}

const NFT_LINE = new RegExp(`^(?:${LINES.map(expand).join("|")})$`, "u");

/** What the kernel itself is told or asked, and nothing else. */
const SYSCTL =
  /^(?:-q -w net\/ipv4\/conf\/[^ /]{1,15}\/route_localnet=[01]|-n net\.netfilter\.\w+)$/;

const WORD = "[A-Za-z0-9_.@+=,~^-]+";
const TC_LINE = new RegExp(
  `^(?:qdisc (?:replace|del) dev ${WORD} clsact|filter del dev ${WORD} egress protocol ip pref ` +
    `49152|filter replace dev ${WORD} egress protocol ip pref 49152 handle 1 flower ip_proto udp ` +
    "dst_port 68 action csum ip and udp)$",
);

function commandsOf(policy: CompiledPolicy, facts: Facts): readonly Command[] {
  const { networks, reset } = compileChange("bridgewall", [policy], facts);
  return [
    ...networks.flatMap(({ install }) => install.map(({ command }) => command)),
    ...networks.flatMap(({ removal }) => removal.flatMap(({ commands }) => commands)),
    ...reset,
  ];
}

function assertGrammar({ program, args, stdin = "" }: Command): void {
  if (program === "sysctl") return assert(SYSCTL.test(args.join(" ")), args.join(" "));
  assert(program === "nft" || program === "tc", program);
  assertEquals(args, program === "nft" ? ["-f", "-"] : ["-force", "-batch", "-"]);
  assert(stdin.endsWith("\n"));
  for (const line of stdin.slice(0, -1).split("\n")) {
    assert((program === "nft" ? NFT_LINE : TC_LINE).test(line), line);
  }
}

Deno.test("nothing of a definition gets out of its place in a script", () => {
  fc.assert(
    fc.property(policies(), (policy) => {
      const host = { ...FRESH_HOST, interfaces: [policy.bridge] };
      try {
        commandsOf(policy, { ...FRESH_FACTS, host }).forEach(assertGrammar);
      } catch (error) {
        if (!(error instanceof UnsupportedNetworkError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("masqueraded prefixes are told in the same words", () => {
  fc.assert(fc.property(PREFIXES, (prefixes) => {
    commandsOf(masqueradePolicy(prefixes), FRESH_FACTS).forEach(assertGrammar);
  }));
});

Deno.test("the grammar of that test knows a breach when it sees one", () => {
  const breaches = [
    'add rule inet bridgewall x oifname "a" accept; drop comment "x"',
    'add rule inet bridgewall x oifname "a"b" accept comment "x"',
    'add rule inet bridgewall x oifname "a" accept comment "x\u0085"',
    "add rule inet bridgewall x accept",
    "add table inet other",
    "flush ruleset",
    'add element inet bridgewall m { "a" : drop }',
    "add element inet bridgewall m { tcp . 80 : 10.0.0.1 . 80; }",
    "add element inet bridgewall m { tcp . 80 : 10.0.0.1 . 80 . 80 }",
    "add element inet bridgewall m { icmp . 80 : 10.0.0.1 }",
    "delete element inet bridgewall m { tcp . 80 : 10.0.0.1 . 80 }",
    "flush map inet bridgewall m",
    "add set inet bridgewall s { type ifname; elements = { x } }",
    'add rule inet bridgewall x dnat ip to 10.0.0.1 comment "x"',
    `add chain inet bridgewall x { comment "${"x".repeat(128)}"; }`,
  ];
  for (const line of breaches) assert(!NFT_LINE.test(line), line);
  assert(!TC_LINE.test("qdisc del dev a clsact; filter"));
  assert(!SYSCTL.test("-q -w net/ipv4/conf/a/forwarding=1"));
  assert(!SYSCTL.test("-q -w net/ipv4/conf/a/b/route_localnet=1"));
});

function script(commands: readonly Command[]): string {
  return commands.filter(({ program }) => program === "nft").map(({ stdin }) => stdin).join("");
}

Deno.test("what is installed can be installed again, and removed twice", () => {
  fc.assert(fc.property(policies(undefined, INTERFACE_NAMES.filter(isWritable)), (policy) => {
    const [change] = compileChange("bridgewall", [policy], FRESH_FACTS).networks;
    assert(change !== undefined);
    const install = script(change.install.map(({ command }) => command));
    const removal = script(change.removal.flatMap(({ commands }) => commands));
    const once = runScript(new Map(), install);
    const twice = runScript(once.ruleset, install);
    assertEquals([once.error, twice.error], [undefined, undefined]);
    assertEquals(describeRuleset(twice.ruleset), describeRuleset(once.ruleset));
    const gone = runScript(once.ruleset, removal);
    assertEquals([gone.error, describeRuleset(gone.ruleset)], [undefined, ""]);
    assertEquals(runScript(gone.ruleset, removal).error, undefined);
  }));
});

function isWritable(name: string): boolean {
  return /^[!#-)+-~]+$/.test(name); // what the model's patterns know
}

Deno.test("a network goes without touching the objects of another", () => {
  const nat = "<forward><nat ipv6='yes'/></forward>";
  const one = { ...filtered(nat + IPV4 + IPV6, "one"), bridge: "virbr0" };
  const addresses = (IPV4 + IPV6).replace("10.44", "10.45").replace("fd44", "fd45");
  const other = { ...filtered(nat + addresses, "other"), bridge: "virbr1" };
  const scriptsOf = (policy: FilteredPolicy): readonly [string, readonly string[]] => {
    const [change] = compileChange("bridgewall", [policy], FRESH_FACTS).networks;
    const removal = (change?.removal ?? []).flatMap(({ commands }) => commands);
    return [
      script((change?.install ?? []).map(({ command }) => command)),
      removal.map(({ stdin = "" }) => stdin),
    ];
  };
  const [installOne, removeOne] = scriptsOf(one);
  const [installOther, removeOther] = scriptsOf(other);
  const shared = removeOne.filter((text) => removeOther.includes(text));
  assertEquals(shared.length, 3); // the two hooks and the table
  const alone = runScript(new Map(), installOther).ruleset;
  const both = runScript(runScript(new Map(), installOne).ruleset, installOther).ruleset;
  const own = removeOne.filter((text) => !shared.includes(text)).join("");
  const left = runScript(both, own);
  assertEquals([left.error, describeRuleset(left.ruleset)], [undefined, describeRuleset(alone)]);
});

Deno.test("a kernel on which translation fails in silence is refused", () => {
  const on = (kernel: string): unknown =>
    compileChange("x", [], { ...FRESH_FACTS, host: { ...FRESH_HOST, kernel } });
  assertThrows(() => on("5.4.0-150-generic"), NoBackendError, "kernel 5.4.0 is older than 5.15");
  on("5.15.0");
  on("6.18.44-fc");
});

Deno.test("the table has the name that the administrator chose", () => {
  const { reset, networks } = compileChange("my-table", [filtered(IPV4)], FRESH_FACTS);
  const commands = [...reset, ...networks.flatMap(({ install }) => install.map((s) => s.command))];
  for (const line of script(commands).trimEnd().split("\n")) {
    assert(/^(add|delete|flush) \w+ inet my-table( |$)/.test(line), line);
  }
});

Deno.test("all is made anew also when the table had another name before", () => {
  const { networks: [before] } = compileChange("old-table", [filtered(IPV4)], FRESH_FACTS);
  assert(before !== undefined);
  const records = [standing(...before.removal)];
  const { reset } = compileChange("new", [], { ...FRESH_FACTS, records });
  assertEquals(reset.map(({ stdin }) => stdin), [
    "add table inet new\ndelete table inet new\n",
    "add table inet old-table\ndelete table inet old-table\n",
  ]);
});

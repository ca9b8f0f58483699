/** The grammar check itself: what it takes, what it refuses, and where. */
import { assertEquals } from "@std/assert";
import { problemOfAnchorPath } from "../../support/pf/pf_anchor_rules.ts";
import { parseRuleset, undefinedTables } from "../../support/pf/pf_grammar.ts";
import { PfSyntaxError } from "../../support/pf/pf_words.ts";

const ACCEPTED = [
  "",
  "# only a comment",
  "\n  \n",
  "pass\n",
  "pass all\n  # the end",
  "block drop on virbr0\n",
  "pass \\\n  all\n",
  "table <guests> persist const counters { 10.0.0.0/8, !10.1.0.0/16 fd00::/8 }\n",
  "table <empty> {\n}\n",
  "table <lines> {\n 10.0.0.1\n 10.0.0.2,\t10.0.0.3\n}\n",
  `table <${"t".repeat(31)}> persist\n`,
  "set skip on lo0\nset skip on { lo1, tap }\nset block-policy return\nset state-policy if-bound\n",
  "scrub in on re0 all fragment reassemble no-df max-mss 1440\n",
  "nat pass on re0 inet from 10.0.0.0/8 to any -> (re0)\n",
  "nat on re0 inet6 from fd00::/64 to any -> (re0:0)\n",
  "nat on { re0, re1 } from <guests> to ! <guests> -> { 192.0.2.1, 192.0.2.2 } sticky-address\n",
  "nat on re0 proto udp from 10.0.0.0/8 port 500 to any -> 192.0.2.1 static-port\n",
  "nat on re0 from 10.0.0.0/8 to any tag OUT ! tagged NO -> 192.0.2.1 port 1024:65535\n",
  "nat on re0 from 10.0.0.0/8 to any -> 192.0.2.0/24 source-hash\n",
  "nat on re0 from 10.0.0.0/8 to any -> <addresses> round-robin\n",
  "no nat on re0 from 10.0.0.0/8 to 10.0.0.0/8\n",
  "rdr pass on re0 proto tcp from any to (re0) port 80 -> 10.0.0.2 port 8080\n",
  "rdr on re0 proto tcp from any to 192.0.2.1 port 80:90 -> 10.0.0.2 port 8080:*\n",
  "rdr on re0 proto { tcp, udp } from any to 192.0.2.1 port { 53, 853 } -> 10.0.0.2\n",
  "no rdr on re0 proto tcp from any to any port 22\n",
  "binat on re0 from 10.0.0.2 to any -> 192.0.2.2\nno binat on re0 inet from 10.0.0.3 to any\n",
  "pass in log quick on virbr0 inet proto udp from any port 68 to { 255.255.255.255 10.0.0.1 } port 67\n",
  "pass quick log on virbr0\n",
  "block return-rst in quick on re0 proto tcp\nblock return-icmp out on re1 all\n",
  'pass from 10.0.0.1 to any flags S/SA keep state (max 10, if-bound sloppy) label "a b" tag X\n',
  "pass from 10.0.0.1 to any tagged X allow-opts no state flags any\n",
  "pass proto tcp all modulate state\npass proto tcp from any to 10.0.0.1 synproxy state\n",
  "pass inet proto icmp all icmp-type { echoreq, 11 code 0 }\n",
  "pass inet6 proto icmp6 all icmp6-type neighbrsol\n",
  "pass proto { tcp, udp } from any port = 1 to any port != 2\n",
  "pass proto tcp from any port 1024 >< 2048 to any port 1<>9\n",
  "pass proto tcp from port > 1023 to port { < 10, >= 2000, <= 11, 20:30 }\n",
  "pass on ! re0\npass on { re0, !re1 }\n",
  "pass from { 10.0.0.1, ! 10.0.0.2 } to (virbr0:network)\n",
  "pass from { 10.0.0.0/8, fd00::/8 } to { 10.0.0.1, fd00::1 }\n",
  'anchor "libvirt/*"\nanchor foo in quick on re0 inet all\nanchor "/abs/x" from 10.0.0.1 tag T\n',
  'nat-anchor "libvirt/*"\nrdr-anchor "libvirt/*" on re0\nbinat-anchor "libvirt/*"\n',
  'anchor "libvirt\\*"\n',
  'pass on "table"\npass on "{$e};#>"\npass from ("a$b:0")\n',
];

function refusal(text: string): string | undefined {
  try {
    parseRuleset(text);
    return undefined;
  } catch (error) {
    if (error instanceof PfSyntaxError) return error.message;
    throw error;
  }
}

Deno.test("pf grammar: what all versions of pfctl take is taken", () => {
  const refused = ACCEPTED.map((text) => ({ text, why: refusal(text) }))
    .filter(({ why }) => why !== undefined);
  assertEquals(refused, []);
});

const REFUSED: readonly (readonly [string, string])[] = [
  ["pass all", "1: syntax error"],
  ["pass all\nblock all", "2: syntax error"],
  ["pass all # no newline", "1: syntax error"],
  ["pass \\ all\n", "1: "],
  ["pass all\r\n", "1: "],
  ['pass label "open\n', "1: "],
  ['anchor "a\\"\n', "1: "],
  ["pass $ext\n", "1: "],
  ["pass quick quick\n", "1: syntax error"],
  ["pass on re0 in\n", "1: syntax error"],
  ["pass inet on re0\n", "1: syntax error"],
  ["pass proto tcp inet\n", "1: syntax error"],
  ["pass to any from any\n", "1: syntax error"],
  ["pass on table\n", "1: syntax error"],
  ["pass on nat-to\n", "1: syntax error"],
  ["pass on any\n", "1: syntax error"],
  ["pass on {}\n", "1: "],
  ["pass on { re0, }\n", "1: syntax error"],
  [`pass on ${"i".repeat(16)}\n`, "1: interface too long"],
  ["pass from re0\n", "1: could not parse host specification"],
  ["pass from localhost\n", "1: could not parse host specification"],
  ["pass from 10.0.0\n", "1: could not parse host specification"],
  ["pass from 010.0.0.1\n", "1: could not parse host specification"],
  ["pass from 10.0.0.1/33\n", "1: "],
  ["pass from 10.0.0.1/24\n", "1: "],
  ["pass from ! any\n", "1: could not parse host specification"],
  ["pass from { any, 10.0.0.1 }\n", "1: could not parse host specification"],
  ["pass from 10.0.0.1 to fd00::1\n", "1: rule expands to no valid combination"],
  ["pass inet6 from 10.0.0.1\n", "1: rule expands to no valid combination"],
  ['pass from ("{$e};#>")\n', "1: invalid interface name '{$e};#>'"],
  ["pass from (re0:peer)\n", "1: interface has bad modifier"],
  [`pass from (${"i".repeat(16)}:0)\n`, "1: interface too long"],
  [`table <${"t".repeat(32)}> persist\n`, "1: table too long"],
  ["table <a> { 10.0.0.1 }\ntable <a> { 10.0.0.2 }\n", "2: "],
  ["table <a> { 10.0.0.1, !10.0.0.1 }\n", "1: "],
  ["table <a> { <b> }\n", "1: "],
  ["table <a> { (re0) }\n", "1: "],
  ["table <a> {\n 10.0.0.1,\n 10.0.0.2\n}\n", "2: "],
  ["table <a> permanent\n", "1: invalid table option"],
  ["table <__automatic_1> persist\n", "1: "],
  [`pass tag ${"t".repeat(64)}\n`, "1: tag too long"],
  [`pass label ${"l".repeat(64)}\n`, "1: label too long"],
  ['pass label "$if"\n', "1: "],
  ["pass tag a tag b\n", "1: tag cannot be redefined"],
  ["pass keep state no state\n", "1: state cannot be redefined"],
  ["pass keep state (max)\n", "1: "],
  ["pass keep state (if-bound, floating)\n", "1: "],
  ["pass proto tcp all modulate state (sloppy)\n", "1: "],
  ["block keep state\n", "1: keep state is only for pass rules"],
  ["block allow-opts\n", "1: allow-opts can only be specified for pass rules"],
  ["block return-rst all\n", "1: return-rst can only be applied to TCP rules"],
  ["block return-rst proto { tcp, udp } all\n", "1: return-rst can only be applied to TCP rules"],
  ["pass proto udp all flags S/SA\n", "1: flags only apply to tcp"],
  ["pass flags S/A\n", "1: flags always false"],
  ["pass flags X/SA\n", "1: bad flags"],
  ["pass from any port 80\n", "1: port only applies to tcp/udp"],
  ["pass proto icmp from any to any port 80\n", "1: port only applies to tcp/udp"],
  ["pass proto tcp to port http\n", "1: unknown port"],
  ["pass proto tcp to port 65536\n", "1: illegal port value"],
  ["pass proto tcp to port 010\n", "1: unknown port"],
  ["pass proto tcp to port 90:80\n", "1: invalid port range"],
  ["pass proto tcp to port 90 >< 80\n", "1: invalid port range"],
  ["pass proto tcp to port > 80:90\n", "1: ':' cannot be used"],
  ["pass proto nothing\n", "1: unknown protocol"],
  ["pass proto 256\n", "1: "],
  ["pass proto icmp all icmp-type echoreq\n", "1: must indicate address family"],
  ["pass inet proto tcp all icmp-type echoreq\n", "1: icmp-type mismatch"],
  ["pass inet6 proto icmp\n", "1: proto doesn't match address family"],
  ["pass inet proto icmp6\n", "1: proto doesn't match address family"],
  ["pass all\nset skip on lo0\n", "2: Rules must be in order"],
  ["pass all\nnat on re0 from any to any -> 192.0.2.1\n", "2: Rules must be in order"],
  ['anchor "a"\nnat-anchor "a"\n', "2: Rules must be in order"],
  ["nat-anchor a\nscrub all\n", "2: Rules must be in order"],
  ["nat on re0 from any to any\n", "1: "],
  ["no nat on re0 from any to any -> 192.0.2.1\n", "1: syntax error"],
  ["no nat pass on re0\n", '1: "pass" not valid with "no"'],
  ["nat on re0 tag A from any to any -> 192.0.2.1\n", "1: "],
  ["nat on re0 from any to any tagged A tag B -> 192.0.2.1\n", "1: "],
  ["nat on re0 from fd00::/8 to any -> 192.0.2.1\n", "1: no translation address"],
  ["nat on re0 from any to any -> { 192.0.2.1, fd00::1 }\n", "1: no translation address"],
  ["nat on re0 from any to any -> ! 192.0.2.1\n", "1: "],
  ["nat on re0 from any to any -> <a> source-hash\n", "1: only round-robin"],
  ["nat on re0 from any to any -> (re0) random\n", "1: only round-robin"],
  ["nat on re0 from any to any -> { 192.0.2.1, 192.0.2.2 } bitmask\n", "1: only round-robin"],
  ["nat on re0 from any to any -> 192.0.2.1 random round-robin\n", "1: pool type"],
  ["nat on re0 from any to any -> 192.0.2.1 port 65000:1024\n", "1: invalid port range"],
  ["nat on re0 from any to any -> 192.0.2.1 port 0:70000\n", "1: illegal port value"],
  ["nat on re0 from any to any -> 192.0.2.1 port 80 static-port\n", "1: the 'static-port'"],
  ["rdr on re0 proto tcp to port 80 -> 10.0.0.1 static-port\n", "1: static-port"],
  ["rdr on re0 from any to any port 80 -> 10.0.0.1\n", "1: port only applies"],
  ["rdr on re0 from any to any -> 10.0.0.1 port 80\n", "1: rpool port only applies"],
  ["rdr on re0 proto tcp to port > 80 -> 10.0.0.1\n", "1: invalid port operator"],
  ["rdr on re0 proto tcp to port 80 -> 10.0.0.1 port 80:*\n", "1: ':*'"],
  ["binat on re0 from 10.0.0.0/24 to any -> 192.0.2.1\n", "1: 'binat' source mask"],
  ["binat on re0 from any to any -> 192.0.2.1\n", "1: binat takes an address"],
  ["anchor foo/bar\n", "1: syntax error"],
  ["anchor\n", "1: syntax error"],
  ['anchor "_1"\n', "1: anchor names beginning with '_'"],
  ['anchor "a/_b/c"\n', "1: anchor names beginning with '_'"],
  [`anchor ${"a".repeat(64)}\n`, "1: anchor name too long"],
  ['anchor "a/*/b"\n', "1: "],
  ['anchor "a" {\n pass\n}\n', "1: "],
  ['anchor "a" on re0 quick\n', "1: syntax error"],
  ['rdr-anchor "a" proto tcp to port { 80, 81 }\n', "1: "],
  ['rdr-anchor "a" proto tcp from port 80\n', "1: "],
  ['binat-anchor "a" from 10.0.0.1\n', "1: "],
  ['anchor "a" keep state\n', "1: syntax error"],
  ["pass on re0\nblock on re1\npass on re0\n", "3: the rule is there already"],
  ["pass tag a\npass tag b\n", "2: the rule is there already"],
  ['anchor "a"\nanchor "a/*"\n', "2: the rule is there already"],
  ["match all\n", "1: "],
  ["pass from any to any nat-to 192.0.2.1\n", "1: syntax error"],
  ["antispoof for re0\n", "1: syntax error"],
  ["set timeout interval 10\n", "1: "],
];

Deno.test("pf grammar: what some pfctl refuses is refused, with its line and the reason", () => {
  const others = REFUSED.map(([text, why]) => ({ text, why, told: refusal(text) }))
    .filter(({ why, told }) => told?.startsWith(why) !== true);
  assertEquals(others, []);
});

Deno.test("pf grammar: lists become rules, the negated one as well", () => {
  const { filter } = parseRuleset("block from { 10.0.0.1, !10.0.0.2 } to any\n");
  assertEquals(filter.map(({ criteria }) => criteria.source.negated), [false, true]);
  const text = "pass on { re0, re1 } proto { tcp, udp } from { 10.0.0.1, fd00::1 } to fd00::2\n";
  assertEquals(parseRuleset(text).filter.length, 4);
});

Deno.test("pf grammar: the address family of a nat rule is that of its first address", () => {
  const text = "nat on re0 from { 10.0.0.0/8, fd00::/8 } to any -> (re0)\n";
  assertEquals(parseRuleset(text).nat.map(({ criteria }) => criteria.family), ["ipv4"]);
});

Deno.test("pf grammar: tables that are nowhere defined are told, not refused", () => {
  const text =
    "table <a> { 10.0.0.1 }\nnat on re0 from <a> to any -> <b>\npass from ! <c> to <a>\n";
  assertEquals(undefinedTables(parseRuleset(text)), ["b", "c"]);
});

Deno.test("pf grammar: paths that pfctl -a refuses", () => {
  assertEquals(problemOfAnchorPath("libvirt/default"), undefined);
  assertEquals(problemOfAnchorPath(`libvirt/${"n".repeat(55)}`), undefined);
  assertEquals(problemOfAnchorPath(`libvirt/${"n".repeat(56)}`), "pfctl_rules: strlcpy");
  assertEquals(problemOfAnchorPath(`libvirt/${"ñ".repeat(28)}`), "pfctl_rules: strlcpy");
  assertEquals(problemOfAnchorPath("libvirt/_x"), "anchor names beginning with '_'");
  assertEquals(typeof problemOfAnchorPath("libvirt//x"), "string");
});

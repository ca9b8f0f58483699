import { assert, assertEquals, assertThrows } from "@std/assert";
import { compileChange } from "../../../backends/nftables/compile.ts";
import type { NetworkChange } from "../../../core/change/change.ts";
import { type Facts, UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { parseSpec } from "../../../core/network/published_port.ts";
import { masqueradePolicy } from "../../../core/policy/masquerade.ts";
import type { CompiledPolicy, FilteredPolicy } from "../../../core/policy/policy.ts";
import { filtered, FRESH_FACTS, IPV4, IPV6, subnet } from "../../support/definitions.ts";
import { describeRuleset, runScript } from "../../support/model_nft.ts";
import { standing } from "../../support/operation.ts";

/** A network that publishes these; with `!` by 127.0.0.1 too. */
function publishing(...specs: readonly string[]): FilteredPolicy {
  const plain = filtered(`<forward/>${IPV4}${IPV6}`);
  const ports = specs.map((spec) =>
    parseSpec(spec.replace("!", ""), { localhost: spec.endsWith("!") })
  );
  return {
    ...plain,
    families: plain.families.map((part) => ({
      ...part,
      published: ports.filter(({ guest }) => guest.family === part.family),
    })),
  };
}

function compiled(
  policy: CompiledPolicy,
  facts: Facts = FRESH_FACTS,
  table = "bridgewall",
): NetworkChange {
  const [change] = compileChange(table, [policy], facts).networks;
  assert(change !== undefined);
  return change;
}

/** The lines that publish, of all that is installed. */
function elements(...specs: readonly string[]): readonly string[] {
  return compiled(publishing(...specs)).install.flatMap(({ command }) =>
    (command.stdin ?? "").split("\n").filter((line) => /^add element \S+ \S+ publish/.test(line))
  ).map((line) => line.replace("add element inet bridgewall ", ""));
}

Deno.test("one port is one element for each address, and one for the guest", () => {
  assertEquals(elements("8080:10.44.0.9:80/tcp"), [
    "publish_any_ipv4 { tcp . 8080 : 10.44.0.9 . 80 }",
    "published_ipv4 { tcp . 10.44.0.9 . 80 }",
  ]);
  assertEquals(elements("192.0.2.1:8080:10.44.0.9:80/tcp!"), [
    "publish_ipv4 { 192.0.2.1 . tcp . 8080 : 10.44.0.9 . 80, 127.0.0.1 . tcp . 8080 : 10.44.0.9 . 80 }",
    "published_ipv4 { tcp . 10.44.0.9 . 80 }",
  ]);
  assertEquals(elements("[2001:db8::1]:53:[fd44::9]:5353/udp"), [
    "publish_ipv6 { 2001:db8::1 . udp . 53 : fd44::9 . 5353 }",
    "published_ipv6 { udp . fd44::9 . 5353 }",
  ]);
});

Deno.test("some ports in a row are elements by themselves, many are one range", () => {
  assertEquals(elements("5000-5001:10.44.0.9/udp"), [
    "publish_any_ipv4 { udp . 5000 : 10.44.0.9 . 5000, udp . 5001 : 10.44.0.9 . 5001 }",
    "published_ipv4 { udp . 10.44.0.9 . 5000, udp . 10.44.0.9 . 5001 }",
  ]);
  assertEquals(elements("1-128:10.44.0.9/udp").length, 8);
  assertEquals(elements("1-129:10.44.0.9/udp"), [
    "publish_any_ranges_ipv4 { udp . 1-129 : 10.44.0.9 }",
    "published_ranges_ipv4 { udp . 10.44.0.9 . 1-129 }",
  ]);
  assertEquals(elements("127.0.0.1:1-65535:10.44.0.9/udp"), [
    "publish_ranges_ipv4 { 127.0.0.1 . udp . 1-65535 : 10.44.0.9 }",
    "published_ranges_ipv4 { udp . 10.44.0.9 . 1-65535 }",
  ]);
});

Deno.test("many ports that lead to others are elements by themselves: nft moves no range", () => {
  const lines = elements("1-200:10.44.0.9:1001/tcp");
  assertEquals(lines.length, 14);
  assert(lines.every((line) => !line.includes("ranges")));
  assert(lines.some((line) => line.includes("tcp . 200 : 10.44.0.9 . 1200 }")));
});

Deno.test("ports that lead to the same port of a guest let it in once", () => {
  assertEquals(
    elements("80:10.44.0.9:80/tcp", "8080:10.44.0.9:80/tcp").at(-1),
    "published_ipv4 { tcp . 10.44.0.9 . 80 }",
  );
  const ranges = ["192.0.2.1:1000-2000:10.44.0.9/tcp", "192.0.2.2:1500-2500:10.44.0.9/tcp"];
  assertEquals(
    elements(...ranges, "192.0.2.2:3000-3500:10.44.0.9/tcp").at(-1),
    "published_ranges_ipv4 { tcp . 10.44.0.9 . 1000-2500, tcp . 10.44.0.9 . 3000-3500 }",
  );
});

/** What the host knows of a network that came up as `before`. */
function after(before: CompiledPolicy, table = "bridgewall"): Facts {
  return {
    ...FRESH_FACTS,
    records: [standing(...compiled(before, FRESH_FACTS, table).removal)],
    before: new Map([[before.network, before]]),
  };
}

function adjustment(before: CompiledPolicy, policy: CompiledPolicy): readonly string[] | undefined {
  return compiled(policy, after(before)).adjustment?.map(({ command }) => command.stdin ?? "");
}

const WEB = "8080:10.44.0.9:80/tcp";

Deno.test("where only ports differ, only their elements are exchanged", () => {
  assertEquals(adjustment(publishing(WEB), publishing(WEB, "53:10.44.0.9/udp")), [
    "add element inet bridgewall publish_any_ipv4 { udp . 53 : 10.44.0.9 . 53 }\n" +
    "add element inet bridgewall published_ipv4 { udp . 10.44.0.9 . 53 }\n",
  ]);
  assertEquals(adjustment(publishing(WEB), publishing("8080:10.44.0.8:80/tcp")), [
    "delete element inet bridgewall publish_any_ipv4 { tcp . 8080 }\n" +
    "add element inet bridgewall publish_any_ipv4 { tcp . 8080 : 10.44.0.8 . 80 }\n" +
    "add element inet bridgewall published_ipv4 { tcp . 10.44.0.8 . 80 }\n",
    // Once the connections to the old guest have ended.
    "delete element inet bridgewall published_ipv4 { tcp . 10.44.0.9 . 80 }\n",
  ]);
  assertEquals(adjustment(publishing(WEB), publishing(WEB)), []);
});

Deno.test("the first port of SCTP is one that the kernel is asked about", () => {
  const sctp = publishing(WEB, "3868:10.44.0.9/sctp");
  const programs = (before: CompiledPolicy, policy: CompiledPolicy): unknown =>
    compiled(policy, after(before)).adjustment?.map(({ command }) => command.program);
  assertEquals(programs(publishing(WEB), sctp), ["nft", "sysctl"]);
  assertEquals(programs(sctp, publishing(WEB, "3868-3869:10.44.0.9/sctp")), ["nft"]);
  assertEquals(programs(sctp, publishing(WEB)), ["nft", "nft"]);
});

Deno.test("where rules differ too, all is made anew", () => {
  assertEquals(adjustment(publishing(), publishing(WEB)), undefined);
  assertEquals(adjustment(publishing(WEB), publishing()), undefined);
  assertEquals(adjustment(publishing(WEB), publishing(`${WEB}!`)), undefined);
  assertEquals(adjustment(publishing(WEB), publishing(WEB, "80:[fd44::9]/tcp")), undefined);
  assertEquals(adjustment(publishing(WEB), { ...publishing(WEB), bridge: "virbr7" }), undefined);
  const [one, other] = ["10.8.0.0/24", "10.9.0.0/24"].map((text) =>
    masqueradePolicy([subnet(text)])
  );
  assert(one !== undefined && other !== undefined);
  assertEquals(adjustment(one, other), undefined);
});

Deno.test("where what stands is in a table of another name, all is made anew", () => {
  const [before, policy] = [publishing(WEB), publishing(WEB, "53:10.44.0.9/udp")];
  assertEquals(compiled(policy, after(before, "old")).adjustment, undefined);
  assert(compiled(policy, after(before)).adjustment !== undefined);
  // Also where another network is in the table of today: its objects are not those of this one.
  const other = { ...publishing(), network: "other", bridge: "virbr7" };
  const both = [...after(before, "old").records, ...after(other).records];
  assertEquals(compiled(policy, { ...after(before, "old"), records: both }).adjustment, undefined);
});

Deno.test("where what stands was made by another program, all is made anew", () => {
  const [before, policy] = [publishing(WEB), publishing(WEB, "53:10.44.0.9/udp")];
  const records = after(before).records.map((record) => ({
    ...record,
    removal: record.removal.filter(({ commands }) =>
      !commands.some(({ stdin }) => stdin?.includes("hairpin-virbr0"))
    ),
  }));
  assertEquals(compiled(policy, { ...after(before), records }).adjustment, undefined);
});

Deno.test("ports go without touching those of another network", () => {
  const script = (change: NetworkChange): string =>
    change.install.map(({ command }) => command.program === "nft" ? command.stdin : "").join("");
  const scripts = ({ removal }: NetworkChange): readonly string[] =>
    removal.flatMap(({ commands }) => commands.map(({ stdin = "" }) => stdin));
  const one = publishing(WEB, "20000-29999:10.44.0.9/tcp", "80:[fd44::9]/tcp");
  const far = (text: string): string =>
    text.replaceAll("10.44", "10.45").replaceAll("fd44", "fd45");
  const other = {
    ...filtered(`<forward/>${far(IPV4)}${far(IPV6)}`, "other"),
    bridge: "virbr1",
  };
  const publishingOther = {
    ...other,
    families: other.families.map((part) => ({
      ...part,
      published: part.family === "ipv6" ? [] : [parseSpec("9:10.45.0.9/tcp", { localhost: true })],
    })),
  };
  const [first, second] = [compiled(one), compiled(publishingOther)];
  const alone = runScript(new Map(), script(second)).ruleset;
  const both = runScript(runScript(new Map(), script(first)).ruleset, script(second));
  assertEquals(both.error, undefined);
  const kept = scripts(second);
  const left = runScript(
    both.ruleset,
    scripts(first).filter((text) => !kept.includes(text)).join(""),
  );
  assertEquals([left.error, describeRuleset(left.ruleset)], [undefined, describeRuleset(alone)]);
});

Deno.test("more ports than can be known one by one are refused before anything is made of them", () => {
  const refused = (...specs: readonly string[]): readonly [string, string | undefined] => {
    const start = performance.now();
    const error = assertThrows(() => compiled(publishing(...specs)), UnsupportedNetworkError);
    assert(performance.now() - start < 1000);
    return [error.message, error.hint];
  };
  const wide = Array.from(
    { length: 40 },
    (_, index) => `192.0.2.${index + 1}:1-60000:10.44.0.9:2/tcp`,
  );
  assertEquals(refused(...wide), [
    'Network "lan" publishes 2400000 ports that nftables has to know one by one, at most 65536',
    "Lead wide ranges to the same ports of the guest: 192.0.2.1:1-60000:10.44.0.9:1-60000/tcp",
  ]);
  const many = Array.from(
    { length: 600 },
    (_, index) => `192.0.${index >> 8}.${index & 255}:1-128:10.44.0.9/tcp`,
  );
  assertEquals(refused(...many.filter((spec) => !spec.startsWith("192.0.0.0"))), [
    'Network "lan" publishes 76672 ports that nftables has to know one by one, at most 65536',
    "Publish fewer ports, or more than 128 in a row",
  ]);
  compiled(publishing("1-65534:10.44.0.9:2/tcp"));
  compiled(publishing(...wide.map((spec) => spec.replace(":2/", ":1/"))));
});

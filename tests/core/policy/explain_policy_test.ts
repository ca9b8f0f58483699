import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { derivePolicy } from "../../../core/policy/derive_policy.ts";
import { explainPolicy } from "../../../core/policy/explain_policy.ts";
import { IPV4, IPV6, placed } from "../../support/definitions.ts";

function explain(elements: string, name = "lan"): string {
  return explainPolicy(derivePolicy(placed(elements, name))).join("\n");
}

Deno.test("a translated network is explained with its source addresses and ports", () => {
  const one = "<nat><address start='192.0.2.5' end='192.0.2.5'/></nat>";
  const several = "<nat><address start='192.0.2.5' end='192.0.2.9'/>" +
    "<port start='2000' end='3000'/></nat>";
  assertStringIncludes(explain(`<forward/>${IPV4}`), "get the host's address on the way out as");
  assertStringIncludes(explain(`<forward>${one}</forward>${IPV4}`), "get 192.0.2.5 as");
  assertStringIncludes(
    explain(`<forward>${several}</forward>${IPV4}`),
    "get an address from 192.0.2.5 to 192.0.2.9 as their source, TCP and UDP a port from 2000 to" +
      " 3000; what cannot be translated is rejected.",
  );
});

Deno.test("a network in mode nat says that its IPv6 is only routed", () => {
  const warning = "IPv6 is routed, not translated: `<nat ipv6='yes'/>` would translate it.";
  assertStringIncludes(explain(`<forward/>${IPV4}${IPV6}`), warning);
  assert(!explain(`<forward/>${IPV4}`).includes(warning));
  assert(!explain(`<forward mode='route'/>${IPV6}`).includes(warning));
  assert(!explain(`<forward><nat ipv6='yes'/></forward>${IPV6}`).includes(warning));
});

Deno.test("a family without an address is said not to be forwarded", () => {
  const says = (family: string): string => `${family} is not forwarded from or to the bridge`;
  assertStringIncludes(explain(IPV6), says("IPv4"));
  assertStringIncludes(explain(IPV4), says("IPv6"));
  assert(!explain(IPV4 + IPV6).includes("is not forwarded"));
});

Deno.test("who may open connections, and through what, is said", () => {
  const nat = explain(`<forward dev='eth1'/>${IPV4}`);
  assertStringIncludes(nat, 'reach the outside through "eth1"');
  assertStringIncludes(nat, 'Only replies from outside reach them through "eth1".');
  assertStringIncludes(
    explain(`<forward mode='route'/>${IPV4}`),
    "The outside reaches them, unasked as well.",
  );
  assertStringIncludes(explain(IPV4), "reach nothing beyond the bridge but the host itself.");
});

function ports(...all: readonly string[]): string {
  return `<metadata>${
    all.map((attributes) => `<b:publish xmlns:b='urn:bridgewall:network:1' ${attributes}/>`).join(
      "",
    )
  }</metadata>`;
}

const ANYBODY =
  "Whoever asks there is answered: the outside, the host, guests of this network and of others that" +
  " let them out.";

Deno.test("published ports are said one by one, and who may ask", () => {
  const published = ports(
    "proto='tcp' port='8080' to='10.44.0.10:80' localhost='yes'",
    "proto='udp' port='5060-5062' to='10.44.0.11:6060'",
    "proto='sctp' address='192.0.2.7' port='3868' to='10.44.0.12'",
    "proto='tcp' port='80' to='[fd44::10]'",
    "proto='tcp' address='127.0.0.1' port='5432' to='10.44.0.13'",
  );
  const said = explain(`${published}<forward/>${IPV4}${IPV6}`).split("\n");
  const start = said.findIndex((sentence) => sentence.startsWith("Port"));
  assertEquals(said.slice(start, start + 6), [
    "Port 8080 of the host (TCP) leads to 10.44.0.10:80, from 127.0.0.1 too.",
    "Ports 5060-5062 of the host (UDP) lead to 10.44.0.11:6060-6062.",
    "Port 3868 of 192.0.2.7 (SCTP) leads to 10.44.0.12:3868.",
    "Port 5432 of 127.0.0.1 (TCP) leads to 10.44.0.13:5432, for the host itself alone.",
    "Port 80 of the host (TCP) leads to [fd44::10]:80.",
    ANYBODY,
  ]);
});

Deno.test("a network that only the host asks, or nobody, promises nothing to others", () => {
  const local = ports("proto='tcp' address='127.0.0.2' port='80' to='10.44.0.13'");
  assert(!explain(local + IPV4).includes(ANYBODY));
  assertStringIncludes(explain(local + IPV4), "for the host itself alone.");
  assert(!explain(IPV4).includes("Port"));
});

Deno.test("open and bridged networks are said to have no rules", () => {
  assertEquals(
    explain(`<forward mode='open'/>${IPV4}`).split("\n").at(-1),
    [
      "The host forwards IPv4.",
    ].join(),
  );
  assert(!explain("<forward mode='open'/>").includes("The host forwards"));
  assertStringIncludes(
    explain("<forward mode='bridge'/><bridge name='br0'/>"),
    "so no host firewall applies.",
  );
});

Deno.test("a name that could deceive a terminal is spelled out", () => {
  assertStringIncludes(explain("", 'a"\u202eb'), 'Network "a\\"\\u{202e}b" is isolated');
});

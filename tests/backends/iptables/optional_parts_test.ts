import { assert, assertEquals } from "@std/assert";
import { compileChange } from "../../../backends/iptables/compile.ts";
import type { NetworkChange } from "../../../core/change/change.ts";
import { filtered, IPV4, IPV6 } from "../../support/definitions.ts";
import { compileOne, factsOf } from "./facts.ts";

const SERVING = "<ip address='10.44.0.1' prefix='24'><dhcp>" +
  "<range start='10.44.0.2' end='10.44.0.9'/></dhcp></ip>";

/** Why each program's steps may fail; empty: they may not. */
function losses({ install }: NetworkChange): readonly string[] {
  const all = install.map(({ command, optional }) => {
    const table = /^\*(\w+)/.exec(command.stdin ?? "")?.[1] ?? "";
    return `${command.program.split("-", 1)} ${table}: ${optional?.loss ?? ""}`.trim();
  });
  return [...new Set(all)];
}

const UNFILTERED =
  'IPv6 is not filtered on bridge "virbr0" of network "lan", which does not use it';
const CHECKSUMS = "DHCP replies may reach guests with a bad UDP checksum, which some clients drop";

Deno.test("a network without IPv6 does not fail for it, nor for checksums", () => {
  assertEquals(losses(compileOne(filtered(SERVING))), [
    "iptables filter:",
    `iptables mangle: ${CHECKSUMS}`,
    `ip6tables filter: ${UNFILTERED}`,
  ]);
});

Deno.test("a network that uses IPv6 does not come up without its rules for it", () => {
  const required = ["iptables filter:", "ip6tables filter:"];
  assertEquals(losses(compileOne(filtered(IPV4 + IPV6))), required);
  assertEquals(losses(compileOne({ ...filtered(IPV4), guestsOverIpv6: true })), required);
});

Deno.test("where one network uses IPv6, none does without: their rules come in one run", () => {
  const other = { ...filtered(IPV6, "other"), bridge: "virbr1" };
  const [change] = compileChange([filtered(IPV4), other], factsOf()).networks;
  assert(change !== undefined);
  assertEquals(losses(change), ["iptables filter:", "ip6tables filter:"]);
});

Deno.test("what stands for IPv6 is not given up because a refresh fails", () => {
  const before = compileOne(filtered(IPV4));
  const required = ["iptables filter:", "ip6tables filter:"];
  assertEquals(losses(compileOne(filtered(IPV4), { standing: [before] })), required);
  const legacy = compileOne(filtered(IPV4), { variant: "legacy", standing: [before] });
  assertEquals(losses(legacy)[1], `ip6tables filter: ${UNFILTERED}`);
});

Deno.test("what may fail is taken back by the command that the record would run", () => {
  const { install, removal } = compileOne(filtered(SERVING));
  const recorded = removal.flatMap(({ commands }) => commands);
  const undone = install.flatMap(({ optional }) => optional?.undo ?? []);
  assertEquals(undone.length, 4);
  for (const command of undone) assert(recorded.some((one) => one.stdin === command.stdin));
});

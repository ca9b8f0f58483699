import { assertEquals } from "@std/assert";
import type { CommandResult } from "../../../core/command.ts";
import { endUntranslatedConnections } from "../../../core/change/untranslated_connections.ts";
import { subnet } from "../../support/definitions.ts";
import { scriptedRunner } from "../../support/scripted_runner.ts";

/** As conntrack 1.4.7 prints them: from a prefix, from elsewhere, answered, translated. */
const ENTRIES = [
  "tcp      6 99 SYN_SENT src=10.0.3.5 dst=10.5.5.5 sport=4001 dport=22 [UNREPLIED] " +
  "src=10.5.5.5 dst=10.0.3.5 sport=22 dport=4001 mark=0 use=1",
  "tcp      6 99 ESTABLISHED src=10.0.3.5 dst=10.5.5.5 sport=4000 dport=22 src=10.5.5.5 " +
  "dst=10.0.3.5 sport=22 dport=4000 [ASSURED] mark=0 use=1",
  "icmp     1 29 src=10.0.3.5 dst=10.5.5.6 type=8 code=0 id=7 [UNREPLIED] src=10.5.5.6 " +
  "dst=10.0.3.5 type=0 code=0 id=7 mark=0 use=1",
  "icmp     1 28 src=10.0.3.5 dst=10.5.5.6 type=8 code=0 id=8 [UNREPLIED] src=10.5.5.6 " +
  "dst=10.0.3.5 type=0 code=0 id=8 mark=0 use=1",
  "unknown  50 99 src=10.0.3.5 dst=10.5.5.7 [UNREPLIED] src=10.5.5.7 dst=10.0.3.5 mark=0 use=1",
  "udp      17 29 src=10.0.3.5 dst=10.0.3.9 sport=1 dport=53 [UNREPLIED] src=10.0.3.9 " +
  "dst=10.0.3.5 sport=53 dport=1 mark=0 use=1",
  "udp      17 29 src=10.0.4.5 dst=10.5.5.5 sport=1 dport=53 [UNREPLIED] src=10.5.5.5 " +
  "dst=10.0.4.5 sport=53 dport=1 mark=0 use=1",
  "udp      17 29 src=10.0.3.5 dst=10.5.5.5 sport=1 dport=53 [UNREPLIED] src=10.5.5.5 " +
  "dst=192.0.2.1 sport=53 dport=1 mark=0 use=1",
];

async function ended(
  prefixes: readonly string[],
  answer: (line: string) => Partial<CommandResult> = () => ({}),
): Promise<{ readonly ran: readonly string[]; readonly warnings: readonly string[] }> {
  const runner = scriptedRunner((_, line) => ({
    stdout: line.startsWith("conntrack -L") ? ENTRIES.join("\n") : "",
    ...answer(line),
  }));
  const warnings = await endUntranslatedConnections(runner, prefixes.map(subnet));
  return { ran: runner.ran, warnings };
}

Deno.test("what a prefix has sent to elsewhere, and nobody answered, begins anew", async () => {
  const { ran, warnings } = await ended(["10.0.3.0/24"]);
  assertEquals(warnings, []);
  const from = "--orig-src 10.0.3.5 --orig-dst";
  assertEquals(ran, [
    "conntrack -L -f ipv4",
    `conntrack -D -f ipv4 -p 6 ${from} 10.5.5.5 --reply-dst 10.0.3.5 --orig-port-src 4001 ` +
    "--orig-port-dst 22",
    `conntrack -D -f ipv4 -p 1 ${from} 10.5.5.6 --reply-dst 10.0.3.5`,
    `conntrack -D -f ipv4 -p 50 ${from} 10.5.5.7 --reply-dst 10.0.3.5`,
  ]);
});

Deno.test("each family is listed once, and none without prefixes", async () => {
  assertEquals((await ended([])).ran, []);
  const { ran } = await ended(["10.6.0.0/24", "10.7.0.0/24", "fd00::/64"]);
  assertEquals(ran, ["conntrack -L -f ipv4", "conntrack -L -f ipv6"]);
});

Deno.test("what could not be begun anew is said once", async () => {
  const missing = { status: 127, stderr: "conntrack: not found\n" };
  const { warnings } = await ended(["10.0.3.0/24", "fd00::/64"], () => missing);
  assertEquals(warnings, [
    "Connections that began before stay untranslated until they end by themselves " +
    '(the program "conntrack" is not installed: conntrack: not found)',
  ]);
});

Deno.test("what has ended by itself meanwhile is no loss", async () => {
  const stderr = "conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted.\n";
  const { warnings } = await ended(
    ["10.0.3.0/24"],
    (line) => line.includes("-D") ? { status: 1, stderr } : {},
  );
  assertEquals(warnings, []);
});

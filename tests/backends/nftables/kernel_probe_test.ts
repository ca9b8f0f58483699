import { assert, assertEquals, assertThrows } from "@std/assert";
import { probeQuestions, refuseUntranslatable } from "../../../backends/nftables/kernel_probe.ts";
import type { Command, CommandResult } from "../../../core/command.ts";
import { UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { masqueradePolicy } from "../../../core/policy/masquerade.ts";
import type { CompiledPolicy } from "../../../core/policy/policy.ts";
import { filtered, IPV4, IPV6, subnet } from "../../support/definitions.ts";

const PORT = "<metadata><b:publish xmlns:b='urn:bridgewall:network:1' proto='tcp' port='80' " +
  "to='10.44.0.9'/></metadata>";
const WEB = filtered(PORT + IPV4 + IPV6);

function refuse(policies: readonly CompiledPolicy[], result?: Partial<CommandResult>): void {
  refuseUntranslatable(policies, {
    to: () => result === undefined ? undefined : { status: 0, stdout: "", stderr: "", ...result },
  });
}

Deno.test("the kernel is asked once for each family that ports or prefixes need, by a check alone", () => {
  const asked = probeQuestions([
    { name: "a" },
    { name: "b", publishes: ["ipv4"] },
    { name: "c", publishes: ["ipv6", "ipv4", "ipv4"] },
  ]);
  assertEquals(asked.map(({ program, args }) => [program, ...args]), [
    ["nft", "--check", "-f", "-"],
    ["nft", "--check", "-f", "-"],
  ]);
  const families = asked.map(({ stdin = "" }) =>
    ["ip daddr", "ip6 daddr"].filter((word) => stdin.includes(word))
  );
  assertEquals(families, [["ip daddr"], ["ip6 daddr"]]);
  for (const { stdin = "" } of asked) {
    for (const line of stdin.trimEnd().split("\n")) {
      assert(/^(add|flush) \w+ inet bridgewall\.probe( |$)/.test(line), line);
    }
  }
  assertEquals(probeQuestions([]), []);
  assertEquals(probeQuestions([{ name: "a" }]), []);
});

Deno.test("a kernel that cannot translate is refused with its own words, and what can be done", () => {
  const result = {
    status: 1,
    stderr: "Error: Could not process rule: No such file or directory\nx",
  };
  for (const policy of [WEB, masqueradePolicy([subnet("10.8.0.0/24")])]) {
    const error = assertThrows(() => refuse([policy], result), UnsupportedNetworkError);
    assertEquals(
      error.message,
      "This kernel cannot translate addresses of IPv4 with nftables, as published ports and " +
        "masqueraded prefixes need it: Error: Could not process rule: No such file or directory",
    );
    assertEquals(
      error.hint,
      "Try `--backend iptables`, or a kernel with nft_nat, nft_masq and nft_fib_inet",
    );
  }
});

Deno.test("networks without ports need no such kernel, and who was not asked refuses nothing", () => {
  refuse([filtered(`<forward/>${IPV4}`)], { status: 1 });
  refuse([WEB], undefined);
  refuse([WEB], { status: 0 });
  // Without nft nothing can be loaded either, and then it is said that it is not there.
  refuse([WEB], { status: 127 });
});

Deno.test("the questions of two families differ, so that each answer is its own", () => {
  const [one, other] = probeQuestions([{ name: "a", publishes: ["ipv4", "ipv6"] }]);
  assert(one?.stdin !== other?.stdin);
  const answers = {
    to: ({ stdin }: Command) => ({
      status: stdin === other?.stdin ? 1 : 0,
      stdout: "",
      stderr: "no IPv6",
    }),
  };
  refuseUntranslatable([WEB], answers);
  assertThrows(
    () => refuseUntranslatable([masqueradePolicy([subnet("fd00::/64")])], answers),
    UnsupportedNetworkError,
    "addresses of IPv6",
  );
});

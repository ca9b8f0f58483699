import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { compileChange } from "../../../backends/iptables/compile.ts";
import { resetScript } from "../../../backends/iptables/reset.ts";
import { NoBackendError } from "../../../core/firewall_backend.ts";
import type { NetworkChange } from "../../../core/change/change.ts";
import type { Command, RuleProgram } from "../../../core/command.ts";
import { filtered, IPV4, IPV6 } from "../../support/definitions.ts";
import { hostilePolicies } from "./arbitrary_policies.ts";
import { factsOf } from "./facts.ts";
import { afterCommands, type HostTables, installed, listing } from "./tables.ts";

const NAT = `<forward><nat ipv6='yes'/></forward>${IPV4}${IPV6}`;
const RESTORE = "iptables-nft-restore";

/** What somebody else has, before and behind our rules. */
const FOREIGN = `*filter
-N DOCKER
-A FORWARD -i docker0 -m comment --comment bridgewall -j DOCKER
-A DOCKER -j RETURN
COMMIT
*nat
-A POSTROUTING -s 172.17.0.0/16 -m comment --comment "not bridgewall" -j MASQUERADE
COMMIT
`;

function given(program: RuleProgram, stdin: string): Command {
  return { program, args: [], stdin };
}

function changesOf(...elements: readonly string[]): readonly NetworkChange[] {
  const policies = elements.map((text, index) => ({
    ...filtered(text, `net${index}`),
    bridge: `virbr${index}`,
  }));
  return compileChange(policies, factsOf()).networks;
}

/** Takes away, as listed, everything of ours. */
function reset(host: HostTables): HostTables {
  const programs = ["iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy"];
  const saved = Object.fromEntries(
    programs.map((name) => [`${name}-save`, listing(host, `${name}-restore`)]),
  );
  const commands = compileChange([], factsOf({ saved })).reset;
  for (const { args } of commands) assertEquals(args, ["--noflush", "--wait=60"]);
  return afterCommands(host, commands);
}

const NOTHING: HostTables = new Map();
const FOREIGN_HOST = afterCommands(NOTHING, [given(RESTORE, FOREIGN)]);

Deno.test("everything of ours goes in one script for each program, and nothing else", () => {
  const host = installed(FOREIGN_HOST, changesOf(NAT, NAT.replaceAll("44", "45")));
  assert(listing(host, RESTORE).includes("-j BWALL_NAT_virbr1"));
  assertEquals(reset(host), FOREIGN_HOST);
});

Deno.test("whatever a network is called, what is listed of it goes", () => {
  fc.assert(fc.property(hostilePolicies(), (policy) => {
    const host = installed(NOTHING, compileChange([policy], factsOf()).networks);
    assertEquals(reset(host), NOTHING);
  }));
});

Deno.test("the variant that the host has switched from is emptied too", () => {
  const legacy = compileChange([filtered(NAT)], factsOf({ variant: "legacy" })).networks;
  assertEquals(reset(installed(NOTHING, [...legacy, ...changesOf(NAT)])), NOTHING);
});

/** What somebody made of our rules, in lines of the filter table. */
const DAMAGE: Readonly<Record<string, readonly string[]>> = {
  "jumps stand several times": [
    "-A FORWARD -m comment --comment bridgewall -j BRIDGEWALL_FROM",
    "-I FORWARD -m comment --comment bridgewall -j BRIDGEWALL_TO",
    "-I FORWARD -m comment --comment bridgewall -j BRIDGEWALL_TO",
  ],
  "jumps are gone": ["-D FORWARD -m comment --comment bridgewall -j BRIDGEWALL_FROM"],
  "another version of this program made the jumps": [
    "-D FORWARD -m comment --comment bridgewall -j BRIDGEWALL_FROM",
    "-I FORWARD -i eth0 -m comment --comment bridgewall -j BRIDGEWALL_FROM",
  ],
  "rules of somebody stand in our chains": [
    "-A BRIDGEWALL_LET -i eth0 -j DROP",
    "-I BWALL_FROM_virbr0 -j DOCKER",
  ],
  "our chains lead to one another": ["-A BWALL_TO_virbr0 -j BRIDGEWALL_INP"],
  "chains are empty": ["-F BRIDGEWALL_FROM", "-F BWALL_FROM_virbr0"],
  "chains are gone": ["-F BRIDGEWALL_OUT", "-F BWALL_OUT_virbr0", "-X BWALL_OUT_virbr0"],
  "there are more chains with our names": ["-N BWALL_TO_x", "-A BWALL_TO_x -j ACCEPT"],
};

for (const [says, lines] of Object.entries(DAMAGE)) {
  Deno.test(`everything of ours goes also when ${says}`, () => {
    const host = installed(FOREIGN_HOST, changesOf(NAT));
    const script = ["*filter", ...lines, "COMMIT", ""].join("\n");
    assertEquals(reset(afterCommands(host, [given(RESTORE, script)])), FOREIGN_HOST);
  });
}

Deno.test("a rule of somebody else that leads to our chains is not touched", () => {
  const rule = "-A FORWARD -i eth7 -j BRIDGEWALL_TO";
  const host = installed(NOTHING, changesOf(NAT));
  const script = `*filter\n${rule}\nCOMMIT\n`;
  const stdout = listing(afterCommands(host, [given(RESTORE, script)]), RESTORE);
  assert(stdout.includes(rule));
  const lines = resetScript({ status: 0, stdout, stderr: "" }, true)?.split("\n") ?? [];
  assertEquals(lines.filter((line) => line.includes("eth7")), []);
});

Deno.test("where nothing of ours is, or nobody answers, nothing is run", () => {
  assertEquals(resetScript(undefined, true), undefined);
  assertEquals(
    resetScript({ status: 1, stdout: "*filter\n:BRIDGEWALL_TO - [0:0]\n", stderr: "" }, false),
    undefined,
  );
  const stdout = listing(FOREIGN_HOST, RESTORE);
  assertEquals(resetScript({ status: 0, stdout, stderr: "" }, true), undefined);
  assertEquals(compileChange([], factsOf()).reset, []);
});

Deno.test("nothing is made anew where a table in use cannot be listed", () => {
  const stdout = "# Table `filter' is incompatible, use 'nft' tool.\n";
  const saved = { status: 0, stdout, stderr: "" };
  assertThrows(() => resetScript(saved, true), NoBackendError, 'Cannot list the table "filter"');
  assertEquals(resetScript(saved, false), undefined);
  const refused = { status: 1, stdout: "", stderr: "Permission denied\n" };
  assertThrows(() => resetScript(refused, true), NoBackendError, "Permission denied");
});

Deno.test("a jump that somebody made again without its comment goes with our chains", () => {
  const stdout = "*filter\n:FORWARD ACCEPT [0:0]\n:BRIDGEWALL_FROM - [0:0]\n" +
    "-A FORWARD -j BRIDGEWALL_FROM\n-A FORWARD -m comment --comment mine -j BRIDGEWALL_FROM\n" +
    "-A FORWARD -i eth0 -j BRIDGEWALL_FROM\nCOMMIT\n";
  assertEquals(resetScript({ status: 0, stdout, stderr: "" }, true)?.split("\n"), [
    "*filter",
    "-D FORWARD -j BRIDGEWALL_FROM",
    "-D FORWARD -m comment --comment mine -j BRIDGEWALL_FROM",
    "-F BRIDGEWALL_FROM",
    "-X BRIDGEWALL_FROM",
    "COMMIT",
    "",
  ]);
});

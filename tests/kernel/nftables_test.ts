/** What the nftables backend expects of nft and the kernel, asked of both. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { compileChange } from "../../backends/nftables/compile.ts";
import { inspectTable } from "../../backends/nftables/inspect.ts";
import { interfaceString } from "../../backends/nftables/script.ts";
import type { Command } from "../../core/command.ts";
import { UnsupportedNetworkError } from "../../core/firewall_backend.ts";
import type { Host } from "../../core/host.ts";
import { NO_ANSWERS } from "../../core/commands/snapshot.ts";
import { parseNetwork } from "../../core/network/parse_network.ts";
import { derivePolicy } from "../../core/policy/derive_policy.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { makeNamespace, removeNamespace } from "../hosts/namespace.ts";
import { hostTest } from "../hosts/requirements.ts";
import { run } from "../hosts/run_program.ts";
import { INTERFACE_NAMES, policies } from "../support/arbitrary.ts";
import { FRESH_HOST } from "../support/definitions.ts";
import { emptyWorld, startProcess } from "../support/model_host.ts";
import { answer, DEFINITION, LISTING } from "../support/nft_listing.ts";

const { host: MODEL } = startProcess(emptyWorld(), {}).context;

/** A host that runs programs inside a namespace of its own, removed at the end. */
async function openKernel(): Promise<Host & AsyncDisposable> {
  const namespace = await makeNamespace("kernel");
  return {
    ...MODEL,
    run: async ({ program, args, stdin }) => {
      const { code, ...texts } = await run([program, ...args], { namespace, stdin });
      return { status: code, ...texts };
    },
    [Symbol.asyncDispose]: () => removeNamespace(namespace),
  };
}

async function runAll(host: Host, commands: readonly Command[]): Promise<void> {
  for (const command of commands) {
    const { status, stderr } = await host.run(command);
    assertEquals(status, 0, `${stderr}\n${command.stdin}`);
  }
}

function isWritable(name: string): boolean {
  try {
    return interfaceString(name) !== "";
  } catch (error) {
    if (error instanceof UnsupportedNetworkError) return false;
    throw error;
  }
}

hostTest({
  name: "whatever a policy asks for, nft takes it, lists it as it was asked, and lets it go",
  body: async () => {
    await using host = await openKernel();
    const arbitrary = policies(undefined, INTERFACE_NAMES.filter(isWritable));
    const property = fc.asyncProperty(arbitrary, async (policy) => {
      const { networks: [change], reset } = compileChange("bridgewall", [policy], {
        host: FRESH_HOST,
        records: [],
        standing: [],
        answers: NO_ANSWERS,
      });
      assert(change !== undefined);
      const install = change.install.map(({ command }) => command);
      await runAll(host, [...reset, ...install, ...install]);
      assertEquals((await inspectTable(host, "bridgewall", [policy])).drift, []);
      const removal = change.removal.flatMap(({ commands }) => commands);
      await runAll(host, [...removal, ...removal]);
      assertEquals((await host.run({ program: "nft", args: ["list", "ruleset"] })).stdout, "");
    });
    await fc.assert(property, { numRuns: 40 });
  },
});

function policyOf(definition: string): FilteredPolicy {
  const policy = derivePolicy({ network: parseNetwork(definition, "test"), bridge: "virbr0" });
  assert(policy.kind === "filtered");
  return policy;
}

/** nft's answer without what differs from run to run. */
function stable(json: string): unknown {
  const value: unknown = JSON.parse(
    json,
    (key, part: unknown) =>
      ["handle", "comment", "packets", "bytes", "metainfo"].includes(key) ? undefined : part,
  );
  return value;
}

hostTest({
  name: "the listing that pure tests work with is the one that nft prints",
  body: async (t) => {
    await using host = await openKernel();
    const { stdout: version } = await host.run({ program: "nft", args: ["--version"] });
    await t.step({
      name: "nft 1.0.6",
      ignore: !version.includes("v1.0.6 "),
      fn: async () => {
        const { networks } = compileChange("bridgewall", [policyOf(DEFINITION)], {
          host: FRESH_HOST,
          records: [],
          standing: [],
          answers: NO_ANSWERS,
        });
        await runAll(host, networks.flatMap(({ install }) => install.map((one) => one.command)));
        const args = ["-j", "list", "table", "inet", "bridgewall"];
        const { stdout } = await host.run({ program: "nft", args });
        assertEquals(stable(stdout), stable(answer(LISTING)));
      },
    });
  },
});

/** One line that somebody adds, and what `check` says of it. */
const EDITS: Readonly<Record<string, string>> = {
  "flush chain inet bridgewall forward": 'Rule 1 of chain "forward" is missing',
  "add rule inet bridgewall forward ct state != established,related accept": "is not ours",
  'add rule inet bridgewall from-virbr0 oifname { "x", "y" } accept': "is not ours: oifname { x",
  "insert rule inet bridgewall to-virbr0 accept": 'Rule 1 of chain "to-virbr0" is not ours: accept',
  "add rule inet bridgewall from-virbr0 jump { accept; }": 'Rule 6 of chain "from-virbr0" is not',
  "delete element inet bridgewall to_bridge { virbr0 }": 'Element "virbr0" of map "to_bridge" is',
  "add element inet bridgewall from_bridge { eth0 : drop }": 'Element "eth0" : drop of map',
  "add map inet bridgewall m { type ipv4_addr : ipv4_addr; elements = { 10.0.0.1 : 10.0.0.2 }; }":
    'Map "m" is not ours',
  "add map inet bridgewall m { type mark . mark : verdict; elements = { 1 . 2 : drop }; }":
    'Map "m" is not ours',
  "add set inet bridgewall s { type ipv4_addr; }": 'Object "set s" is not ours',
  "add chain inet bridgewall forward { policy drop; }":
    'Chain "forward" is "filter forward 0 drop"',
  "add table inet bridgewall { flags dormant; }": "a dormant one filters nothing",
  "delete table inet bridgewall": 'Table "inet bridgewall" is missing',
};

hostTest({
  name: "whatever somebody does to the table, it is noticed and named",
  body: async (t) => {
    await using host = await openKernel();
    const policy = policyOf(DEFINITION);
    const { networks, reset } = compileChange("bridgewall", [policy], {
      host: FRESH_HOST,
      records: [],
      standing: [],
      answers: NO_ANSWERS,
    });
    const install = networks.flatMap((one) => one.install.map(({ command }) => command));
    for (const [edit, difference] of Object.entries(EDITS)) {
      await t.step(edit, async () => {
        await runAll(host, [...reset, ...install]);
        assertEquals((await inspectTable(host, "bridgewall", [policy])).drift, []);
        await runAll(host, [{ program: "nft", args: ["-f", "-"], stdin: `${edit}\n` }]);
        const { drift } = await inspectTable(host, "bridgewall", [policy]);
        const said = drift.map((one) => one.difference);
        assert(said.some((one) => one.includes(difference)), JSON.stringify(said));
      });
    }
  },
});

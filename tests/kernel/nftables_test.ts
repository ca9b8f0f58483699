/** What the nftables backend expects of nft and the kernel, asked of both. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { compileChange } from "../../backends/nftables/compile.ts";
import { inspectTable } from "../../backends/nftables/inspect.ts";
import { interfaceString } from "../../backends/nftables/script.ts";
import type { Command } from "../../core/command.ts";
import { UnsupportedNetworkError } from "../../core/firewall_backend.ts";
import type { Host } from "../../core/host.ts";
import { parseNetwork } from "../../core/network/parse_network.ts";
import { derivePolicy } from "../../core/policy/derive_policy.ts";
import { masqueradePolicy } from "../../core/policy/masquerade.ts";
import type { CompiledPolicy, FilteredPolicy } from "../../core/policy/policy.ts";
import { makeNamespace, removeNamespace } from "../hosts/namespace.ts";
import { hostTest } from "../hosts/requirements.ts";
import { run } from "../hosts/run_program.ts";
import { INTERFACE_NAMES, policies, PREFIXES } from "../support/arbitrary.ts";
import { FRESH_FACTS, subnet } from "../support/definitions.ts";
import { describeRuleset, runScript } from "../support/model_nft.ts";
import { standing } from "../support/operation.ts";
import { emptyWorld, startProcess } from "../support/model_host.ts";
import { answer, DEFINITION, type Json, LISTING } from "../support/nft_listing.ts";
import {
  MASQUERADE_LISTING,
  PREFIXES_LISTED,
  WEB,
  WEB_LISTING,
} from "../support/nft_published_listing.ts";

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

/** The scripts of a policy; what is set beside them needs its bridge. */
function scriptsOf(
  policy: CompiledPolicy,
  before?: CompiledPolicy,
): Readonly<Record<"reset" | "install" | "adjustment" | "removal", readonly Command[]>> {
  const facts = before === undefined ? FRESH_FACTS : {
    ...FRESH_FACTS,
    records: compileChange("bridgewall", [before], FRESH_FACTS).networks
      .map(({ removal }) => standing(...removal)),
    before: new Map([[policy.network, before]]),
  };
  const { networks: [change], reset } = compileChange("bridgewall", [policy], facts);
  const scripts = (commands: readonly Command[] = []): readonly Command[] =>
    commands.filter(({ program }) => program === "nft");
  return {
    reset,
    install: scripts(change?.install.map(({ command }) => command)),
    adjustment: scripts(change?.adjustment?.map(({ command }) => command)),
    removal: scripts(change?.removal.flatMap(({ commands }) => commands)),
  };
}

const ALL = { program: "nft", args: ["list", "ruleset"] } as const;

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
      const { reset, install, removal } = scriptsOf(policy);
      await runAll(host, [...reset, ...install, ...install]);
      assertEquals((await inspectTable(host, "bridgewall", [policy])).drift, []);
      await runAll(host, [...removal, ...removal]);
      assertEquals((await host.run(ALL)).stdout, "");
    });
    await fc.assert(property, { numRuns: 40 });
  },
});

hostTest({
  name: "whatever prefixes are masqueraded, nft takes them, lists them, exchanges and forgets them",
  body: async () => {
    await using host = await openKernel();
    const property = fc.asyncProperty(PREFIXES, PREFIXES, async (one, other) => {
      const [before, after] = [masqueradePolicy(one), masqueradePolicy(other)];
      const { reset, install } = scriptsOf(before);
      await runAll(host, [...reset, ...install, ...install]);
      assertEquals((await inspectTable(host, "bridgewall", [before])).drift, []);
      const next = scriptsOf(after);
      const going = scriptsOf(before).removal.filter(({ stdin }) =>
        !next.removal.some((kept) => kept.stdin === stdin)
      );
      const stdin = [...going, ...next.install].map((command) => command.stdin ?? "").join("");
      await runAll(host, [{ program: "nft", args: ["-f", "-"], stdin }]);
      assertEquals((await inspectTable(host, "bridgewall", [after])).drift, []);
      await runAll(host, [...next.removal, ...next.removal]);
      assertEquals((await host.run(ALL)).stdout, "");
    });
    await fc.assert(property, { numRuns: 15 });
  },
});

hostTest({
  name: "from any published ports to any others, what differs is enough",
  body: async () => {
    await using host = await openKernel();
    const two = fc.tuple(policies(undefined, fc.constant("virbr0")), fc.integer());
    let adjusted = 0;
    const property = fc.asyncProperty(two, async ([policy, seed]) => {
      const other = withOthers(policy, seed);
      const { reset, install } = scriptsOf(policy);
      const { adjustment, removal } = scriptsOf(other, policy);
      if (adjustment.length === 0) return;
      adjusted++;
      await runAll(host, [...reset, ...install, ...adjustment]);
      assertEquals((await inspectTable(host, "bridgewall", [other])).drift, []);
      await runAll(host, removal);
      assertEquals((await host.run(ALL)).stdout, "");
    });
    await fc.assert(property, { numRuns: 30 });
    assert(adjusted > 3, `only ${adjusted}`);
  },
});

/** Some of the ports gone, some sent to other ports or guests; what is left of a family is never nothing. */
function withOthers(policy: FilteredPolicy, seed: number): FilteredPolicy {
  return {
    ...policy,
    families: policy.families.map((part) => {
      const changed = part.published.flatMap((port, index) => {
        const choice = (seed >> (2 * index)) & 3;
        if (choice === 0 && index > 0) return [];
        if (choice === 2) return [port];
        if (choice === 3) {
          return [{ ...port, guest: part.published.at(index - 1)?.guest ?? port.guest }];
        }
        const start = Math.min(
          port.guestPorts.start + 1,
          65535 - port.ports.end + port.ports.start,
        );
        const end = start + port.ports.end - port.ports.start;
        return [{ ...port, guestPorts: { start, end } }];
      });
      return { ...part, published: changed };
    }),
  };
}

hostTest({
  name: "the model of nft takes what nft takes, and refuses what it refuses",
  body: async (t) => {
    await using host = await openKernel();
    const { install, reset } = scriptsOf(policyOf(WEB));
    const masqueraded = scriptsOf(masqueradePolicy(PREFIXES_LISTED.map(subnet))).install;
    const whole = [...install, ...masqueraded].map(({ stdin }) => stdin ?? "").join("");
    for (const line of LINES) {
      await t.step(line, async () => {
        await runAll(host, [...reset, { program: "nft", args: ["-f", "-"], stdin: whole }]);
        const script = `${line.replaceAll(" T ", " inet bridgewall ")}\n`;
        const { ruleset, error } = runScript(new Map(), whole);
        assertEquals(error, undefined);
        const taken = runScript(ruleset, script);
        const { status, stderr } = await host.run({
          program: "nft",
          args: ["-f", "-"],
          stdin: script,
        });
        assertEquals(taken.error === undefined, status === 0, `${taken.error}\n${stderr}`);
        const changes = describeRuleset(taken.ruleset) !== describeRuleset(ruleset);
        assert(status === 0 || !changes);
      });
    }
  },
});

/** Lines upon a table with published ports and prefixes: most of them are mistakes. */
const LINES: readonly string[] = [
  "add element T publish_any_ipv4 { tcp . 8080 : 10.44.0.9 . 80 }",
  "add element T publish_any_ipv4 { tcp . 8080 : 10.44.0.8 . 80 }",
  "add element T publish_any_ipv4 { tcp . 81 : 10.44.0.8 . 80, tcp . 8080 : 10.44.0.8 . 80 }",
  "delete element T publish_any_ipv4 { tcp . 8080 }",
  "delete element T publish_any_ipv4 { tcp . 8081 }",
  "add element T publish_ranges_ipv4 { 192.0.2.1 . udp . 5000-5999 : 10.44.0.9 }",
  "add element T publish_ranges_ipv4 { 192.0.2.1 . udp . 5000-5999 : 10.44.0.8 }",
  "add element T publish_ranges_ipv4 { 192.0.2.1 . udp . 5500-6500 : 10.44.0.9 }",
  "add element T publish_ranges_ipv4 { 192.0.2.1 . udp . 6000-6500 : 10.44.0.9 }",
  "add element T publish_ranges_ipv4 { 192.0.2.2 . udp . 5500-6500 : 10.44.0.9 }",
  "delete element T publish_ranges_ipv4 { 192.0.2.1 . udp . 5000-5999 }",
  "add element T published_ipv4 { tcp . 10.44.0.9 . 80 }",
  "delete element T published_ipv4 { tcp . 10.44.0.9 . 81 }",
  "flush set T published_ipv4",
  "delete set T published_ipv4",
  "delete map T publish_any_ipv4",
  "delete map T from_bridge",
  "add set T published_ipv4 { type ifname; }",
  "add map T hairpin { type ifname : verdict; }",
  "delete chain T hairpin-virbr0",
  "delete chain T hairpin",
  'add element T hairpin { "eth0" : jump nowhere }',
  "add element T nothing { 1 }",
  "add element T masquerade_ipv4 { 10.9.0.0/16 }",
  "add element T masquerade_ipv4 { 10.9.8.0/24 }",
  "add element T masquerade_ipv4 { 10.10.0.0/16 }",
  "add element T masquerade_ipv4 { 10.0.0.0/8 }",
  "delete element T masquerade_ipv4 { 10.9.8.0/24 }",
  "flush set T masquerade_ipv4",
  "delete counter T rejected-virbr0",
  "add rule T forward ip saddr @masquerade_ipv6 accept",
];

function policyOf(definition: string): FilteredPolicy {
  const policy = derivePolicy({ network: parseNetwork(definition, "test"), bridge: "virbr0" });
  assert(policy.kind === "filtered");
  return policy;
}

const LISTINGS: readonly (readonly [CompiledPolicy, readonly Json[]])[] = [
  [policyOf(DEFINITION), LISTING],
  [policyOf(WEB), WEB_LISTING],
  [masqueradePolicy(PREFIXES_LISTED.map(subnet)), MASQUERADE_LISTING],
];

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
        for (const [policy, listing] of LISTINGS) {
          const { reset, install } = scriptsOf(policy);
          await runAll(host, [...reset, ...install]);
          const args = ["-j", "list", "table", "inet", "bridgewall"];
          const { stdout } = await host.run({ program: "nft", args });
          assertEquals(stable(stdout), stable(answer(listing)));
        }
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
  "add set inet bridgewall s { type ipv4_addr; }": 'Set "s" is not ours',
  "add set inet bridgewall s { type tcp_flag; elements = { syn | ack }; }": 'Set "s" is not ours',
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
    const { reset, install } = scriptsOf(policy);
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

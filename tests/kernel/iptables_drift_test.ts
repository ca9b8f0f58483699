/** What somebody does to our rules with the programs themselves: noticed, named, and put right. */
import { assert, assertEquals } from "@std/assert";
import { compileChange } from "../../backends/iptables/compile.ts";
import { inspectTables } from "../../backends/iptables/inspect.ts";
import { PROGRAMS, type Variant } from "../../backends/iptables/variant.ts";
import type { Command, Program } from "../../core/command.ts";
import type { Facts, Inspection } from "../../core/firewall_backend.ts";
import { factsOf } from "../backends/iptables/facts.ts";
import { installCommands, withoutSettings } from "../backends/iptables/tables.ts";
import { IPTABLES } from "../hosts/backends.ts";
import { hostTest } from "../hosts/requirements.ts";
import { masqueradePolicy } from "../../core/policy/masquerade.ts";
import type { CompiledPolicy } from "../../core/policy/policy.ts";
import { filtered, IPV6, subnet } from "../support/definitions.ts";
import { type Kernel, openKernel, runAll } from "./open_kernel.ts";

const POLICY = filtered(
  "<metadata><publish xmlns='urn:bridgewall:network:1' proto='tcp' port='8080-8082' " +
    "to='10.44.0.9:80' localhost='yes'/></metadata>" +
    `<forward><nat ipv6='yes'/></forward>${IPV6}<ip address='10.44.0.1' prefix='24'><dhcp>` +
    "<range start='10.44.0.2' end='10.44.0.9'/></dhcp></ip>",
);

/** The network, and prefixes of none. */
const POLICIES: readonly CompiledPolicy[] = [
  POLICY,
  masqueradePolicy([subnet("10.9.0.0/16"), subnet("fd99::/48")]),
];

const JUMP = "-m comment --comment bridgewall -j";

/** Lines for the table of both families, and what `check` says then. */
type Edit = readonly [table: string, lines: readonly string[], difference: string];

const EDITS: readonly Edit[] = [
  ["filter", ["-F FORWARD"], "The jump from FORWARD to BRIDGEWALL_FROM is missing"],
  [
    "filter",
    [`-I FORWARD ${JUMP} BRIDGEWALL_TO`],
    "The jump from FORWARD to BRIDGEWALL_TO is there 2 times",
  ],
  [
    "filter",
    [`-D FORWARD ${JUMP} BRIDGEWALL_TO`, `-I FORWARD ${JUMP} BRIDGEWALL_TO`],
    "The jumps from FORWARD to our chains are in another order",
  ],
  ["filter", ["-F BRIDGEWALL_FROM"], 'A rule is missing from chain "BRIDGEWALL_FROM": -i virbr0'],
  ["filter", ["-I BRIDGEWALL_TO -j ACCEPT"], 'A rule of chain "BRIDGEWALL_TO" is not ours: -j ACC'],
  [
    "filter",
    ["-D BWALL_FROM_virbr0 1"],
    'Rule 1 of chain "BWALL_FROM_virbr0" is missing: -o virbr0',
  ],
  [
    "filter",
    ["-I BWALL_TO_virbr0 -i eth0 -p tcp -m multiport --dports 22,80 -j ACCEPT"],
    'Rule 1 of chain "BWALL_TO_virbr0" is not ours: -i eth0 -p tcp -m multiport --dports 22,80',
  ],
  [
    "filter",
    [`-A BWALL_TO_virbr0 -m comment --comment "it's \\"x\\" \\\\" -j DROP`],
    `Rule 5 of chain "BWALL_TO_virbr0" is not ours: -m comment --comment "it's`,
  ],
  ["filter", ["-N BWALL_FROM_virbr7"], 'Chain "BWALL_FROM_virbr7" of table filter belongs to no'],
  ["nat", ["-F BWALL_NAT_virbr0"], 'Rule 1 of chain "BWALL_NAT_virbr0" is missing'],
  [
    "nat",
    ["-F BRIDGEWALL_POST", "-F BWALL_NAT_virbr0", "-X BWALL_NAT_virbr0"],
    'Chain "BWALL_NAT_virbr0" is missing',
  ],
  ["nat", ["-F OUTPUT"], "The jump from OUTPUT to BRIDGEWALL_PRE is missing"],
  [
    "nat",
    [`-D PREROUTING -m addrtype --dst-type LOCAL ${JUMP} BRIDGEWALL_PRE`],
    "The jump from PREROUTING to BRIDGEWALL_PRE is missing",
  ],
  [
    "nat",
    [
      "-D BWALL_PRE_virbr0 2",
      "-I BWALL_PRE_virbr0 -p tcp -j DNAT --to-destination 10.44.0.9:1-9/8",
    ],
    'Rule 1 of chain "BWALL_PRE_virbr0" is not ours: -p tcp -j DNAT --to-destination 10.44.0.9:1-9/8',
  ],
  [
    "nat",
    ["-D", "-I"].map((verb) => `${verb} POSTROUTING ! -o lo ${JUMP} BRIDGEWALL_MASQ`),
    "The jumps from POSTROUTING to our chains are in another order",
  ],
  [
    "nat",
    ["-F BRIDGEWALL_MASQ"],
    'A rule is missing from chain "BRIDGEWALL_MASQ": -s 10.9.0.0/16 ! -d 10.9.0.0/16',
  ],
  [
    "filter",
    ["-D BWALL_REQ_virbr0 1"],
    'Rule 1 of chain "BWALL_REQ_virbr0" is missing: -m conntrack --ctproto 6 --ctreplsrc 10.44.0.9',
  ],
  ["raw", ["-F BRIDGEWALL_LO"], 'Rule 1 of chain "BRIDGEWALL_LO" is missing: -d 127.0.0.0/8'],
  ["raw", ["-F PREROUTING"], "The jump from PREROUTING to BRIDGEWALL_LO is missing"],
  [
    "mangle",
    ["-F BRIDGEWALL_SUM"],
    'A rule is missing from chain "BRIDGEWALL_SUM": -o virbr0 -p udp',
  ],
];

/** Runs the lines, in IPv4. */
function edit(variant: Variant, table: string, lines: readonly string[]): Command {
  const program = variant === "nft" ? "iptables-nft-restore" : "iptables-legacy-restore";
  const stdin = [`*${table}`, ...lines, "COMMIT", ""].join("\n");
  return { program, args: ["--noflush", "--wait=60"], stdin };
}

/** The facts of a host whose programs list what is there. */
async function factsNow(host: Kernel, variant: Variant): Promise<Facts> {
  const saved: Partial<Record<Program, string>> = {};
  for (const { save } of PROGRAMS) saved[save.program] = (await host.run(save)).stdout;
  return factsOf({ variant, saved });
}

/** Takes away everything of ours that is there, and installs the network anew. */
async function makeAnew(host: Kernel, variant: Variant): Promise<void> {
  const { reset, networks } = compileChange(POLICIES, await factsNow(host, variant));
  await runAll(host, [...reset, ...withoutSettings(installCommands(networks))]);
  assertEquals((await inspect(host, variant)).drift, []);
}

function inspect(host: Kernel, variant: Variant): Promise<Inspection> {
  const { networks } = compileChange(POLICIES, factsOf({ variant }));
  return inspectTables(
    host,
    POLICIES.map((policy, index) => ({ policy, removal: networks[index]?.removal ?? [] })),
  );
}

for (const { name, variant, tools } of IPTABLES) {
  hostTest({
    name: `whatever somebody does to our rules of ${name}, it is named, and they can be made anew`,
    tools,
    body: async (t) => {
      await using host = await openKernel();
      for (const [table, lines, difference] of EDITS) {
        await t.step(lines.join("; "), async () => {
          await makeAnew(host, variant);
          await runAll(host, [edit(variant, table, lines)]);
          const said = (await inspect(host, variant)).drift.map((one) => one.difference);
          assert(said.some((one) => one.startsWith(difference)), JSON.stringify(said));
        });
      }
      await t.step("and once more", () => makeAnew(host, variant));
    },
  });

  hostTest({
    name: `rules of somebody else stand after ours of ${name} were made anew`,
    tools,
    body: async () => {
      await using host = await openKernel();
      await makeAnew(host, variant);
      const foreign = ["-N DOCKER", "-I FORWARD -i docker0 -j DOCKER", "-A DOCKER -j RETURN"];
      await runAll(host, [edit(variant, "filter", foreign)]);
      await makeAnew(host, variant);
      const { reset } = compileChange([], await factsNow(host, variant));
      await runAll(host, reset);
      const save = PROGRAMS.find((one) => one.variant === variant && one.family === "ipv4")?.save;
      assert(save !== undefined);
      const { stdout } = await host.run({ ...save, args: [] });
      assertEquals(stdout.match(/^-A.*/gm), [
        "-A FORWARD -i docker0 -j DOCKER",
        "-A DOCKER -j RETURN",
      ]);
      assert(!/BRIDGEWALL|BWALL/.test(stdout), stdout);
    },
  });
}

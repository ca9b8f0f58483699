/** Interface names that the iptables backend takes, given to both variants and to real packets. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { compileChange } from "../../backends/iptables/compile.ts";
import { inspectTables } from "../../backends/iptables/inspect.ts";
import { readSaved } from "../../backends/iptables/saved.ts";
import { chainName } from "../../backends/iptables/script.ts";
import { PROGRAMS, type Variant } from "../../backends/iptables/variant.ts";
import { problemOfInterfaceName } from "../../core/network/interface_name.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { factsOf } from "../backends/iptables/facts.ts";
import { isWritable, WRITABLE_NAMES } from "../backends/iptables/names.ts";
import { installCommands, removeCommands } from "../backends/iptables/tables.ts";
import { IPTABLES } from "../hosts/backends.ts";
import { hostTest } from "../hosts/requirements.ts";
import { mustRun } from "../hosts/run_program.ts";
import { filtered } from "../support/definitions.ts";
import { type Kernel, openKernel, runAll } from "./open_kernel.ts";

/** Names that are options, wildcards, targets or the beginnings of one another somewhere. */
const TELLING_NAMES: readonly string[] = [
  ..."-t --table -j -A -h - -- ! !! !x +x x+y * ** x* x*y # #x *nat COMMIT ACCEPT RETURN any".split(
    " ",
  ),
  ..."br br0 br00 0 [0:0] [0] ' '' it's \\ \\\\ \\n x\\ \\x22 $(x) `x` ; {} <x> ~ ^ = , . .x".split(
    " ",
  ),
  ..."\u0001\u001b\u007f\u0080\u0085\u009b\u00ad\u1680\u2000\u2003\u2028\u2029\u202e\u202f\u3000\ufeff网😀",
  "x".repeat(15),
  "é".repeat(7),
].filter((name) => problemOfInterfaceName(name) === undefined && isWritable(name));

/** The network of the bridge with this name, the only one with its addresses. */
function policyOf(bridge: string, number: number): FilteredPolicy {
  const elements = `<forward/><ip address='10.9.${number}.1' prefix='24'/>`;
  return { ...filtered(elements, `net${number}`), bridge };
}

/** Gives the host an interface of each name, with a neighbour behind it that answers. */
async function addInterfaces(names: readonly string[], host: Kernel, peer: Kernel): Promise<void> {
  for (const [number, name] of names.entries()) {
    const end = `end${number}`;
    const ip = (...words: readonly string[]): Promise<string> =>
      mustRun(["ip", "-n", host.namespace, ...words]);
    await ip(
      ...["link", "add", "name", name, "type", "veth"],
      ...["peer", "name", end, "netns", peer.namespace],
    );
    await ip("address", "add", `10.9.${number}.1/24`, "dev", name);
    await ip("link", "set", "up", "dev", name);
    await mustRun(["ip", "-n", peer.namespace, "link", "set", "up", "dev", end]);
    await mustRun([
      ...["ip", "-n", peer.namespace, "address", "add"],
      ...[`10.9.${number}.2/24`, "dev", end],
    ]);
  }
}

/** How many packets each bridge's entries in a chain have seen. */
async function packetsOf(
  host: Kernel,
  variant: Variant,
  kind: "INP" | "OUT",
  names: readonly string[],
): Promise<readonly (number | undefined)[]> {
  const save = PROGRAMS.find((one) => one.variant === variant && one.family === "ipv4")?.save;
  assert(save !== undefined);
  const { stdout } = await host.run(save);
  const rules = readSaved(stdout).get("filter")?.get(`BRIDGEWALL_${kind}`) ?? [];
  return names.map((name) =>
    rules.find(({ words }) => words.at(-1) === chainName(kind, name))?.traffic.packets
  );
}

async function assertNamesMatch(names: readonly string[], variant: Variant): Promise<void> {
  await using host = await openKernel();
  await using peer = await openKernel();
  await addInterfaces(names, host, peer);
  const policies = names.map(policyOf);
  const { networks } = compileChange(policies, factsOf({ variant }));
  await runAll(host, installCommands(networks));
  const installed = policies.map((policy, index) => ({
    policy,
    removal: networks[index]?.removal ?? [],
  }));
  assertEquals((await inspectTables(host, installed)).drift, []);
  for (const number of names.keys()) {
    await mustRun(["ping", "-c1", "-W5", `10.9.${number}.2`], { namespace: host.namespace });
  }
  for (const kind of ["INP", "OUT"] as const) {
    const counted = await packetsOf(host, variant, kind, names);
    const others = names.filter((_, index) => counted[index] !== 1);
    assertEquals(others, [], `each name has seen one packet in ${kind}, but for these`);
  }
  await runAll(host, removeCommands(networks));
}

for (const { name, variant, tools } of IPTABLES) {
  hostTest({
    name: `${name} tells apart interfaces whose names mean something elsewhere`,
    tools,
    body: () => assertNamesMatch(TELLING_NAMES, variant),
  });

  hostTest({
    name: `with ${name} the rules of a bridge meet its packets and no others, whatever its name`,
    tools,
    body: async () => {
      const names = fc.uniqueArray(WRITABLE_NAMES, { minLength: 25, maxLength: 25 });
      const property = fc.asyncProperty(names, (all) => assertNamesMatch(all, variant));
      // A counterexample is looked for among its names: each run takes seconds.
      await fc.assert(property, { numRuns: 4, endOnFailure: true });
    },
  });
}

/** Rules of the iptables backend on a kernel: brought up, looked for, and taken away. */
import { assert, assertEquals } from "@std/assert";
import { compileChange } from "../../backends/iptables/compile.ts";
import { inspectTables } from "../../backends/iptables/inspect.ts";
import { isOurs } from "../../backends/iptables/parts.ts";
import { readSaved } from "../../backends/iptables/saved.ts";
import { PROGRAMS, type Variant } from "../../backends/iptables/variant.ts";
import { formatSubnet } from "../../core/address.ts";
import type { NetworkChange } from "../../core/change/change.ts";
import type { Host } from "../../core/host.ts";
import { formatSpec, isLoopback } from "../../core/network/published_port.ts";
import type { CompiledPolicy } from "../../core/policy/policy.ts";
import { factsOf } from "../backends/iptables/facts.ts";
import { installCommands, removeCommands, withoutSettings } from "../backends/iptables/tables.ts";
import { openKernel, runAll } from "./open_kernel.ts";

/** Loads the networks on a host without rules, and what is listed is what was asked for. */
export async function bringUp(
  host: Host,
  policies: readonly CompiledPolicy[],
  variant: Variant,
): Promise<readonly NetworkChange[]> {
  const { networks } = compileChange(policies, factsOf({ variant }));
  await runAll(host, withoutSettings(installCommands(networks)));
  await assertStands(host, policies, networks);
  return networks;
}

/** All that was asked for is listed, and what carries packets counts them. */
export async function assertStands(
  host: Host,
  policies: readonly CompiledPolicy[],
  networks: readonly NetworkChange[],
): Promise<void> {
  const installed = policies.map((policy, index) => ({
    policy,
    removal: networks[index]?.removal ?? [],
  }));
  const inspection = await inspectTables(host, installed);
  assertEquals(inspection.drift, []);
  for (const [index, { traffic, counted = new Map() }] of inspection.networks.entries()) {
    const policy = policies[index];
    assert(policy !== undefined && (traffic !== undefined || policy.kind === "masquerade"));
    assertEquals([...counted.keys()].toSorted(), carriersOf(policy).toSorted());
  }
}

/** What is counted by itself: prefixes, and ports, but for those that the host alone may ask for. */
function carriersOf(policy: CompiledPolicy): readonly string[] {
  if (policy.kind === "masquerade") {
    return policy.families.flatMap(({ prefixes }) => prefixes.map(formatSubnet));
  }
  return policy.families.flatMap(({ published }) =>
    published.filter(({ hostAddress }) => hostAddress === undefined || !isLoopback(hostAddress))
      .map(formatSpec)
  );
}

/** Nothing of ours is listed: no chain, and no rule that names one. */
export async function assertNothing(host: Host, variant: Variant): Promise<void> {
  for (const { save } of PROGRAMS.filter((programs) => programs.variant === variant)) {
    const { status, stdout } = await host.run(save);
    assertEquals(status, 0);
    for (const table of readSaved(stdout).values()) {
      assertEquals([...table.keys()].filter(isOurs), []);
      assertEquals([...table.values()].flat(), []);
    }
  }
}

/** There, once more, and back, on a host of its own. */
export async function comeAndGo(
  policies: readonly CompiledPolicy[],
  variant: Variant,
): Promise<void> {
  await using host = await openKernel();
  const networks = await bringUp(host, policies, variant);
  const again = compileChange(policies, factsOf({ variant, standing: networks })).networks;
  await runAll(host, withoutSettings(installCommands(again, networks)));
  await assertStands(host, policies, again);
  await runAll(host, withoutSettings(removeCommands(again)));
  await assertNothing(host, variant);
}

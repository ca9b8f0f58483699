/** A host with two networks, and what programs list there: for tests of `inspect`. */
import { compileChange } from "../../../backends/iptables/compile.ts";
import { inspectTables } from "../../../backends/iptables/inspect.ts";
import type { CommandResult, Program } from "../../../core/command.ts";
import type { Inspection, InstalledPolicy } from "../../../core/firewall_backend.ts";
import type { Host } from "../../../core/host.ts";
import type { CompiledPolicy, FilteredPolicy } from "../../../core/policy/policy.ts";
import { filtered, IPV4, IPV6 } from "../../support/definitions.ts";
import { emptyWorld, startProcess } from "../../support/model_host.ts";
import { scriptedRunner } from "../../support/scripted_runner.ts";
import { factsOf, type Told } from "./facts.ts";
import { installed, listing } from "./tables.ts";

const { host: MODEL } = startProcess(emptyWorld(), {}).context;

const DHCP = "<ip address='10.45.0.1' prefix='24'><dhcp>" +
  "<range start='10.45.0.2' end='10.45.0.9'/></dhcp></ip>";

/** `lan` translates IPv4 and routes IPv6; `other` is isolated and has no IPv6. */
export const POLICIES: readonly FilteredPolicy[] = [
  filtered(`<forward/>${IPV4}${IPV6}`),
  { ...filtered(DHCP, "other"), bridge: "virbr1" },
];

/** The policies with the removals of their records. */
export function installedPolicies(
  policies: readonly CompiledPolicy[] = POLICIES,
  told: Told = {},
): readonly InstalledPolicy[] {
  const { networks } = compileChange(policies, factsOf(told));
  return policies.map((policy, index) => ({ policy, removal: networks[index]?.removal ?? [] }));
}

/** What each program prints; in place of the whole result its output. */
export type Printed = Readonly<Partial<Record<Program, string | Partial<CommandResult>>>>;

/** What each program lists when the networks are there; every rule has counted so much. */
export function listings(counted?: string): Readonly<Partial<Record<Program, string>>> {
  const host = installed(new Map(), compileChange(POLICIES, factsOf()).networks);
  return {
    "iptables-nft-save": listing(host, "iptables-nft-restore", counted),
    "ip6tables-nft-save": listing(host, "ip6tables-nft-restore", counted),
  };
}

/** What was found, and what was run for it. */
export interface Asked {
  readonly inspection: Inspection;
  readonly ran: readonly string[];
}

/** Inspects a host where programs print this; the others are not installed. */
export async function inspect(
  printed: Printed,
  policies = installedPolicies(),
): Promise<Asked> {
  const runner = scriptedRunner(({ program }) => {
    const answer = printed[program] ?? { status: 127 };
    return typeof answer === "string" ? { stdout: answer } : answer;
  });
  const host: Host = { ...MODEL, run: runner.run };
  return { inspection: await inspectTables(host, policies), ran: runner.ran };
}

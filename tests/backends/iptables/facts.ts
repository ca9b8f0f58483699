/** What a backend may know, from few words: for tests of iptables. */
import { assert } from "@std/assert";
import { compileChange } from "../../../backends/iptables/compile.ts";
import type { Variant } from "../../../backends/iptables/variant.ts";
import type { NetworkChange } from "../../../core/change/change.ts";
import type { Command, CommandResult, Program } from "../../../core/command.ts";
import type { Facts } from "../../../core/firewall_backend.ts";
import type { CompiledPolicy } from "../../../core/policy/policy.ts";
import { FRESH_FACTS } from "../../support/definitions.ts";
import { standing } from "../../support/operation.ts";

/** What differs from a host that has both families, rules of nft, and nothing installed. */
export interface Told {
  readonly variant?: Variant;
  readonly ipv6?: boolean;
  /** The networks whose rules stand. */
  readonly standing?: readonly NetworkChange[];
  /** What is true for the networks now, where they are adjusted. */
  readonly before?: readonly CompiledPolicy[];
  /** What the programs that list rules print; the others fail. */
  readonly saved?: Partial<Record<Program, string>>;
}

/** The facts of a host that answers all questions. */
export function factsOf(told: Told = {}): Facts {
  return {
    ...FRESH_FACTS,
    standing: (told.standing ?? []).map(({ removal }) => standing(...removal)),
    answers: { to: (question) => answerTo(question, told) },
    before: new Map((told.before ?? []).map((policy) => [policy.network, policy])),
  };
}

function answerTo({ program }: Command, told: Told): CommandResult {
  const done = (stdout: string): CommandResult => ({ status: 0, stdout, stderr: "" });
  switch (program) {
    case "iptables":
      return done(`iptables v1.8.9 (${told.variant === "legacy" ? "legacy" : "nf_tables"})\n`);
    case "sysctl":
      return done(told.ipv6 === false ? "" : "1\n");
    default: {
      const listing = told.saved?.[program];
      return listing === undefined
        ? { status: 127, stdout: "", stderr: `${program}: not found` }
        : done(listing);
    }
  }
}

/** How one network gets in and out of such a host. */
export function compileOne(policy: CompiledPolicy, told: Told = {}): NetworkChange {
  const [change] = compileChange([policy], factsOf(told)).networks;
  assert(change !== undefined);
  return change;
}

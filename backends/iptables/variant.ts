/** Which of the two programs called iptables a host has, and the names that both go by. */
import type { Family } from "../../core/address.ts";
import { commandsOf } from "../../core/change/change.ts";
import type { Command, CommandResult, RuleProgram } from "../../core/command.ts";

/** `nft`: rules in nf_tables. `legacy`: in x_tables. Each knows nothing of the rules of the other. */
export type Variant = "nft" | "legacy";

/** The programs of one variant for one family. */
export interface FamilyPrograms {
  /** Whose tables they work on. */
  readonly variant: Variant;
  /** The tables of the two families are separate, and so are their programs. */
  readonly family: Family;
  /** Takes scripts. */
  readonly restore: RuleProgram;
  /** Prints what is there. */
  readonly save: Command;
}

/**
 * All of them, by names that mean one variant whatever the host's `iptables` is: a record says how to take
 * back what stands, also when the host has been switched to the other variant since.
 */
export const PROGRAMS: readonly FamilyPrograms[] = [
  programs("nft", "ipv4", "iptables-nft-restore", "iptables-nft-save"),
  programs("nft", "ipv6", "ip6tables-nft-restore", "ip6tables-nft-save"),
  programs("legacy", "ipv4", "iptables-legacy-restore", "iptables-legacy-save"),
  programs("legacy", "ipv6", "ip6tables-legacy-restore", "ip6tables-legacy-save"),
];

function programs(
  variant: Variant,
  family: Family,
  restore: RuleProgram,
  save: Command["program"],
): FamilyPrograms {
  return { variant, family, restore, save: { program: save, args: ["--counters"] } };
}

/** Those of one variant and family. */
export function programsOf(variant: Variant, family: Family): FamilyPrograms {
  const found = PROGRAMS.find((one) => one.variant === variant && one.family === family);
  if (found === undefined) throw new Error(`there is no iptables-${variant} for ${family}`);
  return found;
}

/** Those that the removals run: they hold the rules of these installations. */
export function usedPrograms(
  installations: Parameters<typeof commandsOf>[0],
): readonly FamilyPrograms[] {
  const used = new Set(commandsOf(installations).map(({ program }) => program));
  return PROGRAMS.filter(({ restore }) => used.has(restore));
}

/** Tells version and variant: `iptables v1.8.9 (nf_tables)`. */
export const VERSION_QUESTION: Command = { program: "iptables", args: ["--version"] };

/** Prints nothing where the kernel was built or started without IPv6. */
export const IPV6_QUESTION: Command = {
  program: "sysctl",
  args: ["-e", "-n", "net.ipv6.conf.all.forwarding"],
};

/** Version and variant; undefined when the program is not there or is older than both variants (1.8). */
export function readVersion(
  { status, stdout }: CommandResult,
): { readonly version: string; readonly variant: Variant } | undefined {
  const [, version, variant] = /^iptables v(\S+) \((nf_tables|legacy)\)/.exec(stdout) ?? [];
  if (status !== 0 || version === undefined) return undefined;
  return { version, variant: variant === "legacy" ? "legacy" : "nft" };
}

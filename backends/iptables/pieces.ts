/** The parts of a policy as steps that bring them in, and as groups that take them away. */
import { groupKey, type RemovalGroup, type Step } from "../../core/change/change.ts";
import type { Command, RuleProgram } from "../../core/command.ts";
import type { CompiledPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import type { IptablesHost } from "./iptables_host.ts";
import { installPart, installShared, type Lines, removePart, removeShared } from "./part_lines.ts";
import { CHECKSUMS, type Part } from "./parts.ts";
import { partsOf } from "./ruleset.ts";
import { formatTable } from "./script.ts";
import { type FamilyPrograms, programsOf } from "./variant.ts";

/**
 * How long iptables waits for the xtables lock that other programs hold, in seconds. A program that
 * hangs with the lock in its hand must not make us hang too.
 */
const LOCK_SECONDS = 60;

/** One part of a policy, there and back. */
export interface Piece {
  /** Who takes its lines. */
  readonly programs: FamilyPrograms;
  /** What it is. */
  readonly part: Part;
  /** What is shared comes first. */
  readonly install: readonly Step[];
  /** Empty for a part that has nothing but what is shared. */
  readonly own: readonly RemovalGroup[];
  /** Others may have the same. */
  readonly shared: RemovalGroup;
}

/** All of them, for both families. */
export function piecesOf(policy: CompiledPolicy, host: IptablesHost): readonly Piece[] {
  const variant = host.variantOf(policy);
  return host.families.flatMap((family) =>
    partsOf(policy, family).map((part) => pieceOf(policy, programsOf(variant, family), part, host))
  );
}

/** The way back: each group once, and what is shared last. */
export function removalOf(pieces: readonly Piece[]): readonly RemovalGroup[] {
  const groups = [...pieces.flatMap(({ own }) => own), ...pieces.map(({ shared }) => shared)];
  return [...new Map(groups.map((group) => [groupKey(group), group])).values()];
}

function pieceOf(
  policy: CompiledPolicy,
  programs: FamilyPrograms,
  part: Part,
  host: IptablesHost,
): Piece {
  const { shared, chains, entries } = part;
  const script = (lines: Lines): Command =>
    runRestore(programs.restore, formatTable(shared.table, lines));
  const group = (lines: Lines): RemovalGroup => ({
    commands: [script(lines)],
    ignoreErrors: false,
  });
  const loss = lossOf(policy, programs, part, host);
  const step = (command: Command, { commands: [undo] }: RemovalGroup): Step => ({
    purpose: purposeOf(policy),
    command,
    ...(loss === undefined || undo === undefined ? {} : { optional: { loss, undo } }),
  });
  const hasOwn = chains.length + entries.length > 0;
  const [own, common] = [group(removePart(part)), group(removeShared(shared))];
  return {
    programs,
    part,
    own: hasOwn ? [own] : [],
    shared: common,
    install: [
      step(script(installShared(shared, host.stands(common))), common),
      ...(hasOwn ? [step(script(installPart(part, host.stands(own))), own)] : []),
    ],
  };
}

/** What loading its rules is called in an error. */
export function purposeOf(policy: CompiledPolicy): string {
  return policy.kind === "masquerade"
    ? "load the iptables rules of masqueraded prefixes"
    : `load the iptables rules of network ${quoted(policy.network)}`;
}

/** Why the network could do without this part; undefined: it could not. */
function lossOf(
  policy: CompiledPolicy,
  programs: FamilyPrograms,
  { shared }: Part,
  { isOptional }: IptablesHost,
): string | undefined {
  if (shared === CHECKSUMS) {
    return "DHCP replies may reach guests with a bad UDP checksum, which some clients drop";
  }
  return policy.kind === "filtered" && isOptional(programs)
    ? `IPv6 is not filtered on bridge ${quoted(policy.bridge)} of network ${
      quoted(policy.network)
    }, which does not use it`
    : undefined;
}

/** Gives a script to a restore, and leaves what is there. */
export function runRestore(program: RuleProgram, stdin: string): Command {
  return { program, args: ["--noflush", `--wait=${LOCK_SECONDS}`], stdin };
}

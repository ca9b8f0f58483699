/** Policies → Change, for iptables. */
import {
  type Change,
  groupKey,
  type NetworkChange,
  type RemovalGroup,
  type Step,
} from "../../core/change/change.ts";
import type { Command, RuleProgram } from "../../core/command.ts";
import { type Facts, zoneWarnings } from "../../core/firewall_backend.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { hostOf, type IptablesHost } from "./iptables_host.ts";
import { CHECKSUMS, type Entry, isHolder, type Part, ruleWords, type SharedPart } from "./parts.ts";
import { resetScript } from "./reset.ts";
import { standsAsRecorded } from "./recorded_entries.ts";
import { networkParts } from "./ruleset.ts";
import { formatTable } from "./script.ts";
import { type FamilyPrograms, PROGRAMS, programsOf, usedPrograms } from "./variant.ts";

/**
 * How long iptables waits for the xtables lock that other programs hold, in seconds. A program that
 * hangs with the lock in its hand must not make us hang too.
 */
const LOCK_SECONDS = 60;

/**
 * The scripts that install and remove the networks' rules.
 *
 * iptables has no way to say "if it is not there yet". Each line says what must be so instead: `-N` that
 * a chain is new, `-D` that a rule is there, so that a script which is taken leaves exactly the rules
 * that were meant; and one that is not tells that what stands is not what was recorded, upon which
 * everything of ours is listed and made anew ({@linkcode resetScript}).
 */
export function compileChange(policies: readonly FilteredPolicy[], facts: Facts): Change {
  const host = hostOf(policies, facts);
  return {
    networks: policies.map((policy) => networkChange(policy, host)),
    drifted: !standsAsRecorded(facts),
    unseen: PROGRAMS.filter(({ save }) => facts.answers.to(save)?.status === 127)
      .map(({ restore }) => restore),
    // Read only where all is made anew, and it takes its time.
    get reset() {
      return resetCommands(facts);
    },
  };
}

function resetCommands({ records, answers }: Facts): readonly Command[] {
  const used = usedPrograms(records);
  return PROGRAMS.flatMap((programs) => {
    const script = resetScript(answers.to(programs.save), used.includes(programs));
    return script === undefined ? [] : [runRestore(programs.restore, script)];
  });
}

function networkChange(policy: FilteredPolicy, host: IptablesHost): NetworkChange {
  const variant = host.variantOf(policy);
  const pieces = host.families.flatMap((family) =>
    networkParts(policy, family).map((part) =>
      pieceOf(policy, programsOf(variant, family), part, host)
    )
  );
  return {
    network: policy.network,
    install: pieces.flatMap(({ install }) => install),
    removal: [
      ...pieces.map(({ removal }) => removal.own),
      ...pieces.map(({ removal }) => removal.shared),
    ],
    warnings: zoneWarnings(policy, "iptables"),
  };
}

/** One part of a network, there and back. */
interface Piece {
  readonly install: readonly Step[];
  readonly removal: Readonly<Record<"own" | "shared", RemovalGroup>>;
}

function pieceOf(
  policy: FilteredPolicy,
  programs: FamilyPrograms,
  part: Part,
  host: IptablesHost,
): Piece {
  const { shared } = part;
  const script = (lines: Lines): Command =>
    runRestore(programs.restore, formatTable(shared.table, lines));
  const removal = {
    own: { commands: [script(removePart(part))], ignoreErrors: false },
    shared: { commands: [script(removeShared(shared))], ignoreErrors: false },
  };
  const loss = lossOf(policy, programs, part, host);
  const step = (command: Command, group: RemovalGroup): Step => ({
    purpose: `load the iptables rules of network ${quoted(policy.network)}`,
    command,
    ...(loss === undefined || group.commands[0] === undefined
      ? {}
      : { optional: { loss, undo: group.commands[0] } }),
  });
  const stands = (group: RemovalGroup): boolean => host.standing.has(groupKey(group));
  return {
    removal,
    install: [
      step(script(installShared(shared, stands(removal.shared))), removal.shared),
      step(script(installPart(part, stands(removal.own))), removal.own),
    ],
  };
}

/** Why the network could do without this part; undefined: it could not. */
function lossOf(
  { network, bridge }: FilteredPolicy,
  programs: FamilyPrograms,
  { shared }: Part,
  { isOptional }: IptablesHost,
): string | undefined {
  if (shared === CHECKSUMS) {
    return "DHCP replies may reach guests with a bad UDP checksum, which some clients drop";
  }
  return isOptional(programs)
    ? `IPv6 is not filtered on bridge ${quoted(bridge)} of network ${
      quoted(network)
    }, which does ` +
      "not use it"
    : undefined;
}

/** Lines as words. */
type Lines = readonly (readonly string[])[];

/** Chains that hold entries of networks are only made, never emptied; jumps come back to the head. */
function installShared({ chains, jumps }: SharedPart, stands: boolean): Lines {
  const filled = chains.filter((chain) => !isHolder(chain));
  return [
    ...(stands
      ? [...filled.map(({ name }) => ["-F", name]), ...jumps.map(deleteEntry)]
      : chains.map(({ name }) => ["-N", name])),
    ...filled.flatMap(({ name, rules }) => rules.map((rule) => ["-A", name, ...ruleWords(rule)])),
    ...jumps.toReversed().map(({ chain, rule }) => ["-I", chain, ...ruleWords(rule)]),
  ];
}

function installPart({ chains, entries }: Part, stands: boolean): Lines {
  return [
    ...chains.map(({ name }) => [stands ? "-F" : "-N", name]),
    ...chains.flatMap(({ name, rules }) => rules.map((rule) => ["-A", name, ...ruleWords(rule)])),
    ...(stands ? entries.map(deleteEntry) : []),
    ...entries.map(({ chain, rule }) => ["-A", chain, ...ruleWords(rule)]),
  ];
}

/**
 * Chains that hold entries are not emptied: with the last network they are empty, and if not, somebody
 * else's rule is in them. (Nor could they be: iptables-nft 1.8.9 forgets the deletion of a rule whose
 * chain is emptied further down, so that what the rule led to stays in use.)
 */
function removeShared({ chains, jumps }: SharedPart): Lines {
  return [
    ...jumps.map(deleteEntry),
    ...chains.filter((chain) => !isHolder(chain)).map(({ name }) => ["-F", name]),
    ...chains.map(({ name }) => ["-X", name]),
  ];
}

function removePart({ chains, entries }: Part): Lines {
  return [
    ...entries.map(deleteEntry),
    ...chains.map(({ name }) => ["-F", name]),
    ...chains.map(({ name }) => ["-X", name]),
  ];
}

function deleteEntry({ chain, rule }: Entry): readonly string[] {
  return ["-D", chain, ...ruleWords(rule)];
}

function runRestore(program: RuleProgram, stdin: string): Command {
  return { program, args: ["--noflush", `--wait=${LOCK_SECONDS}`], stdin };
}

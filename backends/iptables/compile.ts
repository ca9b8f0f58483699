/** Policies → Change, for iptables. */
import type { Family } from "../../core/address.ts";
import {
  type Change,
  groupKey,
  type NetworkChange,
  type RemovalGroup,
  type Step,
} from "../../core/change/change.ts";
import { type Command, firstLine, type RuleProgram } from "../../core/command.ts";
import { type Facts, NoBackendError, zoneWarnings } from "../../core/firewall_backend.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { CHECKSUMS, type Entry, type Part, ruleWords, type SharedPart } from "./parts.ts";
import { resetScript } from "./reset.ts";
import { networkParts, usesFamily } from "./ruleset.ts";
import { formatTable } from "./script.ts";
import { IPV6_QUESTION, PROGRAMS, readVersion, type Variant, VERSION_QUESTION } from "./variant.ts";

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
  // A host that has lost its iptables can still be asked to take away what is there.
  const host = policies.length === 0 ? undefined : hostOf(policies, facts);
  return {
    networks: host === undefined ? [] : policies.map((policy) => networkChange(policy, host)),
    unseen: PROGRAMS.filter(({ save }) => facts.answers.to(save)?.status === 127)
      .map(({ restore }) => restore),
    reset: PROGRAMS.flatMap(({ restore, save }) => {
      const isUsed = facts.records.some(({ removal }) =>
        removal.some(({ commands }) => commands.some(({ program }) => program === restore))
      );
      const script = resetScript(facts.answers.to(save), isUsed);
      return script === undefined ? [] : [runRestore(restore, script)];
    }),
  };
}

/** What the scripts depend on beside the policy. */
interface IptablesHost {
  readonly variant: Variant;
  /** IPv6 is filtered on each bridge, also where it is not used: then it is stopped. */
  readonly families: readonly Family[];
  /** True when the networks could do without the rules for IPv6. */
  readonly ipv6IsOptional: boolean;
  /** Keys of the removals of what stands. */
  readonly standing: ReadonlySet<string>;
}

function hostOf(
  policies: readonly FilteredPolicy[],
  { answers, standing }: Facts,
): IptablesHost {
  const variant = variantOf(answers);
  const ipv6 = answers.to(IPV6_QUESTION);
  const groups = standing.flatMap(({ removal }) => removal);
  return {
    variant,
    families: ipv6?.status === 0 && ipv6.stdout.trim() === "" ? ["ipv4"] : ["ipv4", "ipv6"],
    ipv6IsOptional: !policies.some((policy) => usesFamily(policy, "ipv6")) &&
      !groups.some(({ commands }) =>
        commands.some(({ program }) => program === restoreProgram(variant, "ipv6"))
      ),
    standing: new Set(groups.map(groupKey)),
  };
}

/**
 * Of a host that was not asked it is the newer one.
 *
 * @throws {NoBackendError} When the host was asked and did not tell: a guess could leave what stands.
 */
function variantOf(answers: Facts["answers"]): Variant {
  const answer = answers.to(VERSION_QUESTION);
  if (answer === undefined) return "nft";
  const found = readVersion(answer);
  if (found !== undefined) return found.variant;
  const why = answer.status === 127
    ? "iptables is not installed"
    : `iptables does not tell which variant it is: ${firstLine(answer.stdout + answer.stderr)}`;
  throw new NoBackendError(
    `Cannot use the backend "iptables" on this host: ${why}`,
    "See `bridgewall backends`",
  );
}

function restoreProgram(variant: Variant, family: Family): RuleProgram {
  const own = PROGRAMS.find((one) => one.variant === variant && one.family === family);
  if (own === undefined) throw new Error(`no program restores ${variant} ${family}`);
  return own.restore;
}

function networkChange(policy: FilteredPolicy, host: IptablesHost): NetworkChange {
  const pieces = host.families.flatMap((family) =>
    networkParts(policy, family).map((part) => pieceOf(policy, family, part, host))
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
  family: Family,
  part: Part,
  host: IptablesHost,
): Piece {
  const { shared } = part;
  const program = restoreProgram(host.variant, family);
  const script = (lines: Lines): Command => runRestore(program, formatTable(shared.table, lines));
  const removal = {
    own: { commands: [script(removePart(part))], ignoreErrors: false },
    shared: { commands: [script(removeShared(shared))], ignoreErrors: false },
  };
  const loss = lossOf(policy, family, part, host);
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
  family: Family,
  { shared }: Part,
  { ipv6IsOptional }: IptablesHost,
): string | undefined {
  if (shared === CHECKSUMS) {
    return "DHCP replies may reach guests with a bad UDP checksum, which some clients drop";
  }
  return family === "ipv6" && ipv6IsOptional
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
  const filled = chains.filter(({ rules }) => rules.length > 0);
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
    ...chains.filter(({ rules }) => rules.length > 0).map(({ name }) => ["-F", name]),
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

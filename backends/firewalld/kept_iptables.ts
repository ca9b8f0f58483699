/**
 * Rules of others in iptables, through a reload of firewalld: up to version 1.3 that empties all tables of
 * iptables, whoever filled them (2.0 does so only where its own rules are there). Docker and libvirt hear of
 * it and make theirs again; ufw, fail2ban, an administrator's script and our own iptables backend do not.
 */
import type { Command, CommandResult, CommandRunner, Program } from "../../core/command.ts";

/** By the names that firewalld runs them by, so that the variant is the same. */
const PROGRAMS: readonly (readonly [save: Program, restore: Program])[] = [
  ["iptables-save", "iptables-restore"],
  ["ip6tables-save", "ip6tables-restore"],
];

/** What was there before a reload. */
export interface SavedIptables {
  /** Present when nobody can tell what was there: then better no reload. */
  readonly problem?: string;
  /** Gives back what the reload took; tells what could not be given back. */
  restore(): Promise<string | undefined>;
}

/** Looks at both families; where there is no iptables there is nothing to keep. */
export async function saveIptables(runner: CommandRunner): Promise<SavedIptables> {
  const [ipv4, ipv6] = await Promise.all(PROGRAMS.map(([save]) => list(runner, save)));
  const before = [ipv4, ipv6].map((listing) => listing?.status === 0 ? listing.stdout : "");
  const unknown = [ipv4, ipv6].find((listing) => listing !== undefined && isUnknown(listing));
  return {
    ...(unknown === undefined
      ? {}
      : { problem: `Cannot keep the rules of others in iptables: ${unknown.stderr.trim()}` }),
    restore: async () => {
      const problems = await Promise.all(
        PROGRAMS.map(([save, restore], index) =>
          restoreFamily(runner, save, restore, before[index] ?? "")
        ),
      );
      return problems.find((problem) => problem !== undefined);
    },
  };
}

/** A kernel without IPv6, or without iptables, has no rules to list. */
function isUnknown({ status, stderr }: CommandResult): boolean {
  return status !== 0 && status !== 127 && !/not supported|does not exist|initialize/.test(stderr);
}

async function restoreFamily(
  runner: CommandRunner,
  save: Program,
  restore: Program,
  before: string,
): Promise<string | undefined> {
  if (before === "") return undefined;
  const first = await list(runner, save);
  const after = first.status === 0 ? first : await list(runner, save);
  if (after.status !== 0) {
    return `firewalld may have emptied the tables of iptables: ${save} does not list them any more ` +
      `(${after.stderr.trim()})`;
  }
  const stdin = lostRules(before, after.stdout);
  if (stdin === "") return undefined;
  const command: Command = { program: restore, args: ["--noflush", "--wait=60"], stdin };
  const result = await runner.run(command);
  // Nobody else remembers these rules: what keeps them from coming back may be over by now.
  const { status, stderr } = result.status === 0 ? result : await runner.run(command);
  return status === 0
    ? undefined
    : `firewalld has emptied the tables of iptables, and ${restore} could not put back what others ` +
      `had there: ${stderr.trim()}`;
}

async function list(runner: CommandRunner, program: Program): Promise<CommandResult> {
  return await runner.run({ program, args: [] });
}

/** Chains that firewalld makes for itself, and removes with what they are for. */
const OF_FIREWALLD =
  /^(IN|FWD|FWDI|FWDO|PRE|POST|OUT)_|_(direct|ZONES|ZONES_SOURCE|POLICIES_pre|POLICIES_post)$/;

/**
 * The rules that one listing has and the other has not, but for those of firewalld itself: a script for
 * iptables-restore, empty when nothing is lost. Rules come back between the neighbours that they had.
 */
export function lostRules(before: string, after: string): string {
  const [then, now] = [tablesOf(before), tablesOf(after)];
  return [...then].map(([table, chains]) => {
    const live = now.get(table);
    const lost = [...chains].filter(([name, { policy }]) =>
      !OF_FIREWALLD.test(name) && live?.get(name)?.policy !== policy
    ).map(([name, { policy }]) => `:${name} ${policy} [0:0]`);
    const lines = [...chains].flatMap(([name, { rules }]) =>
      insertions(rules, live?.get(name)?.rules ?? [])
    );
    if (lost.length + lines.length === 0) return "";
    return [`*${table}`, ...lost, ...lines, "COMMIT", ""].join("\n");
  }).join("");
}

/** What makes a chain hold again what it held, where others keep their rules. */
function insertions(before: readonly string[], after: readonly string[]): readonly string[] {
  const live = [...after];
  let position = 0;
  return before.flatMap((rule) => {
    const found = live.indexOf(rule, position);
    if (found >= 0 || isOfFirewalld(rule)) {
      position = found >= 0 ? found + 1 : position;
      return [];
    }
    live.splice(position++, 0, rule);
    return [rule.replace(/^-A (\S+)/, `-I $1 ${position}`)];
  });
}

interface Chain {
  /** `-` for one that somebody made. */
  readonly policy: string;
  /** As they are printed: they are given back as they were. */
  readonly rules: readonly string[];
}

/** Listings as iptables-save prints them: `*TABLE`, `:CHAIN POLICY [0:0]`, `-A CHAIN …`, `COMMIT`. */
function tablesOf(listing: string): ReadonlyMap<string, ReadonlyMap<string, Chain>> {
  return new Map(
    listing.split(/^\*/m).slice(1).map((text) => {
      const [table = "", ...lines] = text.split("\n");
      const chains = new Map<string, { readonly policy: string; readonly rules: string[] }>();
      for (const line of lines) {
        const [, name, policy] = /^:(\S+) (\S+)/.exec(line) ?? [];
        if (name !== undefined && policy !== undefined) chains.set(name, { policy, rules: [] });
        else if (line.startsWith("-A ")) chains.get(line.split(" ")[1] ?? "")?.rules.push(line);
      }
      return [table, chains];
    }),
  );
}

function isOfFirewalld(rule: string): boolean {
  const [, chain = ""] = rule.split(" ");
  const target = / -[jg] (\S+)/.exec(rule)?.[1] ?? "";
  return OF_FIREWALLD.test(chain) || OF_FIREWALLD.test(target);
}

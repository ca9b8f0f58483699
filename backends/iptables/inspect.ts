/** What is live in the tables of iptables, compared with what the policies ask for. */
import { commandsOf } from "../../core/change/change.ts";
import { firstLine } from "../../core/command.ts";
import {
  addTraffic,
  type Inspection,
  type InstalledPolicy,
  type NetworkInspection,
  type Traffic,
} from "../../core/firewall_backend.ts";
import { type Host, HostError } from "../../core/host.ts";
import { quoted } from "../../core/quoted.ts";
import { chainDrift, type NetworkParts, ruleText, sharedDrift, textOf } from "./drift.ts";
import { isOurs, type Part, type Rule } from "./parts.ts";
import { partsOf } from "./ruleset.ts";
import { hiddenSentence, hiddenTables, readSaved, type SavedTable } from "./saved.ts";
import { type FamilyPrograms, PROGRAMS } from "./variant.ts";

/** Asks each program that the removals name, once. */
export async function inspectTables(
  host: Host,
  installed: readonly InstalledPolicy[],
): Promise<Inspection> {
  const used = PROGRAMS.filter(({ restore }) =>
    installed.some((one) => tablesOf(one, restore).size > 0)
  );
  const compared = await Promise.all(used.map(async (programs) => {
    const { status, stdout, stderr } = await host.run(programs.save);
    if (status !== 0) {
      const { program } = programs.save;
      throw new HostError(
        status === 127
          ? `Cannot list the rules of iptables: the program "${program}" is not installed`
          : `Cannot list the rules of iptables: ${program}: ${firstLine(stderr)}`,
      );
    }
    const [hidden] = hiddenTables(stdout);
    if (hidden !== undefined) {
      throw new HostError(
        hiddenSentence(hidden),
        "See them with `nft list ruleset`, and put them into a table of their own",
      );
    }
    return compareSaved(readSaved(stdout), programs, installed);
  }));
  return {
    networks: installed.map(({ policy: { network } }) =>
      bothFamilies(network, compared.flatMap((one) => one.networks))
    ),
    drift: compared.flatMap(({ drift }) => drift),
  };
}

/** The tables in which the network has rules, by what its removal takes away. */
function tablesOf({ removal }: InstalledPolicy, program: string): ReadonlySet<string> {
  const scripts = commandsOf([{ removal }]).filter((command) => command.program === program).map((
    { stdin },
  ) => stdin ?? "");
  return new Set(scripts.flatMap((script) => /^\*(\w+)/.exec(script)?.[1] ?? []));
}

/** Compares one listing with the networks that have rules in it. Pure. */
export function compareSaved(
  saved: ReadonlyMap<string, SavedTable>,
  { family, restore }: FamilyPrograms,
  installed: readonly InstalledPolicy[],
): Inspection {
  const networks = installed.map((one): NetworkParts => ({
    network: one.policy.network,
    parts: partsOf(one.policy, family).filter(({ shared }) =>
      tablesOf(one, restore).has(shared.table)
    ),
  }));
  const parts = networks.flatMap((one) => one.parts);
  const shared = new Set(parts.map((part) => part.shared));
  const known = new Set([
    ...parts.flatMap(({ shared: { table }, chains }) => chains.map(({ name }) => [table, name])),
    ...[...shared].flatMap(({ table, chains }) => chains.map(({ name }) => [table, name])),
  ].map((place) => place.join(" ")));
  return {
    networks: networks.filter((one) => one.parts.length > 0)
      .map((one) => networkTraffic(saved, one)),
    drift: [
      ...[...shared].flatMap((part) => sharedDrift(saved.get(part.table), part, networks)),
      ...networks.flatMap(({ network, parts: own }) =>
        own.flatMap(({ shared: { table }, chains }) =>
          chains.flatMap((chain) => chainDrift(saved.get(table), chain))
            .map((difference) => ({ network, difference }))
        )
      ),
      ...[...saved].flatMap(([name, table]) =>
        [...table.keys()].filter((chain) => isOurs(chain) && !known.has(`${name} ${chain}`)).map((
          chain,
        ) => ({
          difference: `Chain ${quoted(chain)} of table ${name} belongs to no network`,
        }))
      ),
    ],
  };
}

type NetworkTraffic = NonNullable<NetworkInspection["traffic"]>;

/** A rule that counts for a network, and what it has counted; absent: it is not there. */
interface CountingRule {
  readonly rule: Rule;
  readonly traffic: Traffic | undefined;
}

function networkTraffic(
  saved: ReadonlyMap<string, SavedTable>,
  { network, parts }: NetworkParts,
): NetworkInspection {
  const counting = parts.flatMap((part) => countingRules(saved.get(part.shared.table), part));
  const carriers = counting.filter(({ rule }) => rule.carries !== undefined);
  const counted = [...Map.groupBy(carriers, ({ rule }) => rule.carries ?? "")]
    .flatMap(([name, rules]) => {
      const traffic = rules.flatMap((one) => one.traffic ?? []);
      return traffic.length < rules.length ? [] : [[name, traffic.reduce(addTraffic)] as const];
    });
  const traffic = sumTraffic(counting.filter(({ rule }) => rule.counts !== undefined));
  return {
    network,
    ...(traffic === undefined ? {} : { traffic }),
    ...(counted.length === 0 ? {} : { counted: new Map(counted) }),
  };
}

function countingRules(table: SavedTable | undefined, { chains, entries }: Part): CountingRule[] {
  const places = [
    ...chains,
    ...entries.map(({ chain, rule }) => ({ name: chain, rules: [rule] })),
  ].map(({ name, rules }) => ({ name, rules: rules.filter(isCounting) }))
    .filter(({ rules }) => rules.length > 0);
  const live = new Map(
    [...new Set(places.map(({ name }) => name))].map((name) =>
      [name, new Map((table?.get(name) ?? []).map((one) => [textOf(one), one.traffic]))] as const
    ),
  );
  return places.flatMap(({ name, rules }) =>
    rules.map((rule) => ({ rule, traffic: live.get(name)?.get(ruleText(rule)) }))
  );
}

function isCounting({ counts, carries }: Rule): boolean {
  return counts !== undefined || carries !== undefined;
}

/** The sum of the counters of all rules that count for the network; undefined when one is not there. */
function sumTraffic(counting: readonly CountingRule[]): NetworkTraffic | undefined {
  if (counting.length === 0) return undefined;
  const sum = { out: NOTHING, in: NOTHING, rejected: NOTHING };
  for (const { rule: { counts }, traffic } of counting) {
    if (traffic === undefined) return undefined;
    if (counts !== undefined) sum[counts] = addTraffic(sum[counts], traffic);
  }
  return sum;
}

const NOTHING: Traffic = { packets: 0, bytes: 0 };

/** Both families together; no traffic where one of them does not count any more. */
function bothFamilies(network: string, parts: readonly NetworkInspection[]): NetworkInspection {
  const own = parts.filter((one) => one.network === network);
  const all = own.flatMap(({ traffic }) => traffic ?? []);
  const counted = new Map(own.flatMap((one) => [...one.counted ?? []]));
  return {
    network,
    ...(all.length === 0 || all.length < own.length ? {} : {
      traffic: all.reduce((one, other) => ({
        out: addTraffic(one.out, other.out),
        in: addTraffic(one.in, other.in),
        rejected: addTraffic(one.rejected, other.rejected),
      })),
    }),
    ...(counted.size === 0 ? {} : { counted }),
  };
}

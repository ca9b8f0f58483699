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
import { isFiltered } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { chainDrift, type NetworkParts, ruleText, sharedDrift, textOf } from "./drift.ts";
import { isOurs } from "./parts.ts";
import { networkParts } from "./ruleset.ts";
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
    parts: (isFiltered(one.policy) ? networkParts(one.policy, family) : []).filter(({ shared }) =>
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

/** The sum of the counters of all rules that count for the network; absent when one is not there. */
function networkTraffic(
  saved: ReadonlyMap<string, SavedTable>,
  { network, parts }: NetworkParts,
): NetworkInspection {
  const traffic = { out: NOTHING, in: NOTHING, rejected: NOTHING };
  for (const { shared: { table }, chains } of parts) {
    for (const { name, rules } of chains) {
      const live = saved.get(table)?.get(name) ?? [];
      for (const rule of rules) {
        if (rule.counts === undefined) continue;
        const text = ruleText(rule);
        const found = live.find((one) => textOf(one) === text);
        if (found === undefined) return { network };
        traffic[rule.counts] = addTraffic(traffic[rule.counts], found.traffic);
      }
    }
  }
  return { network, traffic };
}

const NOTHING: Traffic = { packets: 0, bytes: 0 };

/** Both families together; nothing where one of them does not count any more. */
function bothFamilies(network: string, parts: readonly NetworkInspection[]): NetworkInspection {
  const own = parts.filter((one) => one.network === network);
  const all = own.flatMap(({ traffic }) => traffic === undefined ? [] : [traffic]);
  if (all.length === 0 || all.length < own.length) return { network };
  return {
    network,
    traffic: all.reduce((one: NetworkTraffic, other) => ({
      out: addTraffic(one.out, other.out),
      in: addTraffic(one.in, other.in),
      rejected: addTraffic(one.rejected, other.rejected),
    })),
  };
}

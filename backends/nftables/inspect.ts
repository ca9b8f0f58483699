/** What is live in the kernel, compared with what the policies ask for. */
import { firstLine } from "../../core/command.ts";
import type { Drift, Inspection, NetworkInspection } from "../../core/firewall_backend.ts";
import { type Host, HostError } from "../../core/host.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { canonicalStatements } from "./statement.ts";
import { type Listing, readListing } from "./listing.ts";
import {
  type BaseChain,
  FORWARD_CHAIN,
  type MapName,
  MAPS,
  POSTROUTING_CHAIN,
  type Rule,
} from "./objects.ts";
import { counterNames, networkRuleset } from "./ruleset.ts";

/** Looks at our table and at nothing else: listings of foreign tables break across nft versions. */
export async function inspectTable(
  host: Host,
  table: string,
  policies: readonly FilteredPolicy[],
): Promise<Inspection> {
  const command = { program: "nft", args: ["-j", "list", "table", "inet", table] } as const;
  const { status, stdout, stderr } = await host.run(command);
  // A host without nft can hold its networks in another backend.
  if (status === 127 && policies.length === 0) return { networks: [], drift: [] };
  if (status !== 0) {
    if (!stderr.includes("No such file or directory")) {
      throw new HostError(`Cannot list the table "inet ${table}": ${firstLine(stderr)}`);
    }
    return {
      networks: policies.map(({ network }) => ({ network })),
      drift: policies.length === 0
        ? []
        : [{ difference: `Table "inet ${table}" is missing: nothing is filtered` }],
    };
  }
  return compareListing(readAnswer(stdout, table), policies);
}

function readAnswer(json: string, table: string): Listing {
  try {
    return readListing(json);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new HostError(`Cannot read what nft says of the table "inet ${table}": ${error.message}`);
  }
}

/** The part of the inspection that asks nobody. */
export function compareListing(
  listing: Listing,
  policies: readonly FilteredPolicy[],
): Inspection {
  const expected = expectedObjects(policies);
  return {
    networks: policies.map((policy) => networkTraffic(listing, policy)),
    drift: [
      ...[...expected.chains].flatMap(([name, chain]) => chainDrift(listing, name, chain)),
      ...[...expected.maps].flatMap(([name, elements]) => mapDrift(listing, name, elements)),
      ...[...expected.counters].flatMap(([name, network]) =>
        listing.counters.has(name)
          ? []
          : [{ network, difference: `Counter ${quoted(name)} is missing` }]
      ),
      ...foreignObjects(listing, expected),
    ],
  };
}

interface ExpectedChain {
  readonly network?: string;
  readonly attributes: string;
  readonly rules: readonly Rule[];
}

interface Expected {
  readonly chains: ReadonlyMap<string, ExpectedChain>;
  readonly maps: ReadonlyMap<MapName, ReadonlyMap<string, { verdict: string; network: string }>>;
  /** Name → network. */
  readonly counters: ReadonlyMap<string, string>;
}

function expectedObjects(policies: readonly FilteredPolicy[]): Expected {
  const chains = new Map<string, ExpectedChain>();
  const maps = new Map<MapName, Map<string, { verdict: string; network: string }>>();
  const counters = new Map<string, string>();
  const expectBase = (chain: BaseChain, attributes: string): void => {
    chains.set(chain.name, { attributes, rules: chain.rules });
    for (const map of chain.maps) if (!maps.has(map)) maps.set(map, new Map());
  };
  for (const policy of policies) {
    const { network } = policy;
    const { filter, translation } = networkRuleset(policy);
    expectBase(FORWARD_CHAIN, "filter forward 0 accept");
    if (translation !== undefined) expectBase(POSTROUTING_CHAIN, "nat postrouting 100 accept");
    for (const group of translation === undefined ? [filter] : [filter, translation]) {
      for (const { name, rules } of group.chains) {
        chains.set(name, { network, attributes: "", rules });
      }
      for (const { map, key, chain } of group.elements) {
        maps.get(map)?.set(key, { verdict: `jump ${chain}`, network });
      }
      for (const { name } of group.counters) counters.set(name, network);
    }
  }
  return { chains, maps, counters };
}

function chainDrift(listing: Listing, name: string, chain: ExpectedChain): readonly Drift[] {
  const whose = chain.network === undefined ? {} : { network: chain.network };
  const attributes = listing.chains.get(name);
  if (attributes === undefined) {
    return [{ ...whose, difference: `Chain ${quoted(name)} is missing` }];
  }
  const drift: Drift[] = attributes === chain.attributes ? [] : [{
    ...whose,
    difference: `Chain ${quoted(name)} is "${attributes}" instead of "${chain.attributes}"`,
  }];
  const live = listing.rules.get(name) ?? [];
  const wanted = chain.rules.map(({ statements }) => canonicalStatements(statements));
  const written = chain.rules.map(({ statements }) => statements);
  return [...drift, ...ruleDrift(name, live, wanted, written).map((one) => ({ ...whose, ...one }))];
}

/** Rules only in one of the two, and the order of the others. */
function ruleDrift(
  chain: string,
  live: readonly string[],
  wanted: readonly string[],
  written: readonly string[],
): readonly Drift[] {
  const where = `chain ${quoted(chain)}`;
  const missing = wanted.flatMap((rule, index) =>
    live.includes(rule)
      ? []
      : [{ difference: `Rule ${index + 1} of ${where} is missing: ${written[index]}` }]
  );
  const foreign = live.flatMap((rule, index) =>
    wanted.includes(rule)
      ? []
      : [{ difference: `Rule ${index + 1} of ${where} is not ours: ${rule}` }]
  );
  if (missing.length > 0 || foreign.length > 0) return [...missing, ...foreign];
  return live.join("\n") === wanted.join("\n")
    ? []
    : [{ difference: `The rules of ${where} are repeated or in another order` }];
}

function mapDrift(
  listing: Listing,
  name: MapName,
  elements: ReadonlyMap<string, { verdict: string; network: string }>,
): readonly Drift[] {
  const live = listing.maps.get(name);
  if (live === undefined) return [{ difference: `Map ${quoted(name)} is missing` }];
  const type = `${MAPS[name]} : verdict`;
  const where = `map ${quoted(name)}`;
  return [
    ...(live.type === type
      ? []
      : [{ difference: `The type of ${where} is "${live.type}" instead of "${type}"` }]),
    ...[...elements].flatMap(([key, { verdict, network }]) => {
      const found = live.elements.get(key);
      if (found === verdict) return [];
      const instead = found === undefined ? "is missing" : `is "${found}"`;
      return [{
        network,
        difference: `Element ${key} of ${where} ${instead}, expected "${verdict}"`,
      }];
    }),
    ...[...live.elements].flatMap(([key, verdict]) =>
      elements.has(key)
        ? []
        : [{ difference: `Element ${key} : ${verdict} of ${where} is not ours` }]
    ),
  ];
}

function foreignObjects(listing: Listing, expected: Expected): readonly Drift[] {
  const notOurs = (kind: string, names: Iterable<string>, ours: { has(name: string): boolean }) =>
    [...names].filter((name) => !ours.has(name)).map((name) => `${kind} ${quoted(name)}`);
  const maps: ReadonlyMap<string, unknown> = expected.maps;
  return [
    ...notOurs("Chain", listing.chains.keys(), expected.chains),
    ...notOurs("Map", listing.maps.keys(), maps),
    ...notOurs("Counter", listing.counters.keys(), expected.counters),
    ...listing.others.map((other) => `Object ${quoted(other)}`),
  ].map((what) => ({ difference: `${what} is not ours` })).concat(
    listing.hasFlags
      ? [{ difference: "The table has flags that are not ours: a dormant one filters nothing" }]
      : [],
  );
}

function networkTraffic(
  { counters }: Listing,
  { network, bridge }: FilteredPolicy,
): NetworkInspection {
  const names = counterNames(bridge);
  const [out, incoming, rejected] = [names.out, names.in, names.rejected]
    .map((name) => counters.get(name));
  if (out === undefined || incoming === undefined || rejected === undefined) return { network };
  return { network, traffic: { out, in: incoming, rejected } };
}

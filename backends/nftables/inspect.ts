/** What is live in the kernel, compared with what the policies ask for. */
import { formatSubnet } from "../../core/address.ts";
import { firstLine } from "../../core/command.ts";
import {
  addTraffic,
  type Drift,
  type Inspection,
  type NetworkInspection,
} from "../../core/firewall_backend.ts";
import { type Host, HostError } from "../../core/host.ts";
import { formatSpec } from "../../core/network/published_port.ts";
import type { CompiledPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { collection, type CollectionName, declaration } from "./collections.ts";
import { type Listing, readListing } from "./listing.ts";
import type { Element, Rule } from "./objects.ts";
import { targetsOf } from "./published_elements.ts";
import { counterNames } from "./counter_names.ts";
import { rulesetOf } from "./ruleset.ts";
import { subnetWord } from "./script.ts";
import { canonicalStatements } from "./statement.ts";

/** Looks at our table and at nothing else: listings of foreign tables break across nft versions. */
export async function inspectTable(
  host: Host,
  table: string,
  policies: readonly CompiledPolicy[],
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
  policies: readonly CompiledPolicy[],
): Inspection {
  const expected = expectedObjects(policies);
  return {
    networks: policies.map((policy) => networkTraffic(listing, policy)),
    drift: [
      ...[...expected.chains].flatMap(([name, chain]) => chainDrift(listing, name, chain)),
      ...[...expected.collections].flatMap(([name, elements]) =>
        collectionDrift(listing, name, elements)
      ),
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

/** What an element leads to, and whose it is. */
interface ExpectedElement {
  readonly value: string;
  readonly network: string;
}

interface Expected {
  readonly chains: ReadonlyMap<string, ExpectedChain>;
  readonly collections: ReadonlyMap<CollectionName, ReadonlyMap<string, ExpectedElement>>;
  /** Name → network. */
  readonly counters: ReadonlyMap<string, string>;
}

function expectedObjects(policies: readonly CompiledPolicy[]): Expected {
  const chains = new Map<string, ExpectedChain>();
  const collections = new Map<CollectionName, Map<string, ExpectedElement>>();
  const counters = new Map<string, string>();
  for (const policy of policies) {
    const { network } = policy;
    const { shared, groups, published } = rulesetOf(policy);
    for (const one of shared) {
      for (const { name, attributes, rules } of one.chains) chains.set(name, { attributes, rules });
      for (const name of one.collections) {
        if (!collections.has(name)) collections.set(name, new Map());
      }
    }
    for (const { name, rules } of groups.flatMap((group) => group.chains)) {
      chains.set(name, { network, attributes: "", rules });
    }
    const elements = [...groups.flatMap((group) => group.elements), ...published];
    for (const { collection: name, key, value = "" } of elements) {
      collections.get(name)?.set(key, { value, network });
    }
    for (const { name } of groups.flatMap((group) => group.counters)) counters.set(name, network);
  }
  return { chains, collections, counters };
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

function collectionDrift(
  listing: Listing,
  name: CollectionName,
  elements: ReadonlyMap<string, ExpectedElement>,
): readonly Drift[] {
  const live = listing.collections.get(name);
  const { kind, ...wanted } = collection(name);
  const where = `${kind} ${quoted(name)}`;
  if (live === undefined) return [{ difference: `${capital(kind)} ${quoted(name)} is missing` }];
  const declared = `${kind} ${declaration({ kind, ...wanted })}`;
  return [
    ...(live.declared === declared
      ? []
      : [{ difference: `The ${where} is "${live.declared}" instead of "${declared}"` }]),
    ...[...elements].flatMap(([key, { value, network }]) => {
      const found = live.elements.get(key);
      if (found === value) return [];
      const instead = found === undefined ? "is missing" : `is "${found}"`;
      const expected = value === "" ? "" : `, expected "${value}"`;
      return [{ network, difference: `Element ${key} of ${where} ${instead}${expected}` }];
    }),
    ...[...live.elements].flatMap(([key, value]) => {
      const member = value === "" ? key : `${key} : ${value}`;
      return elements.has(key) ? [] : [{ difference: `Element ${member} of ${where} is not ours` }];
    }),
  ];
}

function capital(word: string): string {
  return `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`;
}

function foreignObjects(listing: Listing, expected: Expected): readonly Drift[] {
  const notOurs = (kind: string, names: Iterable<string>, ours: { has(name: string): boolean }) =>
    [...names].filter((name) => !ours.has(name)).map((name) => `${kind} ${quoted(name)}`);
  const known: ReadonlyMap<string, unknown> = expected.collections;
  return [
    ...notOurs("Chain", listing.chains.keys(), expected.chains),
    ...[...listing.collections].filter(([name]) => !known.has(name)).map(([name, { declared }]) =>
      `${declared.startsWith("set ") ? "Set" : "Map"} ${quoted(name)}`
    ),
    ...notOurs("Counter", listing.counters.keys(), expected.counters),
    ...listing.others.map((other) => `Object ${quoted(other)}`),
  ].map((what) => ({ difference: `${what} is not ours` })).concat(
    listing.hasFlags
      ? [{ difference: "The table has flags that are not ours: a dormant one filters nothing" }]
      : [],
  );
}

function networkTraffic(listing: Listing, policy: CompiledPolicy): NetworkInspection {
  const { network } = policy;
  const counted = new Map(
    countedParts(policy).flatMap(([name, elements]) => {
      const found = elements.map(({ collection: set, key }) =>
        listing.collections.get(set)?.counted.get(key)
      );
      const known = found.filter((one) => one !== undefined);
      return known.length < found.length ? [] : [[name, known.reduce(addTraffic)] as const];
    }),
  );
  if (policy.kind === "masquerade") return { network, counted };
  const names = counterNames(policy.bridge);
  const [out, incoming, rejected] = [names.out, names.in, names.rejected]
    .map((name) => listing.counters.get(name));
  if (out === undefined || incoming === undefined || rejected === undefined) {
    return { network, counted };
  }
  return { network, traffic: { out, in: incoming, rejected }, counted };
}

/** What is counted by itself, and the elements whose counters tell it. */
function countedParts(
  policy: CompiledPolicy,
): readonly (readonly [name: string, elements: readonly Element[]])[] {
  if (policy.kind === "filtered") {
    return policy.families.flatMap(({ published }) =>
      published.map((one) => [formatSpec(one), targetsOf(one)] as const)
    );
  }
  return policy.families.flatMap(({ family, prefixes }) =>
    prefixes.map((prefix) => {
      const element = { collection: `masquerade_${family}`, key: subnetWord(prefix) } as const;
      return [formatSubnet(prefix), [element]] as const;
    })
  );
}

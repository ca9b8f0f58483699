/** What differs between the live rules and those that should be. */
import { formatAddress, formatSubnet, parseAddress, parseSubnet } from "../../core/address.ts";
import type { Drift } from "../../core/firewall_backend.ts";
import { quoted } from "../../core/quoted.ts";
import {
  type Chain,
  type Entry,
  isHolder,
  jumpsOf,
  type Part,
  type Rule,
  ruleWords,
  type SharedPart,
} from "./parts.ts";
import type { SavedRule, SavedTable } from "./saved.ts";
import { formatLine } from "./script.ts";

/** A network, and what it has in the tables of one family. */
export interface NetworkParts {
  /** As in its policy. */
  readonly network: string;
  /** Those that were installed. */
  readonly parts: readonly Part[];
}

/** Jumps once and in their order, chains with their own rules, and exactly the networks' entries. */
export function sharedDrift(
  table: SavedTable | undefined,
  part: SharedPart,
  networks: readonly NetworkParts[],
): readonly Drift[] {
  const filled = part.chains.filter((chain) => !isHolder(chain));
  const holding = part.chains.filter(isHolder);
  return [
    ...jumpDrift(table, part).map((difference) => ({ difference })),
    ...filled.flatMap((chain) => chainDrift(table, chain)).map((difference) => ({ difference })),
    ...holding.flatMap(({ name }) => {
      const wanted = networks.flatMap(({ network, parts }) =>
        parts.filter(({ shared }) => shared === part).flatMap(({ entries }) => entries)
          .filter(({ chain }) => chain === name).map((entry) => ({ network, entry }))
      );
      return entryDrift(table?.get(name), name, wanted);
    }),
  ];
}

function jumpDrift(table: SavedTable | undefined, part: SharedPart): readonly string[] {
  const { jumps } = part;
  const counted = jumps.flatMap(({ chain, rule }) => {
    const text = ruleText(rule);
    const count = (table?.get(chain) ?? []).filter((one) => textOf(one) === text).length;
    if (count === 1) return [];
    const what = `The jump from ${chain} to ${rule.verdict.at(-1) ?? ""}`;
    return [count === 0 ? `${what} is missing` : `${what} is there ${count} times`];
  });
  if (counted.length > 0) return counted;
  const known = part.place === "head" ? jumps : jumpsOf(part.table);
  const chains = [...new Set(jumps.map(({ chain }) => chain))];
  return chains.flatMap((chain) => {
    const wanted = known.filter((one) => one.chain === chain).map(({ rule }) => ruleText(rule));
    const live = (table?.get(chain) ?? []).map(textOf).filter((text) => wanted.includes(text));
    const order = live.map((text) => wanted.indexOf(text));
    return order.every((at, index) => at >= (order[index - 1] ?? at))
      ? []
      : [`The jumps from ${chain} to our chains are in another order`];
  });
}

function entryDrift(
  live: readonly SavedRule[] | undefined,
  chain: string,
  wanted: readonly { readonly network: string; readonly entry: Entry }[],
): readonly Drift[] {
  if (live === undefined) return [{ difference: `Chain ${quoted(chain)} is missing` }];
  const count = new Map<string, number>();
  for (const rule of live) count.set(textOf(rule), (count.get(textOf(rule)) ?? 0) + 1);
  const ours = new Set<string>();
  const drift = wanted.flatMap(({ network, entry: { rule } }) => {
    const text = ruleText(rule);
    ours.add(text);
    const found = count.get(text) ?? 0;
    if (found === 1) return [];
    const problem = found === 0 ? "is missing from" : `is ${found} times in`;
    return [{ network, difference: `A rule ${problem} chain ${quoted(chain)}: ${text}` }];
  });
  return [
    ...drift,
    ...[...count.keys()].filter((text) => !ours.has(text)).map((text) => ({
      difference: `A rule of chain ${quoted(chain)} is not ours: ${text}`,
    })),
  ];
}

/** Every rule of a chain that belongs to one network alone, or to nobody. */
export function chainDrift(
  table: SavedTable | undefined,
  { name, rules }: Chain,
): readonly string[] {
  const live = table?.get(name)?.map(textOf);
  if (live === undefined) return [`Chain ${quoted(name)} is missing`];
  const wanted = rules.map((rule) => ruleText(rule));
  const [isLive, isWanted] = [new Set(live), new Set(wanted)];
  const missing = wanted.filter((text) => !isLive.has(text));
  const foreign = live.filter((text) => !isWanted.has(text));
  const where = `chain ${quoted(name)}`;
  if (missing.length > 0 || foreign.length > 0) {
    return [
      ...missing.map((text) => `Rule ${wanted.indexOf(text) + 1} of ${where} is missing: ${text}`),
      ...foreign.map((text) => `Rule ${live.indexOf(text) + 1} of ${where} is not ours: ${text}`),
    ];
  }
  return live.join("\n") === wanted.join("\n")
    ? []
    : [`The rules of ${where} are repeated or in another order`];
}

/** A rule as it should be, in the form of {@linkcode textOf}. */
export function ruleText(rule: Rule): string {
  return formatLine(ruleWords(rule));
}

/** The C libraries write IPv4 addresses inside IPv6 each in a way of their own: here it is ours. */
export function textOf({ words }: SavedRule): string {
  return formatLine(words.map((word, index) => {
    switch (words[index - 1]) {
      case "-s":
      case "-d": {
        const subnet = parseSubnet(word);
        return subnet === undefined ? word : formatSubnet(subnet);
      }
      case "--ctorigdst":
      case "--ctreplsrc":
      case "--to-destination": {
        const [, bare, port = ""] = /^\[(.*)\](:.*)$/.exec(word) ?? [];
        const address = parseAddress(bare ?? word);
        if (address === undefined) return word;
        return bare === undefined ? formatAddress(address) : `[${formatAddress(address)}]${port}`;
      }
    }
    return word;
  }));
}

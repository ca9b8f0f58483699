/** What becomes of one packet in the chains of some networks: the rules, read as the kernel does. */
import { contains, type Family, type IpAddress, parseSubnet } from "../../../core/address.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import type { Part, Rule, TableName } from "../../../backends/iptables/parts.ts";
import { networkParts } from "../../../backends/iptables/ruleset.ts";

/** A packet, and what conntrack knows of its connection. */
export interface Packet {
  readonly in: string;
  readonly out: string;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: string;
  /** `NEW`; translated connections are `SNAT` as well. */
  readonly states: readonly string[];
  /** `CONFIRMED`, `EXPECTED`. */
  readonly statuses: readonly string[];
}

/** Chain → its rules, for one table and family. */
export type Chains = ReadonlyMap<string, readonly Rule[]>;

/** The chains of one table on a host that has these networks and nothing else. */
export function chainsOf(
  policies: readonly FilteredPolicy[],
  family: Family,
  table: TableName,
): Chains {
  const parts = policies.flatMap((policy) => networkParts(policy, family))
    .filter(({ shared }) => shared.table === table);
  const chains = new Map<string, Rule[]>();
  const rulesOf = (name: string): Rule[] => {
    const rules = chains.get(name) ?? [];
    chains.set(name, rules);
    return rules;
  };
  for (const shared of new Set(parts.map((part: Part) => part.shared))) {
    for (const { chain, rule } of shared.jumps) rulesOf(chain).push(rule);
    for (const { name, rules } of shared.chains) rulesOf(name).push(...rules);
  }
  for (const part of parts) {
    for (const { name, rules } of part.chains) rulesOf(name).push(...rules);
    for (const { chain, rule } of part.entries) rulesOf(chain).push(rule);
  }
  return chains;
}

/** The verdict of the last rule that the packet meets, such as `-j ACCEPT`; undefined: none. */
export function verdictOf(chains: Chains, chain: string, packet: Packet): string | undefined {
  for (const { match, verdict } of chains.get(chain) ?? []) {
    if (!matches(match, packet)) continue;
    const [how = "", target = ""] = verdict;
    if (target === "RETURN") return undefined;
    if (!chains.has(target)) return verdict.join(" ");
    const end = verdictOf(chains, target, packet);
    // Who was sent by `-g` comes back to where the last `-j` was.
    if (end !== undefined || how === "-g") return end;
  }
  return undefined;
}

function matches(words: readonly string[], packet: Packet): boolean {
  let inverted = false;
  for (let at = 0; at < words.length; at++) {
    const option = words[at] ?? "";
    if (option === "!") {
      inverted = true;
      continue;
    }
    if (holds(option, words[++at] ?? "", packet) === inverted) return false;
    inverted = false;
  }
  return true;
}

function holds(option: string, value: string, packet: Packet): boolean {
  const isOneOf = (own: readonly string[]): boolean =>
    value.split(",").some((one) => own.includes(one));
  switch (option) {
    case "-m":
      return true;
    case "-i":
      return packet.in === value;
    case "-o":
      return packet.out === value;
    case "-s":
      return isIn(value, packet.source);
    case "-d":
      return isIn(value, packet.destination);
    case "-p":
      return packet.protocol === value;
    case "--ctstate":
      return isOneOf(packet.states);
    case "--ctstatus":
      return isOneOf(packet.statuses);
    default:
      throw new Error(`the option ${option} is not known here`);
  }
}

function isIn(text: string, address: IpAddress): boolean {
  const subnet = parseSubnet(text);
  return subnet !== undefined && contains(subnet, address);
}

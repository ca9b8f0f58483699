/** What becomes of one packet in the chains of some networks: the rules, read as the kernel does. */
import {
  contains,
  type Family,
  formatAddress,
  type IpAddress,
  parseSubnet,
} from "../../../core/address.ts";
import type { CompiledPolicy } from "../../../core/policy/policy.ts";
import type { Part, Rule, TableName } from "../../../backends/iptables/parts.ts";
import { partsOf } from "../../../backends/iptables/ruleset.ts";

/** A packet, and what conntrack knows of its connection. */
export interface Packet {
  readonly in: string;
  readonly out: string;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: string;
  /** Its destination; 0 for protocols without. */
  readonly port: number;
  /** Whether the destination is an address of the host's. */
  readonly isLocal: boolean;
  /** `NEW`; translated connections are `SNAT` as well, or `DNAT`. */
  readonly states: readonly string[];
  /** `CONFIRMED`, `EXPECTED`. */
  readonly statuses: readonly string[];
  /** Its connection, which for an error is what it complains about; absent: none. */
  readonly connection?: Connection;
}

/** What conntrack knows of a connection. */
export interface Connection {
  /** The packet's. */
  readonly direction: "ORIGINAL" | "REPLY";
  /** By number. */
  readonly protocol: number;
  /** What the first packet was sent to, before any translation. */
  readonly asked: IpAddress;
  readonly askedPort: number;
  /** Who answers, and from which port. */
  readonly answers: IpAddress;
  readonly answersPort: number;
}

/** Chain → its rules, for one table and family. */
export type Chains = ReadonlyMap<string, readonly Rule[]>;

/** The chains of one table on a host that has these networks and nothing else. */
export function chainsOf(
  policies: readonly CompiledPolicy[],
  family: Family,
  table: TableName,
): Chains {
  const parts = policies.flatMap((policy) => partsOf(policy, family))
    .filter(({ shared }) => shared.table === table);
  const chains = new Map<string, Rule[]>();
  const rulesOf = (name: string): Rule[] => {
    const rules = chains.get(name) ?? [];
    chains.set(name, rules);
    return rules;
  };
  const all = [...new Set(parts.map((part: Part) => part.shared))];
  for (
    const shared of ["head", "end"].flatMap((place) => all.filter((one) => one.place === place))
  ) {
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
    case "--dport":
      return isAmong(value, packet.port);
    case "--dst-type":
      return value === "LOCAL" && packet.isLocal;
    case "--ctstate":
      return isOneOf(packet.states);
    case "--ctstatus":
      return isOneOf(packet.statuses);
    default:
      return packet.connection !== undefined && isConnection(option, value, packet.connection);
  }
}

function isConnection(option: string, value: string, connection: Connection): boolean {
  switch (option) {
    case "--ctdir":
      return connection.direction === value;
    case "--ctproto":
      return connection.protocol === Number(value);
    case "--ctorigdst":
      return formatAddress(connection.asked) === value;
    case "--ctreplsrc":
      return formatAddress(connection.answers) === value;
    case "--ctorigdstport":
      return isAmong(value, connection.askedPort);
    case "--ctreplsrcport":
      return isAmong(value, connection.answersPort);
    default:
      throw new Error(`the option ${option} is not known here`);
  }
}

function isAmong(ports: string, port: number): boolean {
  const [start = NaN, end = start] = ports.split(":").map(Number);
  return start <= port && port <= end;
}

function isIn(text: string, address: IpAddress): boolean {
  const subnet = parseSubnet(text);
  return subnet !== undefined && contains(subnet, address);
}

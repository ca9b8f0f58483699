/** Connections of a host in memory: what clients begin, and what conntrack(8) lists and deletes. */
import type { CommandResult } from "../../core/command.ts";
import type { Tables } from "./model_iptables.ts";
import type { Ruleset } from "./model_nft.ts";

/** Each as `conntrack -L` prints it. */
export type Connections = readonly string[];

/** Addresses of every host in memory. */
export const ADDRESSES = ["127.0.0.1", "192.0.2.1", "10.0.0.1", "2001:db8::1"] as const;

/** What `ip -o address show` says of them. */
export const ADDRESS_LIST = ADDRESSES.map((address) =>
  `1: eth0    ${address.includes(":") ? "inet6" : "inet"} ${address}/24 scope global eth0`
).join("\n");

/** Who asks for which port of the host all the time, whether it is published or not. */
const ASKED: readonly (readonly [protocol: string, client: string, host: string, port: number])[] =
  [
    ["tcp", "203.0.113.9", "192.0.2.1", 8080],
    ["tcp", "127.0.0.1", "127.0.0.1", 8080],
    ["tcp", "203.0.113.9", "192.0.2.1", 8443],
    ["udp", "203.0.113.9", "192.0.2.1", 5300],
  ];

/** A packet to a port of the host. */
interface Asked {
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
}

/** The rules that send packets elsewhere: of nft, and of each program of iptables. */
export interface Translating {
  readonly ruleset: Ruleset;
  readonly tables: ReadonlyMap<unknown, Tables>;
}

/** Where the rules send a client that asks for a port of the host, to a guest or to the host itself. */
function targetOf({ ruleset, tables }: Translating, asked: Asked): string {
  return targetOfNft(ruleset, asked) ??
    [...tables.values()].flatMap((own) => targetOfTables(own, asked) ?? [])[0] ??
    `${asked.host} . ${asked.port}`;
}

function targetOfNft(ruleset: Ruleset, { protocol, host, port }: Asked): string | undefined {
  const asked = [
    ["publish_ipv4", `${host} . ${protocol} . ${port}`],
    ...(host === "127.0.0.1" ? [] : [["publish_any_ipv4", `${protocol} . ${port}`]]),
  ];
  const [found] = asked.flatMap(([map, key]) =>
    (ruleset.get(`map ${map}`) ?? []).filter((element) => element.startsWith(`${key} : `))
  );
  return found?.split(" : ")[1];
}

const DNAT = /-p (\w+) .*--dport (\d+)(?::(\d+))? .*-j DNAT --to-destination ([\d.]+)(?::(\d+))?/;

function targetOfTables(tables: Tables, { protocol, host, port }: Asked): string | undefined {
  for (const rule of [...tables.get("nat")?.values() ?? []].flat()) {
    const [, of, start = "", end = start, guest = "", to = String(port)] = DNAT.exec(rule) ?? [];
    const isAddressed = rule.includes("! -d 127.0.0.0/8")
      ? host !== "127.0.0.1"
      : rule.includes(`-d ${host}/32`);
    const isMeant = of === protocol && Number(start) <= port && port <= Number(end);
    if (isMeant && isAddressed) return `${guest} . ${to}`;
  }
  return undefined;
}

/** The connections after every client has asked once more: one that goes on is not begun again. */
export function beginConnections(connections: Connections, rules: Translating): Connections {
  const more = ASKED.map(([protocol, client, host, port]) => {
    const [answering = "", from = ""] = targetOf(rules, { protocol, host, port }).split(" . ");
    return `${protocol} 6 100 src=${client} dst=${host} sport=40000 dport=${port} ` +
      `src=${answering} dst=${client} sport=${from} dport=40000 mark=0 use=1`;
  });
  const missing = more.filter((line) => !connections.includes(line));
  return missing.length === 0 ? connections : [...connections, ...missing];
}

/** Connections that these rules would not have begun so: they go on to whom no port leads by now. */
export function misledConnections(connections: Connections, rules: Translating): Connections {
  const right = beginConnections([], rules);
  return connections.filter((line) => !right.includes(line));
}

/** What a line has to hold for each option. */
const FIELDS: Readonly<Record<string, readonly [field: string, which: 0 | 1]>> = {
  "--orig-dst": ["dst", 0],
  "--orig-port-dst": ["dport", 0],
  "--reply-src": ["src", 1],
  "--reply-port-dst": ["dport", 1],
  "--reply-port-src": ["sport", 1],
};

/** Runs `conntrack -L` or `-D`; what the model has no field for is found nowhere. */
export function runConntrack(
  connections: Connections,
  [verb = "", ...options]: readonly string[],
): { readonly connections: Connections; readonly result: CommandResult } {
  const pairs = Array.from(
    { length: options.length / 2 },
    (_, index) => [options[2 * index] ?? "", options[2 * index + 1] ?? ""] as const,
  );
  const found = connections.filter((line) => pairs.every((pair) => hasField(line, pair)));
  const done = { status: 0, stdout: found.map((line) => `${line}\n`).join(""), stderr: "" };
  if (verb === "-L") return { connections, result: done };
  const stderr =
    `conntrack v1.4.7 (conntrack-tools): ${found.length} flow entries have been deleted.\n`;
  return {
    connections: found.length === 0
      ? connections
      : connections.filter((line) => !found.includes(line)),
    result: { ...done, status: found.length === 0 ? 1 : 0, stderr },
  };
}

function hasField(line: string, [option, value]: readonly [string, string]): boolean {
  if (option === "-p") return line.startsWith(`${value} `);
  if (option === "-f") return value === "ipv4";
  const [field, which] = FIELDS[option] ?? ["nothing", 0];
  const found = [...line.matchAll(new RegExp(`\\b${field}=(\\S+)`, "g"))];
  return found[which]?.[1] === value;
}

/**
 * What nft 1.0.6 prints for `nft -j list table inet bridgewall`, built piece by piece: keys and nesting
 * are copied from a kernel, handles left out. `tests/kernel/` compares it with a kernel again.
 */

/** A piece of nft's JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** A definition and, as {@linkcode LISTING}, its table. */
export const DEFINITION = "<network><name>lan</name><forward/><bridge name='virbr0'/>" +
  "<ip address='10.44.0.1' prefix='24'/><ip family='ipv6' address='fd44::1' prefix='64'/></network>";

/** The answer of nft that has these objects in its table. */
export function answer(objects: readonly Json[]): string {
  return JSON.stringify({
    nftables: [
      {
        metainfo: { version: "1.0.6", release_name: "Lester Gooch #5", json_schema_version: 1 },
      },
      { table: { family: "inet", name: "bridgewall" } },
      ...objects,
    ],
  });
}

const OURS = { family: "inet", table: "bridgewall" } as const;

/** A chain; with attributes a base chain. */
export function chain(name: string, attributes: Json = {}): Json {
  return { chain: { ...OURS, name, ...attributes } };
}

/** A rule without its comment. */
export function rule(chainName: string, ...expr: readonly unknown[]): Json {
  return { rule: { ...OURS, chain: chainName, expr } };
}

/** A map; nft leaves `elem` out where there are none. */
export function map(
  name: string,
  type: unknown,
  elem: readonly unknown[] = [],
  value: unknown = "verdict",
  more: Json = {},
): Json {
  return { map: { ...OURS, name, type, map: value, ...more, ...members(elem) } };
}

/** A set; `more` for its flags and its counter. */
export function set(
  name: string,
  type: unknown,
  elem: readonly unknown[] = [],
  more: Json = {},
): Json {
  return { set: { ...OURS, name, type, ...more, ...members(elem) } };
}

function members(elem: readonly unknown[]): Json {
  return elem.length === 0 ? {} : { elem };
}

/** A key of several parts. */
export function concat(...parts: readonly unknown[]): Json {
  return { concat: parts };
}

/** A member that counts. */
export function counted(val: unknown, packets = 0, bytes = 0): Json {
  return { elem: { val, counter: { packets, bytes } } };
}

/** A counter. */
export function counter(name: string, packets = 0, bytes = 0): Json {
  return { counter: { ...OURS, name, packets, bytes } };
}

/** The verdict of a map or rule. */
export function jump(target: string): Json {
  return { jump: { target } };
}

/** `left OP right`. */
export function match(left: Json, right: unknown, op = "=="): Json {
  return { match: { op, left, right } };
}

/** `meta KEY`, and the fields of the two protocols. */
export const META = (key: string): Json => ({ meta: { key } });
const IP = (field: string): Json => ({ payload: { protocol: "ip", field } });
const IP6 = (field: string): Json => ({ payload: { protocol: "ip6", field } });
const PREFIX = (addr: string, len: number): Json => ({ prefix: { addr, len } });

const NET4 = PREFIX("10.44.0.0", 24);
const NET6 = PREFIX("fd44::", 64);
const TRANSLATED = match({ ct: { key: "status" } }, ["expected", "snat"], "in");
const TO_BE_TRANSLATED = [
  match({ ct: { key: "state" } }, ["related", "new"], "in"),
  match({ ct: { key: "status" } }, "confirmed", "!"),
];
const REPLIES = [
  match({ ct: { key: "state" } }, ["established", "related"], "in"),
  TRANSLATED,
];
const OUT = [{ counter: "out-virbr0" }, { return: null }];
const IN = [{ counter: "in-virbr0" }, { accept: null }];
const NOT_LOCAL = match(
  IP("daddr"),
  { set: [NET4, PREFIX("224.0.0.0", 24), "255.255.255.255"] },
  "!=",
);
const REJECT = [
  { counter: "rejected-virbr0" },
  { reject: { type: "icmpx", expr: "port-unreachable" } },
];

/** `oifname != "lo"` */
export const LEAVES = match(META("oifname"), "lo", "!=");

function vmap(key: Json, name: string): Json {
  return { vmap: { key, data: `@${name}` } };
}

/** The objects of the table that {@linkcode DEFINITION} gets. */
export const LISTING: readonly Json[] = [
  counter("out-virbr0", 7, 700),
  counter("in-virbr0", 5, 500),
  counter("rejected-virbr0", 3, 300),
  map("from_bridge", "ifname", [["virbr0", jump("from-virbr0")]]),
  map("to_bridge", "ifname", [["virbr0", jump("to-virbr0")]]),
  map("translate_from_bridge", "ifname", [["virbr0", jump("nat-virbr0")]]),
  map("translate_host_ipv4", "ipv4_addr", [["10.44.0.1", jump("nat-virbr0")]]),
  map("translate_host_ipv6", "ipv6_addr"),
  chain("forward", { type: "filter", hook: "forward", prio: 0, policy: "accept" }),
  chain("postrouting", { type: "nat", hook: "postrouting", prio: 100, policy: "accept" }),
  chain("from-virbr0"),
  chain("to-virbr0"),
  chain("nat-virbr0"),
  rule("forward", vmap(META("iifname"), "from_bridge")),
  rule("forward", vmap(META("oifname"), "to_bridge")),
  rule("postrouting", vmap(META("iifname"), "translate_from_bridge")),
  rule("postrouting", LEAVES, vmap(IP("saddr"), "translate_host_ipv4")),
  rule("postrouting", LEAVES, vmap(IP6("saddr"), "translate_host_ipv6")),
  rule("from-virbr0", match(META("oifname"), "virbr0"), { accept: null }),
  rule("from-virbr0", match(IP("saddr"), NET4), TRANSLATED, ...OUT),
  rule("from-virbr0", match(IP("saddr"), NET4), ...TO_BE_TRANSLATED, ...OUT),
  rule("from-virbr0", match(IP6("saddr"), NET6), ...OUT),
  rule("from-virbr0", ...REJECT),
  rule("to-virbr0", match(IP("daddr"), NET4), ...REPLIES, ...IN),
  rule("to-virbr0", match(IP6("daddr"), NET6), ...IN),
  rule("to-virbr0", ...REJECT),
  rule(
    "nat-virbr0",
    match(IP("saddr"), NET4),
    NOT_LOCAL,
    match(META("l4proto"), { set: ["tcp", "udp"] }),
    { masquerade: { port: { range: [1024, 65535] } } },
  ),
  rule("nat-virbr0", match(IP("saddr"), NET4), NOT_LOCAL, { masquerade: null }),
];

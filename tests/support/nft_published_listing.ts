/**
 * What nft 1.0.6 prints of a table with published ports, and of one with masqueraded prefixes, as
 * `nft_listing.ts` has it for a network without either. `tests/kernel/` compares both with a kernel.
 */
import {
  chain,
  concat,
  counted,
  counter,
  type Json,
  jump,
  LEAVES,
  map,
  match,
  META,
  rule,
  set,
} from "./nft_listing.ts";

/** An isolated network: a port, also by 127.0.0.1, and many ports of one address of the host. */
export const WEB = "<network><name>web</name><metadata>" +
  "<b:network xmlns:b='urn:bridgewall:network:1'>" +
  "<b:publish proto='tcp' port='8080' to='10.44.0.9:80' localhost='yes'/>" +
  "<b:publish proto='udp' address='192.0.2.1' port='5000-5999' to='10.44.0.9'/>" +
  "</b:network></metadata><bridge name='virbr0'/><ip address='10.44.0.1' prefix='24'/></network>";

const IP = (field: string): Json => ({ payload: { protocol: "ip", field } });
const TH = (field: string): Json => ({ payload: { protocol: "th", field } });
const CT = (key: string, right: string): Json =>
  match({ ct: { key } }, right, key === "direction" ? "==" : "in");
const PREFIX = (addr: string, len: number): Json => ({ prefix: { addr, len } });
const RETURN = { return: null };
const PROTOCOL = META("l4proto");
const INTERVAL = { flags: ["interval"] };
const COUNTED = { stmt: [{ counter: null }] };
const NAT = (hook: string, prio: number): Json => ({ type: "nat", hook, prio, policy: "accept" });
const LOOPBACK = PREFIX("127.0.0.0", 8);

function translation(name: string, ...key: readonly Json[]): Json {
  return { dnat: { family: "ip", addr: { map: { key: concat(...key), data: `@${name}` } } } };
}

function lookups(name: string): readonly Json[] {
  return [
    rule(name, match(META("nfproto"), "ipv4", "!="), RETURN),
    rule(name, match({ fib: { result: "type", flags: ["daddr"] } }, "local", "!="), RETURN),
    rule(name, translation("publish_ipv4", IP("daddr"), PROTOCOL, TH("dport"))),
    rule(name, translation("publish_ranges_ipv4", IP("daddr"), PROTOCOL, TH("dport"))),
    rule(name, match(IP("daddr"), LOOPBACK), RETURN),
    rule(name, translation("publish_any_ipv4", PROTOCOL, TH("dport"))),
    rule(name, translation("publish_any_ranges_ipv4", PROTOCOL, TH("dport"))),
  ];
}

/** What passes because of published ports, in one direction. */
function passing(
  name: string,
  direction: string,
  side: readonly [address: string, port: string],
  end: readonly Json[],
): readonly Json[] {
  const translated = [CT("direction", direction), CT("status", "dnat")];
  const [address, port] = side;
  const key = concat(PROTOCOL, IP(address), TH(port));
  return [
    rule(name, ...translated, match(key, "@published_ipv4"), ...end),
    rule(name, ...translated, match(key, "@published_ranges_ipv4"), ...end),
    rule(
      name,
      ...translated,
      CT("state", "related"),
      match(PROTOCOL, "icmp"),
      match(IP(address), PREFIX("10.44.0.0", 24)),
      ...end,
    ),
  ];
}

function vmap(key: string, name: string): Json {
  return { vmap: { key: META(key), data: `@${name}` } };
}

const REJECT = [
  { counter: "rejected-virbr0" },
  { reject: { type: "icmpx", expr: "port-unreachable" } },
];
const FROM_HERE = match(META("iifname"), "lo", "!=");

/** The objects of the table that {@linkcode WEB} gets. */
export const WEB_LISTING: readonly Json[] = [
  counter("out-virbr0", 7, 700),
  counter("in-virbr0", 5, 500),
  counter("rejected-virbr0", 3, 300),
  map("from_bridge", "ifname", [["virbr0", jump("from-virbr0")]]),
  map("to_bridge", "ifname", [["virbr0", jump("to-virbr0")]]),
  map(
    "publish_ipv4",
    ["ipv4_addr", "inet_proto", "inet_service"],
    [[concat("127.0.0.1", "tcp", 8080), concat("10.44.0.9", 80)]],
    "ipv4_addr . inet_service",
  ),
  map(
    "publish_any_ipv4",
    ["inet_proto", "inet_service"],
    [[concat("tcp", 8080), concat("10.44.0.9", 80)]],
    "ipv4_addr . inet_service",
  ),
  map(
    "publish_ranges_ipv4",
    ["ipv4_addr", "inet_proto", "inet_service"],
    [[concat("192.0.2.1", "udp", { range: [5000, 5999] }), "10.44.0.9"]],
    "ipv4_addr",
    INTERVAL,
  ),
  map("publish_any_ranges_ipv4", ["inet_proto", "inet_service"], [], "ipv4_addr", INTERVAL),
  set(
    "published_ipv4",
    ["inet_proto", "ipv4_addr", "inet_service"],
    [counted(concat("tcp", "10.44.0.9", 80), 2, 120)],
    COUNTED,
  ),
  set(
    "published_ranges_ipv4",
    ["inet_proto", "ipv4_addr", "inet_service"],
    [counted(concat("udp", "10.44.0.9", { range: [5000, 5999] }), 9, 900)],
    { ...INTERVAL, ...COUNTED },
  ),
  map("hairpin", "ifname", [["virbr0", jump("hairpin-virbr0")]]),
  chain("forward", { type: "filter", hook: "forward", prio: 0, policy: "accept" }),
  chain("publish_ipv4", NAT("prerouting", -100)),
  chain("publish_host_ipv4", NAT("output", -100)),
  chain("hairpin", NAT("postrouting", 99)),
  chain("guard", { type: "filter", hook: "prerouting", prio: -300, policy: "accept" }),
  chain("from-virbr0"),
  chain("to-virbr0"),
  chain("hairpin-virbr0"),
  rule("forward", vmap("iifname", "from_bridge")),
  rule("forward", vmap("oifname", "to_bridge")),
  ...lookups("publish_ipv4"),
  ...lookups("publish_host_ipv4"),
  rule("hairpin", CT("status", "dnat"), vmap("oifname", "hairpin")),
  rule("guard", FROM_HERE, match(IP("daddr"), LOOPBACK), { drop: null }),
  rule("guard", FROM_HERE, match(IP("saddr"), LOOPBACK), { drop: null }),
  rule("from-virbr0", match(META("oifname"), "virbr0"), { accept: null }),
  ...passing("from-virbr0", "reply", ["saddr", "sport"], [{ counter: "out-virbr0" }, RETURN]),
  rule("from-virbr0", ...REJECT),
  ...passing("to-virbr0", "original", ["daddr", "dport"], [
    { counter: "in-virbr0" },
    { accept: null },
  ]),
  rule("to-virbr0", ...REJECT),
  rule("hairpin-virbr0", match(IP("saddr"), PREFIX("10.44.0.0", 24)), { masquerade: null }),
  rule("hairpin-virbr0", match(IP("saddr"), LOOPBACK), { masquerade: null }),
];

const NETS = [PREFIX("10.8.0.0", 24), PREFIX("10.9.0.0", 16)];

/** The prefixes that {@linkcode MASQUERADE_LISTING} is of. */
export const PREFIXES_LISTED = ["10.8.0.0/24", "10.9.0.0/16"] as const;

/** The objects of a table in which nothing else is. */
export const MASQUERADE_LISTING: readonly Json[] = [
  set(
    "masquerade_ipv4",
    "ipv4_addr",
    NETS.map((net, index) => counted(net, index, index * 60)),
    { ...INTERVAL, ...COUNTED },
  ),
  set(
    "masquerade_within_ipv4",
    ["ipv4_addr", "ipv4_addr"],
    NETS.map((net) => concat(net, net)),
    INTERVAL,
  ),
  chain("masquerade_ipv4", NAT("postrouting", 101)),
  rule(
    "masquerade_ipv4",
    match(concat(IP("saddr"), IP("daddr")), "@masquerade_within_ipv4"),
    RETURN,
  ),
  rule(
    "masquerade_ipv4",
    match(IP("daddr"), { set: [PREFIX("224.0.0.0", 24), "255.255.255.255"] }),
    RETURN,
  ),
  rule("masquerade_ipv4", LEAVES, match(IP("saddr"), "@masquerade_ipv4"), { masquerade: null }),
];

/**
 * The words of pf.conf(5): values in, lines out. No policy here.
 *
 * Only what FreeBSD 13, 14 and 15 read alike. A rule is written with all that pf would add by itself
 * (`flags S/SA keep state`), in the order in which pfctl prints it, so that what is live can be compared.
 */
import { formatSubnet, type Subnet } from "../../core/address.ts";
import type { PortRange } from "../../core/network/network.ts";
import { addressableInterface, interfaceWord } from "./interface_word.ts";

/** Addresses that belong to a table, or do not although a wider entry holds them. */
export interface TableEntry {
  /** IPv4. */
  readonly subnet: Subnet;
  /** True: written with a `!`. */
  readonly isExcluded: boolean;
}

/** A list of addresses that rules name. The most specific entry decides. */
export interface Table {
  /** At most 31 characters. */
  readonly name: TableName;
  /** No two for the same subnet. */
  readonly entries: readonly TableEntry[];
  /** True: it stays when no rule names it any more. */
  readonly persists: boolean;
}

/**
 * `natdst`: where translated packets go. `subnets`: all addresses of the network. `guests`: the same
 * without the host's own. `elsewhere`: what guests reach by leaving their bridge.
 */
export type TableName = "natdst" | "subnets" | "guests" | "elsewhere";

/** What a rule compares an address with. */
export type Endpoint =
  | "any"
  | Subnet
  | { readonly table: TableName; readonly isExcluded?: boolean };

/**
 * What rules write on packets, for rules that meet the same packet later: at most 63 letters, digits and
 * `. _ - @ :`.
 */
export type Tag = string;

/** What becomes of the source of packets that leave. */
export type TranslationRule = NatRule | NatExemption;

/** Packets with this tag are not translated, whatever rules come later. */
export interface NatExemption {
  /** As in {@linkcode FilterRule}. */
  readonly tagged: Tag;
  /** As in {@linkcode FilterRule}. */
  readonly family?: FilterRule["family"];
}

/** Translates the source of packets that leave, and lets them pass there. */
export interface NatRule {
  /** The interface that they leave by: a name. */
  readonly device: string;
  /** Packets with a source in it. */
  readonly from: Subnet;
  /** Absent: the address that the interface has when the packet leaves. */
  readonly pool?: readonly Subnet[];
  /** The source ports that TCP and UDP get. */
  readonly ports: PortRange;
}

/** Passes or blocks, and ends the search: whatever rules follow elsewhere, this one decides. */
export interface FilterRule {
  /** `block return` answers, `block drop` is silent. */
  readonly action: "pass" | "block return" | "block drop";
  /** Absent: both. */
  readonly direction?: "in" | "out";
  /** A name; absent: any interface. */
  readonly device?: string;
  /** True: any interface but that one. */
  readonly isElsewhere?: boolean;
  /** Absent: both. */
  readonly family?: "inet" | "inet6";
  /** Absent: any protocol. */
  readonly udp?: { readonly sourcePort: number; readonly destinationPort: number };
  /** What the source is compared with. */
  readonly from: Endpoint;
  /** What the destination is compared with. */
  readonly to: Endpoint;
  /**
   * What makes a state, so that all that belongs to it passes on this interface: `first` packets of TCP
   * connections and any other packet, or `any` packet, so that connections go on whose beginning nobody
   * saw. Absent: none, and for `block` never.
   */
  readonly state?: "first" | "any";
  /** True: IP options pass too, which IGMP and MLD have (Router Alert, RFC 2236, RFC 2710). */
  readonly allowsOptions?: boolean;
  /**
   * Whose rule it is, and what for: pf counts by it. At most 63 letters, digits, spaces and `. _ - @ :`.
   * A rule with a label is also left by the optimizer of pfctl as and where it is.
   */
  readonly label: string;
  /** Written on packets that pass, in the place of any other. */
  readonly tag?: Tag;
  /** Only packets match that have it. */
  readonly tagged?: Tag;
}

/** One anchor and all that it holds. */
export interface Anchor {
  /** From the main ruleset down: `bridgewall/default`. At most 63 bytes. */
  readonly path: string;
  /** Seen by the rules of this anchor alone. */
  readonly tables: readonly Table[];
  /** The first that matches decides. */
  readonly translation: readonly TranslationRule[];
  /** The first that matches decides: all are quick. */
  readonly filter: readonly FilterRule[];
}

/** The text that `pfctl -f` reads: the order of the parts is pf's own, and the last line ends. */
export function formatAnchor({ tables, translation, filter }: Anchor): string {
  return [
    ...tables.map(formatTable),
    ...translation.map((rule) => formatTranslation(rule, interfaceWord)),
    ...filter.map((rule) => formatFilterRule(rule, interfaceWord)),
  ].map((line) => `${line}\n`).join("");
}

/** How the name of an interface is written: {@linkcode interfaceWord}, or as pfctl prints it. */
export type InterfaceSpelling = (name: string) => string;

function formatTable(table: Table): string {
  const { name, persists } = table;
  return `table <${name}> ${persists ? "persist " : ""}{ ${tableEntries(table).join(", ")} }`;
}

/** Each entry as it is written and as it is printed. */
export function tableEntries({ entries }: Table): readonly string[] {
  return entries.map(({ subnet, isExcluded }) =>
    `${isExcluded ? "!" : ""}${formatAddresses(subnet)}`
  );
}

/** One line. */
export function formatTranslation(rule: TranslationRule, spell: InterfaceSpelling): string {
  if ("device" in rule) return formatNatRule(rule, spell);
  const { family, tagged } = rule;
  return ["no nat", ...(family === undefined ? [] : [family]), `all tagged ${tagged}`].join(" ");
}

/** One line, as libvirt writes it. */
export function formatNatRule(
  { device, from, pool, ports }: NatRule,
  spell: InterfaceSpelling,
): string {
  const name = spell(device);
  const range = `port ${ports.start}:${ports.end}`;
  const [first, ...more] = pool ?? [];
  const address = first === undefined
    ? `(${spell(addressableInterface(device))}) ${range}`
    : more.length === 0 && first.prefix === 32
    ? `${formatAddresses(first)} ${range}`
    // A guest keeps the address that it got first: sites take a change for somebody else.
    : `${poolText([first, ...more])} ${range} round-robin sticky-address`;
  return `nat pass on ${name} inet from ${formatAddresses(from)} to <natdst> -> ${address}`;
}

function poolText(pool: readonly Subnet[]): string {
  const [first, ...more] = pool.map(formatAddresses);
  return more.length === 0 ? `${first}` : `{ ${[first, ...more].join(", ")} }`;
}

/** One line. */
export function formatFilterRule(rule: FilterRule, spell: InterfaceSpelling): string {
  const { direction, device, isElsewhere, family, udp, allowsOptions, label, tag, tagged } = rule;
  return [
    rule.action,
    ...(direction === undefined ? [] : [direction]),
    "quick",
    ...(device === undefined ? [] : ["on", ...(isElsewhere ? ["!"] : []), spell(device)]),
    ...(family === undefined ? [] : [family]),
    ...(udp === undefined ? [] : ["proto", "udp"]),
    formatEndpoints(rule),
    ...(rule.action === "pass" ? [stateText(rule)] : []),
    ...(allowsOptions ? ["allow-opts"] : []),
    `label "${label}"`,
    ...(tag === undefined ? [] : [`tag ${tag}`]),
    ...(tagged === undefined ? [] : [`tagged ${tagged}`]),
  ].join(" ");
}

/**
 * States are bound to their interface: a guest could otherwise make one on a member of its bridge, or from
 * outside, that lets a packet through elsewhere (pf.conf(5), state-policy).
 */
function stateText({ state }: FilterRule): string {
  if (state === undefined) return "no state";
  switch (state) {
    case "first":
      return "flags S/SA keep state (if-bound)";
    case "any":
      // Without the beginning of a connection its windows are not known.
      return "flags any keep state (if-bound, sloppy)";
  }
}

function formatEndpoints({ from, to, udp }: FilterRule): string {
  if (from === "any" && to === "any" && udp === undefined) return "all";
  const port = (number: number | undefined): string =>
    number === undefined ? "" : ` port = ${number}`;
  return `from ${endpointText(from)}${port(udp?.sourcePort)} ` +
    `to ${endpointText(to)}${port(udp?.destinationPort)}`;
}

function endpointText(endpoint: Endpoint): string {
  if (endpoint === "any") return "any";
  if (!("table" in endpoint)) return formatAddresses(endpoint);
  return `${endpoint.isExcluded ? "! " : ""}<${endpoint.table}>`;
}

/** A single address stands without its prefix, as pfctl prints it. */
function formatAddresses(subnet: Subnet): string {
  const text = formatSubnet(subnet);
  const single = subnet.family === "ipv4" ? "/32" : "/128";
  return text.endsWith(single) ? text.slice(0, -single.length) : text;
}

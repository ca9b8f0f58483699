/**
 * The words of pf.conf(5): values in, lines out. No policy here.
 *
 * Only what FreeBSD 13, 14 and 15 read alike. A rule is written with all that pf would add by itself
 * (`flags S/SA keep state`), in the order in which pfctl prints it, so that what is live can be compared.
 */
import { formatSubnet, type Subnet } from "../../core/address.ts";
import type { PortRange } from "../../core/network/network.ts";
import { addressableInterface, interfaceWord } from "./interface_word.ts";
import type {
  Anchor,
  Endpoint,
  FilterRule,
  NatRule,
  OnInterface,
  Redirection,
  Table,
  TranslationRule,
} from "./rules.ts";

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
  switch (rule.kind) {
    case "nat pass":
      return formatNatRule(rule, spell);
    case "nat": {
      const { device, from, to, tagged, address } = rule;
      return words(
        ...["nat", onText(rule, spell), "inet", fromTo(from, to), taggedText({ tagged })],
        `-> ${address === undefined ? ownAddress(device, spell) : formatAddresses(address)}`,
      );
    }
    case "no nat":
      return words("no nat", rule.family, "all", taggedText(rule));
    case "rdr":
      return formatRedirection(rule, spell);
    case "rdr-anchor":
      return words(
        ...[`rdr-anchor "${rule.name}"`, onText(rule, spell), "inet", fromTo("any", rule.to)],
      );
  }
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
    ? `${ownAddress(device, spell)} ${range}`
    : more.length === 0 && first.prefix === 32
    ? `${formatAddresses(first)} ${range}`
    // A guest keeps the address that it got first: sites take a change for somebody else.
    : `${poolText([first, ...more])} ${range} round-robin sticky-address`;
  return `nat pass on ${name} inet from ${formatAddresses(from)} to <natdst> -> ${address}`;
}

/** Whatever the interface has when the packet leaves. */
function ownAddress(device: string, spell: InterfaceSpelling): string {
  return `(${spell(addressableInterface(device))})`;
}

function poolText(pool: readonly Subnet[]): string {
  const [first, ...more] = pool.map(formatAddresses);
  return more.length === 0 ? `${first}` : `{ ${[first, ...more].join(", ")} }`;
}

/** A range of the guest's is written with both ends: pfctl prints it like that, however it was given. */
function formatRedirection(rule: Redirection, spell: InterfaceSpelling): string {
  const { protocol, to, ports, tag, target, targetPorts: { start, end } } = rule;
  return words(
    ...["rdr", onText(rule, spell), "inet", `proto ${protocol}`, `from any to ${endpointText(to)}`],
    ...[portText(ports), `tag ${tag}`, "->", formatAddresses(target)],
    `port ${start === end ? start : `${start}:${end}`}`,
  );
}

/** One line. */
export function formatFilterRule(rule: FilterRule, spell: InterfaceSpelling): string {
  const { action, direction, family, transport, allowsOptions, label, tag } = rule;
  return words(
    ...[action, direction, "quick", onText(rule, spell), family],
    ...[transport === undefined ? undefined : `proto ${transport.protocol}`, formatEndpoints(rule)],
    action === "pass" ? stateText(rule) : undefined,
    allowsOptions ? "allow-opts" : undefined,
    `label "${label}"`,
    tag === undefined ? undefined : `tag ${tag}`,
    taggedText(rule),
  );
}

function words(...all: readonly (string | undefined)[]): string {
  return all.filter((word) => word !== undefined).join(" ");
}

function onText(
  { device, isElsewhere }: OnInterface,
  spell: InterfaceSpelling,
): string | undefined {
  return device === undefined ? undefined : `on ${isElsewhere ? "! " : ""}${spell(device)}`;
}

function taggedText(
  { tagged, notTagged }: { readonly tagged?: string | undefined; readonly notTagged?: string },
): string | undefined {
  if (tagged !== undefined) return `tagged ${tagged}`;
  return notTagged === undefined ? undefined : `! tagged ${notTagged}`;
}

/**
 * States are bound to their interface: a guest could otherwise make one on a member of its bridge, or from
 * outside, that lets a packet through elsewhere (pf.conf(5), state-policy).
 */
function stateText({ state, transport }: FilterRule): string {
  if (state === undefined) return "no state";
  // Flags are those of TCP: pfctl neither takes nor prints them where another protocol is asked for.
  const flags = (text: string): string =>
    (transport?.protocol ?? "tcp") === "tcp" ? `flags ${text} ` : "";
  switch (state) {
    case "first":
      return `${flags("S/SA")}keep state (if-bound)`;
    case "any":
      // Without the beginning of a connection its windows are not known.
      return `${flags("any")}keep state (if-bound, sloppy)`;
  }
}

function formatEndpoints({ from, to, transport }: FilterRule): string {
  if (transport === undefined) return fromTo(from, to);
  const { sourcePort, destinationPorts } = transport;
  const source = sourcePort === undefined ? undefined : portText(onePort(sourcePort));
  return words(
    ...["from", endpointText(from), source],
    ...["to", endpointText(to), portText(destinationPorts)],
  );
}

/** A range of one. */
export function onePort(port: number): PortRange {
  return { start: port, end: port };
}

function portText({ start, end }: PortRange): string {
  return start === end ? `port = ${start}` : `port ${start}:${end}`;
}

function fromTo(from: Endpoint, to: Endpoint): string {
  return from === "any" && to === "any"
    ? "all"
    : `from ${endpointText(from)} to ${endpointText(to)}`;
}

function endpointText(endpoint: Endpoint): string {
  if (endpoint === "any") return "any";
  if (endpoint === "self") return "(self)";
  if (endpoint === "broadcast") return "(self:broadcast)";
  if ("allBut" in endpoint) return `! ${formatAddresses(endpoint.allBut)}`;
  if (!("table" in endpoint)) return formatAddresses(endpoint);
  return `${endpoint.isExcluded ? "! " : ""}<${endpoint.table}>`;
}

/** A single address stands without its prefix, as pfctl prints it. */
export function formatAddresses(subnet: Subnet): string {
  const text = formatSubnet(subnet);
  const single = subnet.family === "ipv4" ? "/32" : "/128";
  return text.endsWith(single) ? text.slice(0, -single.length) : text;
}

/** Rules of firewalld's rich language, as firewalld prints them and as its files hold them. */
import {
  type Family,
  formatAddress,
  formatSubnet,
  type IpAddress,
  type Subnet,
} from "../../core/address.ts";
import { formatPorts, type PortRange } from "../../core/network/network.ts";
import type { TransportProtocol } from "../../core/network/published_port.ts";

/** One side of a packet. */
export interface Side {
  /** The addresses. */
  readonly subnet: Subnet;
  /** True: any address but these. */
  readonly not?: boolean;
}

/** Sends packets to another address, and perhaps to another port there. */
export interface ForwardPort {
  /** The same on both ends. */
  readonly protocol: TransportProtocol;
  /** Where packets were going. */
  readonly ports: PortRange;
  /** Where they go. */
  readonly to: IpAddress;
  /** Absent: the port stays as it is. */
  readonly toPort?: number;
}

/** One rule (firewalld.richlanguage(5)). */
export interface RichRule {
  /** That of all its addresses. */
  readonly family: Family;
  /** Rules below 0 come first; above 0 they come last; of those at 0 rejects come before accepts. */
  readonly priority?: number;
  /** Absent: any. */
  readonly source?: Side;
  /** Absent: any. */
  readonly destination?: Side;
  /** The ports of a service that firewalld knows. */
  readonly service?: string;
  /** What becomes of the packet; a rejection is answered. */
  readonly action: "accept" | "reject" | "masquerade" | ForwardPort;
}

/** What a rejected packet is answered with, as in iptables and in libvirt's rules. */
const REJECT_TYPES: Readonly<Record<Family, string>> = {
  ipv4: "icmp-port-unreachable",
  ipv6: "icmp6-port-unreachable",
};

/** The rule as firewalld prints it (1.0 and newer), to compare with what is live. */
export function formatRichRule(rule: RichRule): string {
  const { family, priority = 0, source, destination, service, action } = rule;
  return [
    "rule",
    ...(priority === 0 ? [] : [`priority="${priority}"`]),
    `family="${family}"`,
    ...sideWords("source", source),
    ...sideWords("destination", destination),
    ...(service === undefined ? [] : [`service name="${service}"`]),
    actionWords(family, action),
  ].join(" ");
}

function actionWords(family: Family, action: RichRule["action"]): string {
  if (typeof action === "object") return forwardWords(action);
  return action === "reject" ? `reject type="${REJECT_TYPES[family]}"` : action;
}

/** The same for people and in a file, but for the brackets around it. */
function forwardWords({ protocol, ports, to, toPort }: ForwardPort): string {
  return [
    `forward-port port="${formatPorts(ports)}" protocol="${protocol}"`,
    ...(toPort === undefined ? [] : [`to-port="${toPort}"`]),
    `to-addr="${formatAddress(to)}"`,
  ].join(" ");
}

function sideWords(word: "source" | "destination", side: Side | undefined): readonly string[] {
  if (side === undefined) return [];
  return [word, ...(side.not === true ? ["NOT"] : []), `address="${formatSubnet(side.subnet)}"`];
}

/** The rule as a line of XML (firewalld.policy(5)). */
export function richRuleElement(rule: RichRule): string {
  const { family, priority = 0, source, destination, service, action } = rule;
  const rank = priority === 0 ? "" : ` priority="${priority}"`;
  return [
    `<rule family="${family}"${rank}>`,
    sideElement("source", source),
    sideElement("destination", destination),
    ...(service === undefined ? [] : [`<service name="${service}"/>`]),
    `<${actionWords(family, action)}/>`,
    "</rule>",
  ].join("");
}

function sideElement(word: "source" | "destination", side: Side | undefined): string {
  if (side === undefined) return "";
  const not = side.not === true ? ' invert="yes"' : "";
  return `<${word} address="${formatSubnet(side.subnet)}"${not}/>`;
}

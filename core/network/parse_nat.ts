/** `<nat>` in `<forward>` → how addresses are translated. */
import { formatAddress } from "../address.ts";
import type { AddressRange } from "../address.ts";
import {
  attributeOf,
  decimal,
  partsNamed,
  refuse,
  requiredAddress,
  yesOrNo,
} from "./element_reader.ts";
import type { Part } from "./element_reader.ts";
import { DEFAULT_NAT_PORTS } from "./network.ts";
import type { PortRange } from "./network.ts";

/** What `<nat>` says; the words are those of the forward mode `nat`. */
export interface Translation {
  /** False unless it says `ipv6='yes'`: IPv6 is routed. */
  readonly ipv6: boolean;
  /** IPv4 only; absent: the address of the outgoing interface. */
  readonly addresses?: AddressRange;
  /** {@linkcode DEFAULT_NAT_PORTS} when there is no `<port>`, or one of zeros. */
  readonly ports: PortRange;
}

const LARGEST_PORT = 65535;
const WIDEST_RANGE = 65535n;

/**
 * Reads the `<nat>` of a `<forward>`, which may be missing.
 *
 * @throws {NetworkDefinitionError} When there are several, or libvirt 11.3 would not take it, be it
 * at start only.
 */
export function parseNat(forward: Part): Translation {
  const nat = single(forward, "nat");
  if (nat === undefined) return { ipv6: false, ports: DEFAULT_NAT_PORTS };
  const addresses = parseAddresses(nat);
  return {
    ipv6: yesOrNo(nat, "ipv6") ?? false,
    ...(addresses === undefined ? {} : { addresses }),
    ports: parsePorts(nat),
  };
}

function single(part: Part, name: string): Part | undefined {
  const [first, second] = partsNamed(part, name);
  if (second !== undefined) refuse(second, `Second <${name}>, at most one may be given`);
  return first;
}

function parseAddresses(nat: Part): AddressRange | undefined {
  const part = single(nat, "address");
  if (part === undefined) return undefined;
  const start = requiredAddress(part, "start", "203.0.113.10");
  const end = requiredAddress(part, "end", formatAddress(start));
  const range = `NAT address range "${formatAddress(start)}" to "${formatAddress(end)}"`;
  if (start.family !== "ipv4" || end.family !== "ipv4") refuse(part, `${range} is not IPv4`);
  if (start.value > end.value) {
    const hint = `Write start='${formatAddress(end)}' end='${formatAddress(start)}'`;
    refuse(part, `${range} is reversed`, hint);
  }
  if (end.value - start.value > WIDEST_RANGE) {
    refuse(part, `${range} is too large, wanted at most ${WIDEST_RANGE + 1n} addresses`);
  }
  return { start, end };
}

function parsePorts(nat: Part): PortRange {
  const part = single(nat, "port");
  if (part === undefined) return DEFAULT_NAT_PORTS;
  const start = requiredPort(part, "start");
  const end = requiredPort(part, "end");
  if (start === 0 && end === 0) return DEFAULT_NAT_PORTS;
  const range = `NAT port range "${start}" to "${end}"`;
  // libvirt takes one that starts with 0; a packet that leaves from port 0 gets no answer.
  if (start === 0) refuse(part, `${range} starts with port 0`, "Write start='1'");
  if (start > end) refuse(part, `${range} is reversed`, `Write start='${end}' end='${start}'`);
  // libvirt 11.3 refuses it at start: it needs two ports at least.
  if (start === end) refuse(part, `${range} is a single port, wanted two or more`);
  return { start, end };
}

function requiredPort(part: Part, name: "start" | "end"): number {
  if (attributeOf(part, name) === undefined) {
    const { [name]: usual } = DEFAULT_NAT_PORTS;
    refuse(part, `<port> has no ${name}`, `Add ${name}='${usual}'`);
  }
  return decimal(part, name, LARGEST_PORT) ?? 0;
}

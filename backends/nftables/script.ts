/**
 * The words of nftables: values in, text of nft(8) out. No policy here.
 *
 * Everything that reaches a script goes through one of these functions, so nothing can end a
 * string or a statement early.
 */
import {
  bitsOf,
  type Family,
  formatAddress,
  formatSubnet,
  type Subnet,
} from "../../core/address.ts";
import { UnsupportedNetworkError } from "../../core/firewall_backend.ts";
import type { FamilyPolicy } from "../../core/policy/policy.ts";
import { byteLength, cutToBytes, printable, quoted } from "../../core/quoted.ts";

/** The protocol of a family. */
export const PROTOCOLS: Readonly<Record<Family, "ip" | "ip6">> = { ipv4: "ip", ipv6: "ip6" };

/** nft refuses comments above 128 bytes, the closing zero included. */
const COMMENT_BYTES = 127;

/** The kernel's IFNAMSIZ less the closing zero; nft counts the escape of a star as well. */
const INTERFACE_BYTES = 15;

/**
 * An interface name as nft's quoted string.
 *
 * A quoted string of nft knows no escape but `\*` at its end, for a name that ends in a star
 * (a star alone would mean "any name that starts so"). Where that stands, nft takes every other
 * backslash away as well (1.0.6). Hence three kinds of names that a kernel allows cannot be written.
 *
 * @throws {UnsupportedNetworkError} For a name with `"`, and for one that ends in `*` and has a
 * backslash or 15 bytes.
 */
export function interfaceString(name: string): string {
  const endsInStar = name.endsWith("*");
  const escaped = endsInStar ? `${name.slice(0, -1)}\\*` : name;
  const bytes = byteLength(escaped);
  const losesBackslash = endsInStar && name.includes("\\");
  if (name.includes('"') || losesBackslash || bytes > INTERFACE_BYTES) {
    throw new UnsupportedNetworkError(
      `The language of nftables cannot write the interface name ${quoted(name)}`,
      "Give the interface a name of letters, digits, `-`, `_` and `.`",
    );
  }
  return `"${escaped}"`;
}

/**
 * The name of an object that belongs to one interface, such as `from-virbr0`.
 *
 * Identifiers of nft hold letters, digits and `/ . _ -`. All other bytes of the name become `/` and
 * two hex digits; no interface name holds a slash, so two names never meet.
 */
export function objectName(kind: string, interfaceName: string): string {
  const bytes = [...new TextEncoder().encode(interfaceName)];
  return `${kind}-${
    bytes.map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9._-]/.test(character)
        ? character
        : `/${byte.toString(16).padStart(2, "0")}`;
    }).join("")
  }`;
}

/** The name of an object where a statement wants it in quotes. */
export function objectString(name: string): string {
  return `"${name}"`;
}

/** `"NETWORK: TEXT"` for a comment, the network's name cut where the whole would be too long. */
export function commentString(network: string, text: string): string {
  const room = COMMENT_BYTES - byteLength(`: ${text}`);
  // A string of nft ends at the next quote, whatever stands before it.
  const name = printable(network).replaceAll('"', "'");
  return `"${cutToBytes(name, room)}: ${text}"`;
}

/** One subnet; a host stands without a prefix, as nft lists it. */
export function subnetWord(subnet: Subnet): string {
  return subnet.prefix === bitsOf(subnet.family) ? formatAddress(subnet) : formatSubnet(subnet);
}

/** One subnet, or a set of them between braces. */
export function subnetSet(subnets: readonly Subnet[]): string {
  const elements = subnets.map(subnetWord);
  return elements.length === 1 ? elements.join("") : `{ ${elements.join(", ")} }`;
}

/** `ip saddr` or `ip daddr` in the subnets of the family. */
export function among({ family, subnets }: FamilyPolicy, side: "saddr" | "daddr"): string {
  return `${PROTOCOLS[family]} ${side} ${subnetSet(subnets)}`;
}

/** Parts of a statement, empty ones left out. */
export function words(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}

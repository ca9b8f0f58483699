/** Masqueraded prefixes: what they mean for a packet, by arithmetic alone, and what the host has of them. */
import { assertEquals } from "@std/assert";
import type { BackendUnderTest } from "./backends.ts";
import type { Bridgewall } from "./bridgewall.ts";
import { variantProgram } from "./iptables_variant.ts";
import { mustRun } from "./run_program.ts";
import { isIpv6 } from "./test_network.ts";

/** `10.0.0.0/8` in numbers. */
export interface Prefix {
  readonly bits: 32 | 128;
  readonly value: bigint;
  readonly length: number;
}

/** The number that an address is; IPv6 without an IPv4 address at its end. */
export function numberOf(address: string): bigint {
  if (!isIpv6(address)) {
    return address.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  }
  const [before = "", after] = address.split("::");
  const groups = (text: string): readonly string[] => text === "" ? [] : text.split(":");
  const [left, right] = [groups(before), groups(after ?? "")];
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...(after === undefined ? [] : zeros), ...right]
    .reduce((sum, part) => sum * 65536n + BigInt(`0x${part}`), 0n);
}

/** The other way; IPv6 in full, as every program takes it. */
export function addressOf(value: bigint, bits: 32 | 128): string {
  const size = bits === 32 ? 8n : 16n;
  const parts = Array.from(
    { length: bits === 32 ? 4 : 8 },
    (_, index) => (value >> (BigInt(bits) - size * BigInt(index + 1))) & ((1n << size) - 1n),
  );
  return bits === 32 ? parts.join(".") : parts.map((part) => part.toString(16)).join(":");
}

/** Reads a prefix. */
export function prefixOf(text: string): Prefix {
  const [address = "", length] = text.split("/");
  return { bits: isIpv6(address) ? 128 : 32, value: numberOf(address), length: Number(length) };
}

function isInside(address: string, { bits, value, length }: Prefix): boolean {
  const shift = BigInt(bits - length);
  return (bits === 128) === isIpv6(address) && numberOf(address) >> shift === value >> shift;
}

function textOf({ bits, value, length }: Prefix): string {
  const shift = BigInt(bits - length);
  return `${addressOf((value >> shift) << shift, bits)}/${length}`;
}

/** Those of the prefixes that are in no other one, each once, without bits beyond its length. */
export function outermost(prefixes: readonly string[]): readonly string[] {
  const all = [...new Set(prefixes.map((prefix) => textOf(prefixOf(prefix))))];
  return all.filter((prefix) =>
    !all.some((other) =>
      other !== prefix && isInside(prefix.replace(/\/\d+$/, ""), prefixOf(other)) &&
      prefixOf(other).length < prefixOf(prefix).length
    )
  );
}

/** Whether what goes from the one to the other gets the host's address. */
export function isTranslated(prefixes: readonly string[], from: string, to: string): boolean {
  const own = outermost(prefixes).map(prefixOf).find((prefix) => isInside(from, prefix));
  return own !== undefined && !isInside(to, own);
}

/** What the host's firewall has of prefixes: exactly the outermost. */
export async function proveLive(
  host: string,
  backend: BackendUnderTest,
  bridgewall: Bridgewall,
  prefixes: readonly string[],
): Promise<void> {
  const live = [...await livePrefixes(host, backend, bridgewall)].map((one) =>
    textOf(prefixOf(one))
  );
  assertEquals(live.sort(), [...outermost(prefixes)].sort());
}

async function livePrefixes(
  host: string,
  { variant, firewalld }: BackendUnderTest,
  bridgewall: Bridgewall,
): Promise<ReadonlySet<string>> {
  if (firewalld !== undefined) return await ofFirewalld(bridgewall);
  if (variant === undefined) return await ofNft(host);
  const saved = await Promise.all(
    (["iptables", "ip6tables"] as const).map((family) =>
      mustRun([variantProgram(family, variant, "save"), "-t", "nat"], { namespace: host })
    ),
  );
  const sources = saved.join("").matchAll(/^-A BRIDGEWALL_MASQ\b.* -s (\S+)/gm);
  return new Set([...sources].map(([, source = ""]) => source));
}

async function ofFirewalld({ firewalld }: Bridgewall): Promise<ReadonlySet<string>> {
  const policies = await firewalld?.command("--list-all-policies") ?? "";
  const ours = policies.split(/^(?=\S)/m).find((policy) => policy.startsWith("bw-masq")) ?? "";
  return new Set([...ours.matchAll(/source address="(\S+)"/g)].map(([, source = ""]) => source));
}

/** As nft lists a member of a set: one address, a prefix, or a range where that is no prefix. */
type Member = string | { readonly prefix: { readonly addr: string; readonly len: number } };

interface Listing {
  readonly set?: {
    readonly name: string;
    readonly elem?: readonly (Member | { readonly elem: { readonly val: Member } })[];
  };
}

async function ofNft(host: string): Promise<ReadonlySet<string>> {
  const listing = await mustRun(["nft", "-j", "list", "ruleset"], { namespace: host });
  const { nftables } = JSON.parse(listing) as { nftables: readonly Listing[] };
  const members = nftables.flatMap(({ set }) =>
    /^masquerade_ipv[46]$/.test(set?.name ?? "") ? set?.elem ?? [] : []
  );
  return new Set(members.map((member) => {
    const value = typeof member === "object" && "elem" in member ? member.elem.val : member;
    if (typeof value === "object") return `${value.prefix.addr}/${value.prefix.len}`;
    return `${value}/${isIpv6(value) ? 128 : 32}`;
  }));
}

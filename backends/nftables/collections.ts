/** The maps and sets of the table: what their keys are, and what they lead to. */
import type { Family } from "../../core/address.ts";

/** A map or a set that base chains look up. */
export interface Collection {
  /** A map has values. */
  readonly kind: "map" | "set";
  /** Of the keys; in a map with that of its values, as nft writes it. */
  readonly type: string;
  /** True where keys are ranges. Such a lookup takes longer, and the elements may not overlap. */
  readonly interval?: true;
  /** True: each element counts the packets that met it. */
  readonly counter?: true;
}

/** Chains by the interface, or by an address of the host. */
export const VERDICTS = {
  from_bridge: { kind: "map", type: "ifname : verdict" },
  to_bridge: { kind: "map", type: "ifname : verdict" },
  translate_from_bridge: { kind: "map", type: "ifname : verdict" },
  translate_host_ipv4: { kind: "map", type: "ipv4_addr : verdict" },
  translate_host_ipv6: { kind: "map", type: "ipv6_addr : verdict" },
  hairpin: { kind: "map", type: "ifname : verdict" },
} as const;

/** Those of the ports that a family publishes. */
export const PUBLISHING = [
  "publish",
  "publish_any",
  "publish_ranges",
  "publish_any_ranges",
  "published",
  "published_ranges",
] as const;

/** Those of the prefixes of no network. */
export const MASQUERADING = ["masquerade", "masquerade_within"] as const;

/** A map or a set that each family has. */
export type OfFamily = (typeof PUBLISHING | typeof MASQUERADING)[number];

/** The name of a map or a set. */
export type CollectionName = keyof typeof VERDICTS | `${OfFamily}_${Family}`;

/**
 * `publish`: where packets to an address of the host are sent, `publish_any` to whatever address of it;
 * `published`: what may come to a guest because of that, and what may come back. Many ports that stay
 * as they are on the way are one range in a collection of their own, since ranges are slower to find.
 */
function ofFamily(family: Family): Readonly<Record<OfFamily, Collection>> {
  const address = `${family}_addr`;
  const service = "inet_proto . inet_service";
  const target = `${address} . inet_service`;
  const interval = { interval: true } as const;
  const counter = { counter: true } as const;
  return {
    publish: { kind: "map", type: `${address} . ${service} : ${target}` },
    publish_any: { kind: "map", type: `${service} : ${target}` },
    publish_ranges: { kind: "map", type: `${address} . ${service} : ${address}`, ...interval },
    publish_any_ranges: { kind: "map", type: `${service} : ${address}`, ...interval },
    published: { kind: "set", type: `inet_proto . ${target}`, ...counter },
    published_ranges: { kind: "set", type: `inet_proto . ${target}`, ...interval, ...counter },
    masquerade: { kind: "set", type: address, ...interval, ...counter },
    masquerade_within: { kind: "set", type: `${address} . ${address}`, ...interval },
  };
}

const FAMILIES = { ipv4: ofFamily("ipv4"), ipv6: ofFamily("ipv6") } as const;

/** What the map or set of that name is. */
export function collection(name: CollectionName): Collection {
  if (name in VERDICTS) return VERDICTS[name as keyof typeof VERDICTS];
  const family: Family = name.endsWith("_ipv4") ? "ipv4" : "ipv6";
  return FAMILIES[family][name.slice(0, -"_ipv4".length) as OfFamily];
}

/** What stands behind `add map NAME` or `add set NAME`. */
export function declaration({ kind, type, interval, counter }: Collection): string {
  return [
    `type ${type};`,
    ...(interval === true ? ["flags interval;"] : []),
    ...(counter === true && kind === "set" ? ["counter;"] : []),
  ].join(" ");
}

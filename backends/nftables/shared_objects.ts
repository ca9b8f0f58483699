/** What several networks share in the table: base chains, and the maps and sets that they look up. */
import { type Family, parseSubnet } from "../../core/address.ts";
import { NEVER_TRANSLATED } from "../../core/policy/policy.ts";
import { PUBLISHING } from "./collections.ts";
import type { BaseChain, Rule, SharedObjects } from "./objects.ts";
import { PROTOCOLS, subnetSet } from "./script.ts";

/** Where forwarded packets are judged. */
export const FORWARD: SharedObjects = {
  collections: ["from_bridge", "to_bridge"],
  chains: [{
    name: "forward",
    hook: "type filter hook forward priority filter; policy accept;",
    attributes: "filter forward 0 accept",
    comment: '"bridgewall: packets from and to the bridges"',
    rules: [
      { statements: "iifname vmap @from_bridge", comment: '"may it leave its network?"' },
      { statements: "oifname vmap @to_bridge", comment: '"may it enter its network?"' },
    ],
  }],
};

/**
 * Where the first packet of a connection gets its source address. What the host sends to itself leaves no
 * network, whichever of its addresses it has.
 */
export const POSTROUTING: SharedObjects = {
  collections: ["translate_from_bridge", "translate_host_ipv4", "translate_host_ipv6"],
  chains: [{
    name: "postrouting",
    hook: "type nat hook postrouting priority srcnat; policy accept;",
    attributes: "nat postrouting 100 accept",
    comment: '"bridgewall: source addresses of packets that leave their network"',
    rules: [
      { statements: "iifname vmap @translate_from_bridge", comment: '"from guests"' },
      {
        statements: 'oifname != "lo" ip saddr vmap @translate_host_ipv4',
        comment: '"from the host, by its address on a bridge"',
      },
      {
        statements: 'oifname != "lo" ip6 saddr vmap @translate_host_ipv6',
        comment: '"from the host, by its address on a bridge"',
      },
    ],
  }],
};

/**
 * Where what was sent to a published port comes back to the bridge that it came from: its guest would
 * answer directly. Before the translation of networks, because the first that translates decides.
 */
export const HAIRPIN: SharedObjects = {
  collections: ["hairpin"],
  chains: [{
    name: "hairpin",
    hook: "type nat hook postrouting priority srcnat - 1; policy accept;",
    attributes: "nat postrouting 99 accept",
    comment: '"bridgewall: published ports, asked from the same bridge or by 127.0.0.1"',
    rules: [{ statements: "ct status dnat oifname vmap @hairpin", comment: '"to guests"' }],
  }],
};

/**
 * A bridge that lets 127.0.0.1 reach guests takes packets to and from 127.0.0.0/8 from guests too: no
 * packet that comes in by an interface may have such an address (RFC 1122 section 3.2.1.3). Answers have it
 * only after their translation, which is later.
 */
export const GUARD: SharedObjects = {
  collections: [],
  chains: [{
    name: "guard",
    hook: "type filter hook prerouting priority raw; policy accept;",
    attributes: "filter prerouting -300 accept",
    comment: '"bridgewall: 127.0.0.0/8 belongs to the host alone"',
    rules: [
      { statements: 'iifname != "lo" ip daddr 127.0.0.0/8 drop', comment: '"to the host itself"' },
      {
        statements: 'iifname != "lo" ip saddr 127.0.0.0/8 drop',
        comment: '"from the host itself"',
      },
    ],
  }],
};

/** Addresses of `lo`, of which a port is published on none that was not named. */
const LOOPBACK: Readonly<Record<Family, string>> = { ipv4: "127.0.0.0/8", ipv6: "::1" };

/**
 * Where the first packet of a connection to a published port gets the guest's address: for packets that
 * come in, and for those of the host. Only what is meant for the host itself is looked up, so nothing is
 * taken away from what is routed through it.
 */
export function publishingOf(family: Family): SharedObjects {
  const protocol = PROTOCOLS[family];
  const service = "meta l4proto . th dport";
  const to = (key: string, map: string, value: string): string =>
    `dnat ${protocol} ${value} ${key} map @${map}_${family}`;
  const rules: readonly Rule[] = [
    { statements: `meta nfproto != ${family} return`, comment: '"the other family"' },
    { statements: "fib daddr type != local return", comment: '"not to the host"' },
    {
      statements: to(`${protocol} daddr . ${service}`, "publish", "addr . port to"),
      comment: '"to one address"',
    },
    {
      statements: to(`${protocol} daddr . ${service}`, "publish_ranges", "to"),
      comment: '"to one address, many ports"',
    },
    { statements: `${protocol} daddr ${LOOPBACK[family]} return`, comment: '"to the host alone"' },
    { statements: to(service, "publish_any", "addr . port to"), comment: '"to any address"' },
    { statements: to(service, "publish_any_ranges", "to"), comment: '"to any, many ports"' },
  ];
  const chain = (name: string, hook: string, text: string): BaseChain => ({
    name: `${name}_${family}`,
    // `dstnat` is a word for prerouting only.
    hook: `type nat hook ${hook} priority -100; policy accept;`,
    attributes: `nat ${hook} -100 accept`,
    comment: `"bridgewall: published ports, asked ${text}"`,
    rules,
  });
  return {
    collections: PUBLISHING.map((name) => `${name}_${family}` as const),
    chains: [
      chain("publish", "prerouting", "from outside and by guests"),
      chain("publish_host", "output", "by the host itself"),
    ],
  };
}

/** Where packets from prefixes of no network get their source address, after those of networks. */
export function masqueradingOf(family: Family): SharedObjects {
  const protocol = PROTOCOLS[family];
  const never = subnetSet(NEVER_TRANSLATED[family].flatMap((text) => parseSubnet(text) ?? []));
  return {
    collections: [`masquerade_${family}`, `masquerade_within_${family}`],
    chains: [{
      name: `masquerade_${family}`,
      hook: "type nat hook postrouting priority srcnat + 1; policy accept;",
      attributes: "nat postrouting 101 accept",
      comment: '"bridgewall: source addresses of packets that leave a masqueraded prefix"',
      rules: [
        {
          statements: `${protocol} saddr . ${protocol} daddr @masquerade_within_${family} return`,
          comment: '"inside a prefix"',
        },
        { statements: `${protocol} daddr ${never} return`, comment: '"on the link"' },
        {
          statements: `oifname != "lo" ${protocol} saddr @masquerade_${family} masquerade`,
          comment: '"from a prefix"',
        },
      ],
    }],
  };
}

/** What a network that publishes ports has beside the members of maps and sets. */
import type { Family } from "../../core/address.ts";
import { needsLocalhost } from "../../core/network/published_port.ts";
import type { FamilyPolicy, FilteredPolicy } from "../../core/policy/policy.ts";
import { counterNames } from "./counter_names.ts";
import type { ObjectGroup, Rule } from "./objects.ts";
import {
  commentString,
  interfaceString,
  objectName,
  objectString,
  PROTOCOLS,
  subnetSet,
} from "./script.ts";
import { HAIRPIN } from "./shared_objects.ts";

/**
 * Connections that were sent to a published port, in one direction, and what complains about them (ICMP:
 * a path may not take packets as large as they are). Who has not been sent there by us is not in the set.
 */
export function publishedRules(
  policy: FilteredPolicy,
  { family, subnets, published }: FamilyPolicy,
  direction: "original" | "reply",
): readonly Rule[] {
  if (published.length === 0) return [];
  const [side, port] = direction === "reply" ? ["saddr", "sport"] : ["daddr", "dport"];
  const protocol = PROTOCOLS[family];
  const names = counterNames(policy.bridge);
  const end = direction === "reply"
    ? `counter name ${objectString(names.out)} return`
    : `counter name ${objectString(names.in)} accept`;
  const translated = `ct direction ${direction} ct status dnat`;
  const say = (text: string): string => commentString(policy.network, text);
  return [
    ...PUBLISHED.map((set): Rule => ({
      statements:
        `${translated} meta l4proto . ${protocol} ${side} . th ${port} @${set}_${family} ${end}`,
      comment: say(direction === "reply" ? "from published ports" : "to published ports"),
    })),
    {
      statements: `${translated} ct state related meta l4proto ${ICMP[family]} ` +
        `${protocol} ${side} ${subnetSet(subnets)} ${end}`,
      comment: say("errors about published ports"),
    },
  ];
}

/** What may come to a guest because of a published port: one by one, and many at once. */
export const PUBLISHED = ["published", "published_ranges"] as const;

const ICMP: Readonly<Record<Family, string>> = { ipv4: "icmp", ipv6: "ipv6-icmp" };

/** What comes back to the bridge, and what the host sends from an address that no guest could answer. */
export function hairpinGroup(
  policy: FilteredPolicy,
  families: readonly FamilyPolicy[],
): ObjectGroup {
  const { network, bridge } = policy;
  const chain = objectName("hairpin", bridge);
  const key = interfaceString(bridge);
  const isLocal = families.some(({ published }) => published.some(needsLocalhost));
  return {
    shared: HAIRPIN,
    chains: [{
      name: chain,
      comment: commentString(network, "its guests ask for its published ports"),
      rules: [
        // By their addresses: what br_netfilter shows has no incoming interface any more.
        ...families.map(({ family, subnets }) => ({
          statements: `${PROTOCOLS[family]} saddr ${subnetSet(subnets)} masquerade`,
          comment: commentString(network, "guests"),
        })),
        ...(isLocal
          ? [{
            statements: "ip saddr 127.0.0.0/8 masquerade",
            comment: commentString(network, "the host itself, by 127.0.0.1"),
          }]
          : []),
      ],
    }],
    elements: [{ collection: "hairpin", key, value: `jump ${chain}` }],
    counters: [],
  };
}

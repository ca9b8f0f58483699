/**
 * Guests who may not leave their bridge reach no port that another network publishes, either. firewalld lets
 * through what was translated before it asks anybody, so their packets must not be translated: a rule that
 * comes first and forwards the port to the very address that it is of changes nothing, and ends the search.
 * What they sent is for the host itself then, which decides as if nobody had published anything.
 *
 * Of two networks the one that comes later sees to it, so that none has to be made anew for the other.
 */
import { type Family, formatAddress, parseAddress, parseSubnet } from "../../core/address.ts";
import type { Subnet } from "../../core/address.ts";
import { TRANSPORT_PROTOCOLS } from "../../core/network/published_port.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { ANY, type FirewalldObject, isZone } from "./objects.ts";
import { alone, type Listening } from "./published.ts";
import type { RichRule } from "./rich_rule.ts";
import type { ZonesOfNetwork } from "./ruleset.ts";

/** Whether guests may not leave their bridge by whatever interface the host chooses. */
export function isClosed({ families }: FilteredPolicy, family: Family): boolean {
  const forwarding = families.find((one) => one.family === family)?.forwarding;
  return forwarding === undefined || forwarding.direction === "none" ||
    forwarding.device !== undefined;
}

/**
 * What keeps guests of this network from ports of others. In a zone of ours the bridge tells whose packets
 * they are, in one where others are the address.
 */
export function guardRules(
  policy: FilteredPolicy,
  { kind }: ZonesOfNetwork,
  others: readonly Listening[],
): readonly RichRule[] {
  return others.flatMap((one) => {
    const { family } = one.address;
    if (!isClosed(policy, family)) return [];
    return kind === "own"
      ? [guardRule(one)]
      : subnetsOf(policy, family).map((subnet) => guardRule(one, { source: { subnet } }));
  });
}

/**
 * What keeps guests of networks that stand from ports of this one: told by their addresses, which a guest
 * could borrow, until their network is made again (`reload`) and tells them by its bridge.
 */
export function shieldRules(
  listening: readonly Listening[],
  standing: readonly FilteredPolicy[],
): readonly RichRule[] {
  return listening.flatMap((one) =>
    standing.filter((other) => isClosed(other, one.address.family))
      .flatMap((other) => shieldsAgainst(one, other))
  );
}

/** The part of {@linkcode shieldRules} for one port and one network; none where it has no addresses. */
export function shieldsAgainst(one: Listening, other: FilteredPolicy): readonly RichRule[] {
  // Before the rules that forward, which have no priority.
  return subnetsOf(other, one.address.family)
    .map((subnet) => guardRule(one, { priority: -1, source: { subnet } }));
}

function subnetsOf({ families }: FilteredPolicy, family: Family): readonly Subnet[] {
  return families.find((one) => one.family === family)?.subnets ?? [];
}

function guardRule(
  { published: { protocol, ports }, address }: Listening,
  whose: Pick<RichRule, "priority" | "source"> = {},
): RichRule {
  return {
    family: address.family,
    ...whose,
    destination: { subnet: alone(address) },
    action: { protocol, ports, to: address },
  };
}

/** The objects, with these rules for all that comes out of the network's zone. */
export function withGuards(
  objects: readonly FirewalldObject[],
  { name }: ZonesOfNetwork,
  guards: readonly RichRule[],
): readonly FirewalldObject[] {
  if (guards.length === 0) return objects;
  const leaving = objects.find((one) => !isZone(one) && one.from === name && one.to === ANY);
  return objects.map((one) =>
    one === leaving && !isZone(one) ? { ...one, rules: [...one.rules, ...guards] } : one
  );
}

const GUARD = new RegExp(
  [
    '<rule family="(?:ipv4|ipv6)"(?<first> priority="-1")?>',
    '(?:<source address="(?<source>[^"]+)"/>)?<destination address="(?<at>[^"]+)/\\d+"/>',
    '<forward-port port="(?<start>\\d+)(?:-(?<end>\\d+))?" protocol="(?<protocol>[a-z]+)" ',
    'to-addr="(?<to>[^"]+)"/></rule>$',
  ].join(""),
  "gm",
);

/** The rules of this kind in a file that this program wrote. */
export function guardsIn(text: string): readonly RichRule[] {
  return [...text.matchAll(GUARD)].flatMap(({ groups = {} }): readonly RichRule[] => {
    const address = parseAddress(groups["at"] ?? "");
    const protocol = TRANSPORT_PROTOCOLS.find((one) => one === groups["protocol"]);
    const subnet = parseSubnet(groups["source"] ?? "");
    if (address === undefined || protocol === undefined) return [];
    if (groups["to"] !== formatAddress(address)) return [];
    const start = Number(groups["start"]);
    return [{
      family: address.family,
      ...(groups["first"] === undefined ? {} : { priority: -1 }),
      ...(subnet === undefined ? {} : { source: { subnet } }),
      destination: { subnet: alone(address) },
      action: { protocol, ports: { start, end: Number(groups["end"] ?? start) }, to: address },
    }];
  });
}

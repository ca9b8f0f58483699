/** Networks in zones that definitions name. */
import { type Family, isLinkLocal, parseSubnet, type Subnet } from "../../core/address.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { ANY, HOST, type ZonePolicy } from "./objects.ts";
import { accepts, FAMILIES, isOpen, type Make, PRIORITY, some } from "./policy_parts.ts";
import type { RichRule } from "./rich_rule.ts";
import type { ZonesOfNetwork } from "./ruleset.ts";

/**
 * The policies of a network in a zone of the administrator's, where other interfaces may be: each is about
 * the addresses of the network, and says nothing of others.
 */
export function namedPolicies(
  policy: FilteredPolicy,
  { name: zone, device }: ZonesOfNetwork,
  make: Make,
): readonly ZonePolicy[] {
  const into = { from: ANY, to: zone };
  const outOf = { from: zone, to: ANY };
  const rank = (priority: number): { priority: number; target: "CONTINUE" } => ({
    priority,
    target: "CONTINUE",
  });
  const [out, back] = [accepts(policy, "source"), accepts(policy, "destination")];
  const accepting = device === undefined
    ? [
      make("out", { ...rank(PRIORITY.last), ...outOf }, out),
      make("in", { ...rank(PRIORITY.lastIn), ...into }, back),
    ]
    : device.zone === undefined
    ? []
    : [
      make("out", { ...rank(PRIORITY.first), from: zone, to: device.zone }, out),
      make("in", { ...rank(PRIORITY.first), from: device.zone, to: zone }, back),
    ];
  const rejects = (side: "source" | "destination"): readonly RichRule[] =>
    policy.families.filter(({ forwarding }) => device !== undefined || !isOpen(forwarding, side))
      .flatMap(({ family, subnets }) =>
        subnets.map((subnet): RichRule => ({ family, [side]: { subnet }, action: "reject" }))
      );
  return [
    make("lan", { ...rank(PRIORITY.first), from: zone, to: zone }, amongGuests(policy)),
    make("to", { ...rank(PRIORITY.guard), ...into }, rejects("destination")),
    make("from", { ...rank(PRIORITY.guard), ...outOf }, rejects("source")),
    ...accepting,
    make("ask", { ...rank(PRIORITY.last), from: zone, to: HOST }, askingRules(policy)),
  ].flatMap(some);
}

function amongGuests({ families }: FilteredPolicy): readonly RichRule[] {
  return families.flatMap(({ family, subnets }) =>
    subnets.flatMap((source) =>
      subnets.map((destination): RichRule => ({
        family,
        source: { subnet: source },
        destination: { subnet: destination },
        action: "accept",
      }))
    )
  );
}

/** What has no address yet, and what a guest of IPv6 asks for one with (RFC 2131, RFC 8415). */
const UNADDRESSED = { ipv4: "0.0.0.0/32", ipv6: "fe80::/10" } as const;

function askingRules({ families, services }: FilteredPolicy): readonly RichRule[] {
  const own = (family: Family): readonly Subnet[] =>
    families.find((one) => one.family === family)?.subnets ?? [];
  const askFor = (service: string, family: Family, from: readonly Subnet[]): readonly RichRule[] =>
    from.map((subnet) => ({ family, source: { subnet }, service, action: "accept" }));
  const nobody = (family: Family): readonly Subnet[] => {
    const subnet = parseSubnet(UNADDRESSED[family]);
    return subnet === undefined ? [] : [subnet];
  };
  const both = (service: string): readonly RichRule[] =>
    FAMILIES.flatMap((family) => askFor(service, family, own(family)));
  return [
    ...(services.dhcp ? askFor("dhcp", "ipv4", [...nobody("ipv4"), ...own("ipv4")]) : []),
    ...(services.dhcpv6
      ? askFor("dhcpv6", "ipv6", [
        ...nobody("ipv6"),
        ...own("ipv6").filter((subnet) => !isLinkLocal(subnet)),
      ])
      : []),
    ...(services.dns ? both("dns") : []),
    ...(services.tftp ? askFor("tftp", "ipv4", own("ipv4")) : []),
  ];
}

/**
 * Policy → zones and policies of firewalld.
 *
 * firewalld lets a packet through as soon as anybody accepts it, and visits policies by priority: those
 * below 0, then what the zone itself says, then those above 0. So each network first rejects what it does
 * not take (`to`; `from`, where it lets nothing out), and only when everybody was asked, policies of the
 * administrator included, it accepts: what goes out first (`out`, which ends with a rejection, so that no
 * other network accepts a borrowed address), then what comes in (`in`). Replies were accepted before.
 *
 * As few policies as that allows: firewalld 1.3 needs time for the square of their number.
 */
import { allBut, type Family, isLinkLocal, parseSubnet, type Subnet } from "../../core/address.ts";
import {
  type FamilyPolicy,
  type FilteredPolicy,
  type Forwarding,
  type HostServices,
  NEVER_TRANSLATED,
} from "../../core/policy/policy.ts";
import { type PolicyKind, policyName, zoneName } from "./object_name.ts";
import {
  ANY,
  type FirewalldObject,
  HOST,
  type PolicyEnd,
  type Zone,
  type ZonePolicy,
} from "./objects.ts";
import type { RichRule } from "./rich_rule.ts";

/** The zones of firewalld that a network has to do with. */
export interface ZonesOfNetwork {
  /**
   * `own`: a zone of ours, with this bridge and nothing else, so that the interface decides. `named`: one
   * of the administrator's, where other interfaces may be: there the addresses of guests decide.
   */
  readonly kind: "own" | "named";
  /** What firewalld calls it. */
  readonly name: string;
  /** The forward device by the zone that has it alone; absent: packets leave by any interface. */
  readonly device?: DeviceZone;
}

/** What firewalld knows of a forward device. */
export interface DeviceZone {
  /** Absent: none has it alone, so nothing can leave. */
  readonly zone?: string;
}

/** The order among ours; an administrator's policies have -1 unless they say otherwise. */
const PRIORITY = { first: -702, guard: -700, last: 700 } as const;

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

/** The zones and policies of a network, in an order in which each names only what stands before it. */
export function networkObjects(
  policy: FilteredPolicy,
  zones: ZonesOfNetwork,
): readonly FirewalldObject[] {
  const { bridge } = policy;
  const make: Make = (kind, shape, rules) => ({
    object: policyName(bridge, kind),
    ...shape,
    rules,
  });
  const objects = zones.kind === "own"
    ? [ownZone(policy, zones.name), ...ownPolicies(policy, zones, make)]
    : namedPolicies(policy, zones, make);
  return [...objects, ...translation(policy, zones, make)];
}

type Make = (
  kind: PolicyKind,
  shape: Pick<ZonePolicy, "priority" | "target" | "from" | "to">,
  rules: readonly RichRule[],
) => ZonePolicy;

function ownZone({ bridge, services }: FilteredPolicy, name: string): Zone {
  return {
    object: { ...zoneName(bridge), name },
    interface: bridge,
    services: serviceNames(services),
    protocols: ["icmp", "ipv6-icmp"],
  };
}

/** Names of services that come with firewalld. */
function serviceNames({ dhcp, dhcpv6, dns, tftp }: HostServices): readonly string[] {
  return [
    ...(dhcp ? ["dhcp"] : []),
    ...(dhcpv6 ? ["dhcpv6"] : []),
    ...(dns ? ["dns"] : []),
    ...(tftp ? ["tftp"] : []),
  ];
}

function ownPolicies(
  policy: FilteredPolicy,
  { name: zone, device }: ZonesOfNetwork,
  make: Make,
): readonly ZonePolicy[] {
  const within = { from: zone, to: zone };
  const lan = make("lan", { priority: PRIORITY.first, target: "ACCEPT", ...within }, []);
  const into = { from: ANY, to: zone };
  const outOf = { from: zone, to: ANY };
  const [out, back] = [accepts(policy, "source"), accepts(policy, "destination")];
  const everything = FAMILIES.map(rejectAll);
  if (device !== undefined) {
    const closed = { priority: PRIORITY.guard, target: "REJECT" } as const;
    const early = { priority: PRIORITY.first, target: "CONTINUE" } as const;
    return [
      lan,
      make("to", { ...closed, ...into }, everything),
      make("from", { ...closed, ...outOf }, everything),
      ...(device.zone === undefined ? [] : [
        ...some(make("out", { ...early, from: zone, to: device.zone }, out)),
        ...some(make("in", { ...early, from: device.zone, to: zone }, back)),
      ]),
    ];
  }
  const guard = { priority: PRIORITY.guard, target: "CONTINUE" } as const;
  const late = { priority: PRIORITY.last, target: "CONTINUE" } as const;
  const strangers = FAMILIES.flatMap((family) => rejectOthers(policy, family));
  return [
    lan,
    make("to", { ...guard, ...into }, strangers),
    out.length === 0
      ? make("from", { ...guard, ...outOf }, everything)
      : make("out", { ...late, ...outOf }, [...out, ...everything]),
    ...some(make("in", { ...late, priority: PRIORITY.last + 1, ...into }, back)),
  ];
}

function namedPolicies(
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
    ? [make("out", { ...rank(PRIORITY.last), ...outOf }, out)]
      .concat(make("in", { ...rank(PRIORITY.last + 1), ...into }, back))
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

/** A policy without rules that goes on with the next one says nothing. */
function some(policy: ZonePolicy): readonly ZonePolicy[] {
  return policy.rules.length === 0 && policy.target === "CONTINUE" ? [] : [policy];
}

/** Whether packets with that side in the network's subnets may pass at all. */
function isOpen({ direction }: Forwarding, side: "source" | "destination"): boolean {
  return side === "source" ? direction !== "none" : direction === "both";
}

function accepts(
  { families }: FilteredPolicy,
  side: "source" | "destination",
): readonly RichRule[] {
  return families.filter(({ forwarding }) => isOpen(forwarding, side))
    .flatMap(({ family, subnets }) =>
      subnets.map((subnet): RichRule => ({ family, [side]: { subnet }, action: "accept" }))
    );
}

/** Packets to what is not of this network; of a family that nobody may open connections in, all. */
function rejectOthers({ families }: FilteredPolicy, family: Family): readonly RichRule[] {
  const own = families.find((one) => one.family === family);
  if (own === undefined || own.forwarding.direction !== "both") return [rejectAll(family)];
  const [first, ...others] = own.subnets;
  if (first !== undefined && others.length === 0 && first.prefix > 0) {
    return [{ family, destination: { subnet: first, not: true }, action: "reject" }];
  }
  return allBut(family, own.subnets)
    .map((subnet): RichRule => ({ family, destination: { subnet }, action: "reject" }));
}

/** A rule without addresses needs a priority; accepts at 0 come before it. */
function rejectAll(family: Family): RichRule {
  return { family, priority: 1, action: "reject" };
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

/**
 * From any zone, because with iptables firewalld cannot know where a packet came from by then; what
 * leaves with such a source has been looked at by `from`. A device's zone is not that of the bridge; where
 * packets may leave anywhere, those that stay on the bridge are told by their destination.
 */
function translation(
  { families }: FilteredPolicy,
  { device }: ZonesOfNetwork,
  make: Make,
): readonly ZonePolicy[] {
  const to: PolicyEnd | undefined = device === undefined ? ANY : device.zone;
  if (to === undefined) return [];
  const rules = families.filter(isTranslated).flatMap((one) =>
    one.subnets.flatMap((source) => {
      const rule = {
        family: one.family,
        source: { subnet: source },
        action: "masquerade",
      } as const;
      return device === undefined
        ? beyond(one).map((subnet): RichRule => ({ ...rule, destination: { subnet } }))
        : [rule];
    })
  );
  return some(make("nat", { priority: PRIORITY.guard, target: "CONTINUE", from: ANY, to }, rules));
}

function isTranslated({ forwarding }: FamilyPolicy): boolean {
  return forwarding.direction !== "none" && forwarding.translation !== undefined;
}

function beyond({ family, subnets }: FamilyPolicy): readonly Subnet[] {
  const never = NEVER_TRANSLATED[family].flatMap((text) => parseSubnet(text) ?? []);
  return allBut(family, [...subnets, ...never]);
}

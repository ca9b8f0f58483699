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
import { allBut, type Family } from "../../core/address.ts";
import type { FamilyPolicy, FilteredPolicy, HostServices } from "../../core/policy/policy.ts";
import { withGuards } from "./guards.ts";
import { namedPolicies } from "./named_zone.ts";
import { policyName, zoneName } from "./object_name.ts";
import {
  ANY,
  type FirewalldObject,
  type PolicyEnd,
  type Zone,
  type ZonePolicy,
} from "./objects.ts";
import { accepts, beyond, FAMILIES, type Make, PRIORITY, rejectAll, some } from "./policy_parts.ts";
import { NOTHING_PUBLISHED, type PublishedAround, publishedPolicies } from "./published.ts";
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

/** The zones and policies of a network, in an order in which each names only what stands before it. */
export function networkObjects(
  policy: FilteredPolicy,
  zones: ZonesOfNetwork,
  published: PublishedAround = NOTHING_PUBLISHED,
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
  return [
    ...withGuards(objects, zones, published.guards),
    ...translation(policy, zones, make),
    ...publishedPolicies(policy, published, make),
  ];
}

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
    ...some(make("in", { ...late, priority: PRIORITY.lastIn, ...into }, back)),
  ];
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

/**
 * From any zone, because with iptables firewalld cannot know where a packet came from by then; what
 * leaves with such a source has been looked at by `out`. A device's zone is not that of the bridge; where
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
        ? beyond(one.family, one.subnets).map((subnet): RichRule => ({
          ...rule,
          destination: { subnet },
        }))
        : [rule];
    })
  );
  return some(make("nat", { priority: PRIORITY.guard, target: "CONTINUE", from: ANY, to }, rules));
}

function isTranslated({ forwarding }: FamilyPolicy): boolean {
  return forwarding.direction !== "none" && forwarding.translation !== undefined;
}

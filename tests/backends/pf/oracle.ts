/**
 * What must become of one packet on a FreeBSD host, by the policies of its networks. Rules of pf are
 * not looked at, and nothing that makes them is imported.
 */
import { rangeOf } from "../../../core/address.ts";
import type { FilteredPolicy, Forwarding } from "../../../core/policy/policy.ts";
import type { Packet } from "../../support/packets/packet.ts";
import { publishedPort, publishedVerdict } from "./oracle_published.ts";
import {
  type Entry,
  externalOf,
  ipv4Of,
  isDhcp,
  isForAll,
  isIn,
  isIpv6,
  isOfHost,
  isSame,
  linksOf,
  wayTo,
  type World,
} from "./oracle_world.ts";
import { arrives, DIFFERENCES, open, POLICY, stops, type Verdict } from "./verdicts.ts";

/** The verdict on a packet that is the first of its connection. */
export function verdictOf(world: World, entry: Entry, sent: Packet): Verdict {
  const asked = publishedPort(world, sent);
  const verdict = asked === undefined ? undefined : publishedVerdict(world, entry, sent, asked);
  return verdict ?? unpublished(world, entry, sent);
}

function unpublished(world: World, entry: Entry, sent: Packet): Verdict {
  switch (entry.kind) {
    case "guest":
      return fromGuest(world, entry.policy, sent);
    case "neighbour":
    case "copy for neighbour":
      return amongGuests(world, entry.policy, sent);
    case "copy for host":
      return toHost(world, entry.policy, sent, world.sees.members);
    case "uplink":
      return fromOutside(world, entry.name, sent);
    case "host":
      return fromHost(world, sent);
  }
}

function fromGuest(world: World, policy: FilteredPolicy, sent: Packet): Verdict {
  const to = wayTo(world, sent.destination);
  const isAllOfOthers = world.policies.some((other) =>
    other !== policy && linksOf(other).some((link) => isSame(rangeOf(link).end, sent.destination))
  );
  if (isAllOfOthers) return open(DIFFERENCES.directed);
  if (to === "host") return toHost(world, policy, sent, false);
  const own = ipv4Of(policy);
  if (own === undefined || isIpv6(sent)) {
    return poses(world, to, sent) ? open(DIFFERENCES.posing) : stops(POLICY.strangers);
  }
  if (!isIn(own, sent.source)) return stops(POLICY.foreign);
  if (to === policy.bridge) return arrives(to, POLICY.neighbours);
  if (isOfHost(own, sent.source)) return stops(POLICY.disguised);
  const { forwarding } = own;
  if (forwarding.direction === "none") return stops(POLICY.isolated);
  const other = world.policies.find(({ bridge }) => bridge === to);
  if (other === undefined) return toOutside(world, forwarding, to);
  if (forwarding.device !== undefined) return stops(POLICY.device);
  if (!letsIn(other, policy.bridge)) return stops(POLICY.parted);
  const isTranslated = forwarding.translation !== undefined;
  return arrives(to, isTranslated ? DIFFERENCES.untranslated : POLICY.crosses);
}

/** Whether it looks as if it came from a translated guest, on the interface where those leave. */
function poses(world: World, to: string, { source }: Packet): boolean {
  if (world.keepsStrangers) return false;
  return world.policies.some((other) => {
    const own = ipv4Of(other);
    const isTranslated = own !== undefined && own.forwarding.direction !== "none" &&
      own.forwarding.translation !== undefined;
    return isTranslated && isIn(own, source) && to === externalOf(world, other);
  });
}

function toOutside(
  { uplinks }: World,
  { device, translation }: Exclude<Forwarding, { readonly direction: "none" }>,
  to: string,
): Verdict {
  const [first] = uplinks;
  const isWay = to === (device ?? (translation === undefined ? to : first.name));
  if (!isWay) return stops(device === undefined ? DIFFERENCES.oneWay : POLICY.device);
  if (translation === undefined) return arrives(to, POLICY.routed);
  const { address } = uplinks.find(({ name }) => name === to) ?? first;
  const { addresses = { start: address, end: address }, ports } = translation;
  return { kind: "arrives", at: to, as: { addresses, ports }, because: POLICY.translated };
}

/** @param isOpen Whether a state that was made on a member may decide. */
function toHost(
  { seesLocal }: World,
  policy: FilteredPolicy,
  sent: Packet,
  isOpen: boolean,
): Verdict {
  const own = ipv4Of(policy);
  const isGuest = isIn(own, sent.source) && !isOfHost(own, sent.source);
  if (own !== undefined && isDhcp(sent)) return arrives("host", POLICY.dhcp);
  if (isOpen && !isGuest) return open(DIFFERENCES.members);
  if (!maySpeak(policy, sent)) return stops(POLICY.foreign);
  const isNear = own === undefined || isIn(own, sent.destination) || isForAll(sent);
  if (!isNear && isOfHost(own, sent.source)) return stops(POLICY.disguised);
  if (seesLocal && isOfHost(own, sent.source)) return open(DIFFERENCES.hostAddress);
  const isFar = own?.forwarding.direction === "none" && !isNear;
  return isFar ? stops(DIFFERENCES.isolatedHost) : arrives("host", POLICY.host);
}

function amongGuests(
  { sees, policies }: World,
  policy: FilteredPolicy,
  sent: Packet,
): Verdict {
  const at = "neighbour";
  if (!sees.bridges && !sees.members) return arrives(at, DIFFERENCES.unseen);
  const isOthers = policies.some((other) =>
    other !== policy &&
    [sent.source, sent.destination].some((end) => isIn(ipv4Of(other), end))
  );
  if (isOthers) return open(DIFFERENCES.taken);
  const own = ipv4Of(policy);
  const isKnown = own !== undefined && isIn(own, sent.source) &&
    (isIn(own, sent.destination) || isForAll(sent));
  const isGuests = isKnown && ![sent.source, sent.destination].some((end) => isOfHost(own, end));
  if (sees.members && !isGuests) return open(DIFFERENCES.members);
  if (isKnown) return arrives(at, POLICY.neighbours);
  if (own !== undefined && isDhcp(sent)) return arrives(at, POLICY.dhcp);
  const isStranger = (own === undefined || isIpv6(sent)) && maySpeak(policy, sent);
  return isStranger ? arrives(at, POLICY.strangers) : stops(DIFFERENCES.foreignNeighbour);
}

function fromOutside(world: World, by: string, { source, destination }: Packet): Verdict {
  const to = wayTo(world, destination);
  const policy = world.policies.find(({ bridge }) => bridge === to);
  if (policy === undefined) return open(DIFFERENCES.others);
  const owner = world.policies.find((one) => isIn(ipv4Of(one), source));
  if (owner !== undefined && by === externalOf(world, owner)) return stops(POLICY.spoofed);
  if (owner !== undefined && owner !== policy) return open(DIFFERENCES.secondUplink);
  if (owner === policy) {
    const isLeft = isOfHost(ipv4Of(policy), source);
    return isLeft ? open(DIFFERENCES.hostAddress) : stops(POLICY.spoofed);
  }
  return letsIn(policy, by) ? arrives(to, POLICY.entered) : stops(POLICY.unasked);
}

function fromHost(world: World, { source, destination }: Packet): Verdict {
  const to = wayTo(world, destination);
  const policy = world.policies.find(({ bridge }) => bridge === to);
  const own = policy === undefined ? undefined : ipv4Of(policy);
  if (own === undefined) return open(DIFFERENCES.others);
  if (isIn(own, source)) return arrives(to, POLICY.reached);
  const isRouted = own.forwarding.direction === "both";
  return isRouted ? arrives(to, POLICY.entered) : stops(DIFFERENCES.hostElsewhere);
}

/** Whether others open connections to the guests, coming by that interface. */
function letsIn(policy: FilteredPolicy, by: string): boolean {
  const forwarding = ipv4Of(policy)?.forwarding;
  return forwarding?.direction === "both" && (forwarding.device ?? by) === by;
}

/** Whether the source is one that guests of the bridge have. */
function maySpeak(policy: FilteredPolicy, sent: Packet): boolean {
  if (isIpv6(sent)) return policy.guestsOverIpv6;
  const own = ipv4Of(policy);
  return own === undefined || isIn(own, sent.source);
}

/**
 * What must become of one packet on a FreeBSD host: what the policies of its networks say, but for what pf
 * does otherwise or leaves to others. Rules of pf are not looked at, and nothing that makes them is
 * imported.
 */
import { rangeOf } from "../../../core/address.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { verdictOf as policyVerdict } from "../../support/packets/decide.ts";
import type { Packet } from "../../support/packets/packet.ts";
import { publishedPort } from "../../support/packets/published.ts";
import { POLICY, type Verdict } from "../../support/packets/verdict.ts";
import {
  HOST,
  isForEverybody,
  isHostsOn,
  isIn,
  isSame,
  linksOf,
  wayTo,
} from "../../support/packets/world.ts";
import { publishedVerdict, spoofedVerdict } from "./oracle_published.ts";
import {
  type Entry,
  externalOf,
  ipv4Of,
  isDhcp,
  isIpv6,
  ownerOf,
  type World,
} from "./oracle_world.ts";
import { arrives, DIFFERENCES, open, stops } from "./verdicts.ts";

/** The verdict on a packet that is the first of its connection. */
export function verdictOf(world: World, entry: Entry, sent: Packet): Verdict {
  const asked = publishedPort(world, sent);
  const verdict = asked === undefined ? undefined : publishedVerdict(world, entry, sent, asked);
  return verdict ?? unpublished(world, entry, sent);
}

function unpublished(world: World, entry: Entry, sent: Packet): Verdict {
  switch (entry.kind) {
    case "guest":
      return guestDifference(world, entry.policy, sent) ?? policyVerdict(world, entry, sent);
    case "neighbour":
    case "copy for neighbour":
      return amongGuests(world, entry.policy, sent);
    case "copy for host":
      return toHost(world, entry.policy, sent, world.sees.members);
    case "uplink":
      return outsideDifference(world, entry.name, sent) ?? policyVerdict(world, entry, sent);
    case "host":
      return hostDifference(world, sent) ?? policyVerdict(world, entry, sent);
  }
}

function guestDifference(world: World, policy: FilteredPolicy, sent: Packet): Verdict | undefined {
  const to = wayTo(world, sent.destination);
  const isAllOfOthers = world.policies.some((other) =>
    other !== policy && linksOf(other).some((link) => isSame(rangeOf(link).end, sent.destination))
  );
  if (isAllOfOthers) return open(DIFFERENCES.directed);
  if (to === HOST) return toHost(world, policy, sent, false);
  const own = ipv4Of(policy);
  if (own === undefined || isIpv6(sent)) {
    return poses(world, to, sent) ? open(DIFFERENCES.posing) : undefined;
  }
  if (!isIn(policy, sent.source)) return stops(POLICY.foreign);
  if (to === policy.bridge) return undefined;
  if (isHostsOn(policy, sent.source)) return stops(DIFFERENCES.disguised);
  const { forwarding } = own;
  if (forwarding.direction === "none" || forwarding.translation === undefined) return undefined;
  if (forwarding.device !== undefined) return undefined;
  const other = world.policies.find(({ bridge }) => bridge === to);
  if (other === undefined) {
    return to === world.uplinks[0].name ? undefined : stops(DIFFERENCES.oneWay);
  }
  const verdict = policyVerdict(world, { kind: "guest", policy }, sent);
  return verdict.kind === "arrives" ? arrives(to, DIFFERENCES.untranslated) : undefined;
}

/** Whether it looks as if it came from a translated guest, on the interface where those leave. */
function poses(world: World, to: string, { source }: Packet): boolean {
  if (world.keepsStrangers) return false;
  const owner = ownerOf(world, source);
  const forwarding = owner === undefined ? undefined : ipv4Of(owner)?.forwarding;
  return owner !== undefined && forwarding !== undefined && forwarding.direction !== "none" &&
    forwarding.translation !== undefined && to === externalOf(world, owner);
}

/** @param isOpen Whether a state that was made on a member may decide. */
function toHost(
  world: World,
  policy: FilteredPolicy,
  sent: Packet,
  isOpen: boolean,
): Verdict {
  const own = ipv4Of(policy);
  const isHosts = isHostsOn(policy, sent.source);
  if (own !== undefined && isDhcp(sent)) return arrives(HOST, DIFFERENCES.dhcp);
  if (isOpen && (isHosts || !isIn(policy, sent.source))) return open(DIFFERENCES.members);
  if (!maySpeak(policy, sent)) return stops(POLICY.foreign);
  const { destination } = sent;
  const isNear = own === undefined || isIn(policy, destination) || isForEverybody(destination);
  if (!isNear && isHosts) return stops(DIFFERENCES.disguised);
  if (world.seesLocal && isHosts) return open(DIFFERENCES.hostAddress);
  const isFar = own?.forwarding.direction === "none" && !isNear;
  return isFar ? stops(DIFFERENCES.isolatedHost) : arrives(HOST, POLICY.host);
}

function amongGuests(world: World, policy: FilteredPolicy, sent: Packet): Verdict {
  const { sees } = world;
  const at = "neighbour";
  if (!sees.bridges && !sees.members) return arrives(at, DIFFERENCES.unseen);
  const { source, destination } = sent;
  const isOthers = [source, destination].map((end) => ownerOf(world, end))
    .some((owner) => owner !== undefined && owner !== policy);
  if (isOthers) return open(DIFFERENCES.taken);
  const isKnown = isIn(policy, source) &&
    (isIn(policy, destination) || isForEverybody(destination));
  const isGuests = isKnown && ![source, destination].some((end) => isHostsOn(policy, end));
  if (sees.members && !isGuests) return open(DIFFERENCES.members);
  if (isKnown) return arrives(at, POLICY.neighbours);
  const own = ipv4Of(policy);
  if (own !== undefined && isDhcp(sent)) return arrives(at, DIFFERENCES.dhcp);
  const isStranger = (own === undefined || isIpv6(sent)) && maySpeak(policy, sent);
  return isStranger ? arrives(at, POLICY.neighbours) : stops(DIFFERENCES.foreignNeighbour);
}

function outsideDifference(world: World, by: string, sent: Packet): Verdict | undefined {
  const to = wayTo(world, sent.destination);
  const policy = world.policies.find(({ bridge }) => bridge === to);
  return policy === undefined ? open(DIFFERENCES.others) : spoofedVerdict(world, by, policy, sent);
}

function hostDifference(world: World, { source, destination }: Packet): Verdict | undefined {
  const to = wayTo(world, destination);
  const policy = world.policies.find(({ bridge }) => bridge === to);
  const own = policy === undefined ? undefined : ipv4Of(policy);
  if (policy === undefined || own === undefined) return open(DIFFERENCES.others);
  if (isIn(policy, source)) return undefined;
  const isRouted = own.forwarding.direction === "both";
  // Another network's translation is on the interface where its guests leave.
  return isRouted ? arrives(to, POLICY.reached) : stops(DIFFERENCES.hostElsewhere);
}

/** Whether the source is one that guests of the bridge have. */
function maySpeak(policy: FilteredPolicy, sent: Packet): boolean {
  if (isIpv6(sent)) return policy.guestsOverIpv6;
  return ipv4Of(policy) === undefined || isIn(policy, sent.source);
}

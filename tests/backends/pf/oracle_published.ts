/** What must become of packets to published ports where pf redirects them. */
import { contains, type IpAddress } from "../../../core/address.ts";
import { isLoopback } from "../../../core/network/published_port.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { verdictOf as policyVerdict } from "../../support/packets/decide.ts";
import type { Packet } from "../../support/packets/packet.ts";
import type { Asked } from "../../support/packets/published.ts";
import { POLICY, type Translated, type Verdict } from "../../support/packets/verdict.ts";
import { isHostsOn, isIn, linksOf } from "../../support/packets/world.ts";
import { type Entry, externalOf, ipv4Of, ownerOf, type World } from "./oracle_world.ts";
import { DIFFERENCES, open, stops } from "./verdicts.ts";

/** The verdict on a packet that asks for it; undefined: as if nothing were published. */
export function publishedVerdict(
  world: World,
  entry: Entry,
  sent: Packet,
  { policy, to }: Asked,
): Verdict | undefined {
  const leads = { kind: "arrives", at: policy.bridge, to, because: POLICY.published } as const;
  const returns = { ...leads, ...hostOf(policy, to.address), because: POLICY.returned };
  switch (entry.kind) {
    case "guest": {
      const stopped = asGuest(entry.policy, sent);
      if (stopped !== undefined) return stopped;
      if (entry.policy === policy) return returns;
      // Other networks of ours see the guests of a nat network as they are.
      const verdict = policyVerdict(world, entry, sent);
      return verdict.kind === "arrives" ? leads : verdict;
    }
    case "uplink":
      return spoofedVerdict(world, entry.name, policy, sent) ??
        policyVerdict(world, entry, sent);
    case "host":
      if (!world.seesLocal || !world.hostTalks) return open(DIFFERENCES.hostAsks);
      return isLoopback(sent.source) ? returns : leads;
    case "neighbour":
    case "copy for neighbour":
    case "copy for host": {
      const isSeen = world.sees.bridges || world.sees.members;
      return isSeen ? open(DIFFERENCES.misdirected) : undefined;
    }
  }
}

/** The source of what goes back to the bridge that it came from. */
function hostOf(policy: FilteredPolicy, guest: IpAddress): { readonly as?: Translated } {
  const hosts = ipv4Of(policy)?.hostAddresses ?? [];
  const link = linksOf(policy).find((one) => contains(one, guest));
  const host = hosts.find((one) => link !== undefined && contains(link, one)) ?? hosts[0];
  if (host === undefined) return {};
  return { as: { addresses: [{ start: host, end: host }], ports: { start: 50001, end: 65535 } } };
}

function asGuest(policy: FilteredPolicy, sent: Packet): Verdict | undefined {
  if (ipv4Of(policy) === undefined) return stops(POLICY.strangers);
  if (!isIn(policy, sent.source)) return stops(POLICY.foreign);
  return isHostsOn(policy, sent.source) ? stops(DIFFERENCES.disguised) : undefined;
}

/** The verdict on who comes from outside to guests of a network with the address of one; undefined: it is not. */
export function spoofedVerdict(
  world: World,
  by: string,
  policy: FilteredPolicy,
  { source }: Packet,
): Verdict | undefined {
  const owner = ownerOf(world, source);
  if (owner === undefined) return undefined;
  if (by === externalOf(world, owner)) return stops(DIFFERENCES.spoofed);
  if (owner !== policy) return open(DIFFERENCES.secondUplink);
  return isHostsOn(policy, source) ? open(DIFFERENCES.hostAddress) : stops(DIFFERENCES.spoofed);
}

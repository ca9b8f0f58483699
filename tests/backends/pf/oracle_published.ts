/** What must become of packets to published ports. */
import { contains, type IpAddress } from "../../../core/address.ts";
import { isLoopback, listeners, type PublishedPort } from "../../../core/network/published_port.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { type Packet, PROTOCOLS } from "../../support/packets/packet.ts";
import {
  type Entry,
  externalOf,
  ipv4Of,
  isIn,
  isOfHost,
  isSame,
  linksOf,
  type World,
} from "./oracle_world.ts";
import { DIFFERENCES, open, POLICY, stops, type Translated, type Verdict } from "./verdicts.ts";

/** A published port, and whose it is. */
export interface Asked {
  readonly policy: FilteredPolicy;
  readonly port: PublishedPort;
}

/** What the packet asks for at an address of the host. */
export function publishedPort(world: World, sent: Packet): Asked | undefined {
  const { destination: to, destinationPort, protocol } = sent;
  const isHosts = isLoopback(to) || world.uplinks.some(({ address }) => isSame(address, to)) ||
    world.policies.some((policy) => isOfHost(ipv4Of(policy), to));
  if (!isHosts) return undefined;
  return world.policies.flatMap((policy) =>
    (ipv4Of(policy)?.published ?? []).map((port) => ({ policy, port }))
  ).find(({ port }) =>
    protocol === PROTOCOLS[port.protocol] &&
    port.ports.start <= destinationPort && destinationPort <= port.ports.end &&
    listeners(port).some((one) => one === "any" ? !isLoopback(to) : isSame(one, to))
  );
}

/** The verdict on a packet that asks for it; undefined: as if nothing were published. */
export function publishedVerdict(
  world: World,
  entry: Entry,
  sent: Packet,
  { policy, port }: Asked,
): Verdict | undefined {
  const to = {
    address: port.guest,
    port: port.guestPorts.start + sent.destinationPort - port.ports.start,
  };
  const leads = { kind: "arrives", at: policy.bridge, to, because: POLICY.published } as const;
  const returns = { ...leads, ...hostOf(policy, port.guest), because: POLICY.returned };
  switch (entry.kind) {
    case "guest":
      return asGuest(entry.policy, sent) ??
        (entry.policy === policy ? returns : asNetwork(entry.policy) ?? leads);
    case "uplink":
      return asOutside(world, entry.name, policy, sent) ?? leads;
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
  return { as: { addresses: { start: host, end: host }, ports: { start: 50001, end: 65535 } } };
}

function asGuest(policy: FilteredPolicy, sent: Packet): Verdict | undefined {
  const own = ipv4Of(policy);
  if (own === undefined) return stops(POLICY.strangers);
  if (!isIn(own, sent.source)) return stops(POLICY.foreign);
  return isOfHost(own, sent.source) ? stops(POLICY.disguised) : undefined;
}

/** Whether a network lets its guests go to another one. */
function asNetwork(policy: FilteredPolicy): Verdict | undefined {
  const forwarding = ipv4Of(policy)?.forwarding;
  if (forwarding === undefined || forwarding.direction === "none") return stops(POLICY.isolated);
  return forwarding.device === undefined ? undefined : stops(POLICY.device);
}

function asOutside(
  world: World,
  by: string,
  policy: FilteredPolicy,
  { source }: Packet,
): Verdict | undefined {
  const owner = world.policies.find((one) => isIn(ipv4Of(one), source));
  if (owner === undefined) return undefined;
  if (by === externalOf(world, owner)) return stops(POLICY.spoofed);
  if (owner !== policy) return open(DIFFERENCES.secondUplink);
  return isOfHost(ipv4Of(policy), source) ? open(DIFFERENCES.hostAddress) : stops(POLICY.spoofed);
}

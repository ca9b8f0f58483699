/**
 * Published ports → policies of firewalld.
 *
 * A port that is forwarded to another address has to be so on the way from anywhere to anywhere (`port`;
 * for packets of the host itself `own`), and firewalld then takes it from all that passes: so each rule is
 * for one address of the host. What is translated firewalld lets through before it asks any policy, so the
 * rejections of networks do not meet it, and nothing has to accept it.
 */
import {
  bitsOf,
  type Family,
  type IpAddress,
  parseAddress,
  type Subnet,
} from "../../core/address.ts";
import {
  formatListener,
  listeners,
  type PublishedPort,
} from "../../core/network/published_port.ts";
import type { FamilyPolicy, FilteredPolicy } from "../../core/policy/policy.ts";
import { distinct } from "./host_addresses.ts";
import { ANY, HOST, type ZonePolicy } from "./objects.ts";
import { type Make, PRIORITY, some } from "./policy_parts.ts";
import { type RichRule, richRuleElement } from "./rich_rule.ts";

/** A published port at one address of the host. */
export interface Listening {
  /** What is published. */
  readonly published: PublishedPort;
  /** Where, of the addresses that it is published on. */
  readonly address: IpAddress;
}

/** The policies that are about ports of the host which lead to guests, and nothing else. */
export const PUBLISHED_KINDS = ["port", "own"] as const;

/** What published ports, its own and those of others, have to do with a network. */
export interface PublishedAround {
  /** Where ports of the host lead to its guests. */
  readonly listening: readonly Listening[];
  /** What keeps its guests from ports of others (`guards.ts`). */
  readonly guards: readonly RichRule[];
  /** What keeps guests of others from its ports. */
  readonly shields: readonly RichRule[];
}

/** Nobody publishes anything. */
export const NOTHING_PUBLISHED: PublishedAround = { listening: [], guards: [], shields: [] };

/** `192.0.2.1:8080/tcp` */
export function formatListening({ published, address }: Listening): string {
  return formatListener({ ...published, hostAddress: address });
}

/** All ports that the network publishes. */
export function publishedOf({ families }: FilteredPolicy): readonly PublishedPort[] {
  return families.flatMap(({ published }) => published);
}

/**
 * Where the network's ports are to lead to guests. One that is published on an address that the host does
 * not have leads nowhere there: firewalld would take it from what is routed to whoever has that address.
 *
 * @param addresses Those of the host.
 */
export function listeningAt(
  policy: FilteredPolicy,
  addresses: readonly IpAddress[],
): readonly Listening[] {
  return publishedOf(policy).flatMap((published) => {
    const wanted = listeners(published);
    return addresses.filter((address) =>
      address.family === published.guest.family &&
      wanted.some((one) => one === "any" || one.value === address.value)
    ).map((address) => ({ published, address }));
  });
}

/** Where ports lead to guests by the file that holds them; some of its rules may have been changed. */
export function listeningIn(policy: FilteredPolicy, file: string): readonly Listening[] {
  const lines = new Set(file.split("\n").map((line) => line.trim()));
  const named = [...file.matchAll(/<destination address="([^"/]+)\/\d+"\/><forward-port /g)]
    .flatMap(([, text = ""]) => parseAddress(text) ?? []);
  return listeningAt(policy, distinct(named))
    .filter((one) => forwardRules(one).some((rule) => lines.has(richRuleElement(rule))));
}

/** What sends the packets of a published port to its guest: firewalld cannot move a range by a difference. */
export function forwardRules({ published, address }: Listening): readonly RichRule[] {
  const { protocol, ports, guest, guestPorts } = published;
  const rule = { family: guest.family, destination: { subnet: alone(address) } } as const;
  if (ports.start === guestPorts.start) {
    return [{ ...rule, action: { protocol, ports, to: guest } }];
  }
  return Array.from({ length: ports.end - ports.start + 1 }, (_, index): RichRule => {
    const [port, toPort] = [ports.start + index, guestPorts.start + index];
    return { ...rule, action: { protocol, ports: { start: port, end: port }, to: guest, toPort } };
  });
}

/** The address as a subnet. */
export function alone(address: IpAddress): Subnet {
  return { ...address, prefix: bitsOf(address.family) };
}

/** The policies of published ports; none for a network that publishes nothing. */
export function publishedPolicies(
  { families }: FilteredPolicy,
  { listening, shields }: PublishedAround,
  make: Make,
): readonly ZonePolicy[] {
  const forwards = listening.flatMap(forwardRules);
  const back = families.flatMap((one) => hairpins(one, listening));
  const rank = { priority: PRIORITY.published, target: "CONTINUE" } as const;
  return [
    make("port", { ...rank, from: ANY, to: ANY }, [...shields, ...forwards, ...back]),
    make("own", { ...rank, from: HOST, to: ANY }, forwards),
  ].flatMap(some);
}

/**
 * A neighbour would answer a guest directly, and be understood by nobody: so what comes back to the bridge
 * gets the address of the host there. firewalld cannot ask whether a packet was translated on its way in: so
 * does what guests send each other, where the host sees it at all (`published_limits.ts` says so).
 */
function hairpins(
  { family, subnets }: FamilyPolicy,
  listening: readonly Listening[],
): readonly RichRule[] {
  return guestsOf(listening, family).flatMap((guest) =>
    subnets.map((subnet): RichRule => ({
      family,
      source: { subnet },
      destination: { subnet: alone(guest) },
      action: "masquerade",
    }))
  );
}

function guestsOf(listening: readonly Listening[], family: Family): readonly IpAddress[] {
  return distinct(
    listening.map(({ published: { guest } }) => guest).filter((guest) => guest.family === family),
  );
}

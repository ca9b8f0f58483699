/** Definitions → everything that is needed to bring the networks up. Pure. */
import type { XmlElement } from "@std/xml";
import { formatAddress } from "../address.ts";
import type { Step } from "../change/change.ts";
import { forwardingKey, forwardingSteps, missingForwarding } from "../change/forwarding.ts";
import type { Entering } from "../change/operation.ts";
import type { Answers, Facts, FirewallBackend, WantedNetwork } from "../firewall_backend.ts";
import type { FactsWanted, HostFacts } from "../host.ts";
import { makesBridge, type Network } from "../network/network.ts";
import { keepRuntimePorts } from "../network/runtime_ports.ts";
import { checkNetworkCollisions, checkRouteCollisions } from "../policy/check_collisions.ts";
import { checkPublishedCollisions } from "../policy/check_published.ts";
import { isEverything, subnetsOf } from "../network/subnets.ts";
import { ownPortWarnings } from "../policy/own_ports.ts";
import { derivePolicy, type PlacedNetwork } from "../policy/derive_policy.ts";
import { hasFixedName, placeNetworks } from "../policy/place_networks.ts";
import { isMasquerade, overlapWarnings, recordedPrefixes } from "../policy/masquerade.ts";
import type { CompiledPolicy, NetworkPolicy, Policy } from "../policy/policy.ts";
import { quoted } from "../quoted.ts";
import type { Installation, Record } from "../record/record.ts";
import { publishing, recordedNetworks } from "./recorded_networks.ts";

/** What is known before anything is decided. */
export interface Situation {
  /** The one that compiles the policies of all these networks. */
  readonly backend: FirewallBackend;
  /** At least what {@linkcode factsFor} says for these networks. */
  readonly facts: HostFacts;
  /** To the questions of the backend. */
  readonly answers: Answers;
  /** Those of all active networks, the ones about to be replaced included. */
  readonly records: readonly Record[];
  /** False leaves the kernel's forwarding settings alone. */
  readonly sysctl: boolean;
}

/** All that there is to know. */
export const ALL_FACTS: FactsWanted = {
  interfaces: true,
  clsact: true,
  forwarding: true,
  routes: ["ipv4", "ipv6"],
};

/** For work that the records alone decide: nothing is asked. */
export const NO_FACTS: FactsWanted = {
  interfaces: false,
  clsact: false,
  forwarding: false,
  routes: [],
};

/** The facts that decide whether and how these networks come up. */
export function factsFor(networks: readonly Network[]): FactsWanted {
  const owned = networks.filter(({ forward }) => makesBridge(forward.mode));
  const addresses = owned.flatMap((network) => network.addresses);
  const serving = addresses.some(({ address, dhcp }) => dhcp && address.family === "ipv4");
  const families = ["ipv4", "ipv6"] as const;
  return {
    interfaces: serving || owned.some(({ bridge }) => !hasFixedName(bridge)),
    clsact: serving,
    // An isolated network may be given ports, now or by `publish` before.
    forwarding: owned.length > 0,
    routes: families.filter((family) => addresses.some(({ address }) => address.family === family)),
  };
}

/** What a backend may have to ask about the network beforehand. */
export function wantedNetwork({ name, bridge, published }: Network): WantedNetwork {
  const publishes = [...new Set(published.map(({ guest }) => guest.family))];
  return {
    name,
    ...(publishes.length === 0 ? {} : { publishes }),
    ...(bridge.name !== undefined && hasFixedName(bridge) ? { bridge: bridge.name } : {}),
    ...(bridge.zone === undefined ? {} : { zone: bridge.zone }),
  };
}

/** Networks that are ready to be brought up. */
export interface Prepared {
  /** One for each network, in the order given. */
  readonly policies: readonly NetworkPolicy[];
  /** The networks that get a record: all but the bridged ones. */
  readonly entering: readonly Entering[];
  /** Networks that had rules and, by their new definition, get none from any host firewall. */
  readonly leaving: readonly string[];
  /** Forwarding to switch on; empty when it is on, or to be left alone. */
  readonly settings: readonly Step[];
  /** What the user should know although nothing is refused. */
  readonly warnings: readonly string[];
  /** True when what stands is not what was recorded. */
  readonly drifted: boolean;
}

/**
 * Everything that can refuse a network is asked here, before anything is changed.
 *
 * @throws {HostError} When a network collides with another one or with the host.
 * @throws {UnsupportedNetworkError} When the backend cannot express a network.
 */
export function prepareNetworks(networks: readonly Network[], situation: Situation): Prepared {
  const { facts, records, sysctl } = situation;
  const names = new Set(networks.map(({ name }) => name));
  const known = recordedNetworks(records);
  const kept = networks.map((network) =>
    keepRuntimePorts(network, known.get(network.name)?.network)
  );
  const placed = placeNetworks(networks, {
    interfaces: facts.interfaces,
    active: new Map([...known].map(([name, { bridge }]) => [name, bridge])),
  }).map((one, index) => publishing(one, kept[index]?.published ?? []));
  const staying = [...known].filter(([name]) => !names.has(name)).map(([, network]) => network);
  checkNetworkCollisions(placed, staying);
  checkPublishedCollisions(placed, staying);
  for (const one of placed) {
    const before = known.get(one.network.name)?.network;
    checkRouteCollisions(one, facts.routes, before === undefined ? [] : subnetsOf(before));
  }
  const policies = placed.map(derivePolicy);
  const wanted = placed.map(({ network }) => network.source);
  const prefixes = records.filter(isMasquerade).flatMap(recordedPrefixes);
  const { entering, warnings, drifted } = compilePolicies(wanted, policies, situation);
  return {
    policies,
    entering,
    leaving: policies.filter(({ kind, network }) => kind === "bridged" && known.has(network))
      .map(({ network }) => network),
    settings: sysctl ? forwardingSteps(policies, facts) : [],
    drifted,
    warnings: [
      ...warnings,
      ...placed.flatMap(routeWarnings),
      ...placed.flatMap(({ network }) => ownPortWarnings(network.name, network.published)),
      ...placed.flatMap(({ network }) => overlapWarnings(prefixes, network)),
      ...kept.flatMap((one) => one.warnings),
      ...(sysctl ? [] : forwardingWarnings(policies, facts)),
    ],
  };
}

function routeWarnings({ network }: PlacedNetwork): readonly string[] {
  return network.routes.filter(({ destination }) => isEverything(destination)).map((route) =>
    `The route of network ${quoted(network.name)} to everything through ` +
    `${formatAddress(route.gateway)} changes no rule: only its subnets are its guests`
  );
}

/** What is not forwarded although it should be, where the settings are left alone. */
export function forwardingWarnings(
  policies: readonly Policy[],
  facts: HostFacts,
): readonly string[] {
  return missingForwarding(policies, facts).map((family) =>
    `${forwardingKey(facts.platform, family)} is 0, so nothing is forwarded until it is switched on`
  );
}

/** What a backend compiles in: the situation, but for what the host's own settings are. */
export interface Compiling extends Omit<Situation, "sysctl"> {
  /** Absent: what is on record. */
  readonly standing?: readonly Installation[];
  /** Networks that come as they were; the others come as the host is now. */
  readonly again?: ReadonlyMap<string, Installation>;
  /** Policies that are true now, of networks that could be adjusted. */
  readonly before?: Facts["before"];
}

/**
 * Policies, and what becomes of them.
 *
 * @param definitions What the record of each policy will hold, in the same order.
 */
export function compilePolicies(
  definitions: readonly XmlElement[],
  policies: readonly Policy[],
  { backend, facts, answers, records, standing = records, again = new Map(), before = new Map() }:
    Compiling,
): Pick<Prepared, "entering" | "warnings" | "drifted"> {
  const compiled = policies.filter(isCompiled);
  const change = backend.compile(compiled, {
    host: facts,
    records,
    standing,
    answers,
    again,
    before,
  });
  const changes = new Map(change.networks.map((one) => [one.network, one]));
  const entering = definitions.flatMap((network, index): readonly Entering[] => {
    const policy = policies[index];
    if (policy === undefined || policy.kind === "bridged") return [];
    const one = changes.get(policy.network);
    const installation: Installation = one === undefined
      ? { network, removal: [] }
      : { network, backend: backend.name, removal: one.removal };
    const { adjustment } = one ?? {};
    return [{
      name: policy.network,
      installation,
      get steps() {
        return one?.install ?? [];
      },
      ...(adjustment === undefined ? {} : { adjustment }),
    }];
  });
  return {
    entering,
    warnings: change.networks.flatMap((one) => one.warnings),
    drifted: change.drifted === true,
  };
}

/** Whether there are rules for it. */
export function isCompiled(policy: Policy): policy is CompiledPolicy {
  return policy.kind === "filtered" || policy.kind === "masquerade";
}

/** Networks that stand, and where their bridges were before we took them, as their records tell it. */
import { commandsOf } from "../../core/change/change.ts";
import type { Facts } from "../../core/firewall_backend.ts";
import { networkFromElement } from "../../core/network/parse_network.ts";
import { derivePolicy } from "../../core/policy/derive_policy.ts";
import { type FilteredPolicy, isFiltered, type NetworkPolicy } from "../../core/policy/policy.ts";
import type { Installation } from "../../core/record/record.ts";
import { type Zoning, zoningAfter } from "./zone_of_interface.ts";

/**
 * Networks that stand. By now their bridges are where we put them, which tells nothing of where they were;
 * but a removal holds what puts them back, and so it goes from record to record.
 */
export interface StandingNetworks {
  /** Where its bridge was; undefined for one that does not stand, or whose bridge nobody put into a zone. */
  zoningOf(policy: FilteredPolicy): Zoning | undefined;
  /** The backend that holds the network; undefined when none does. */
  backendOf(policy: FilteredPolicy): string | undefined;
  /** The bridges that a backend holds. */
  bridgesOf(backend: string): readonly string[];
  /** What stands of the network; undefined when nothing does, or nothing that is filtered. */
  policyOf(policy: FilteredPolicy): FilteredPolicy | undefined;
  /** The networks with rules that a backend holds, as they stand. */
  policiesOf(backend: string): readonly FilteredPolicy[];
}

/** Reads the records once, for all networks. */
export function standingNetworks({ records, again }: Facts): StandingNetworks {
  const installations = [...records, ...again?.values() ?? []].filter(isNetwork);
  const known = new Map(installations.map(standingOf));
  return {
    zoningOf: ({ network, bridge }) => {
      const before = known.get(network);
      return before?.bridge === bridge ? before.zoning : undefined;
    },
    backendOf: ({ network }) => known.get(network)?.backend,
    bridgesOf: (backend) =>
      [...known.values()].flatMap((one) => one.backend === backend ? one.bridge ?? [] : []),
    policyOf: ({ network }) => {
      const policy = known.get(network)?.policy;
      return policy?.kind === "filtered" ? policy : undefined;
    },
    policiesOf: (backend) =>
      [...known.values()].filter((one) => one.backend === backend).map(({ policy }) => policy)
        .filter(isFiltered),
  };
}

/** Prefixes of no network have no bridge. */
function isNetwork({ network }: Installation): boolean {
  return network.name.raw !== "masquerade";
}

/** Whether networks are made again as they were: what stood is put back whatever the host says. */
export function isPuttingBack({ again }: Pick<Facts, "again">): boolean {
  return again !== undefined && again.size > 0;
}

interface Standing {
  readonly bridge: string | undefined;
  readonly zoning: Zoning | undefined;
  readonly backend: string | undefined;
  readonly policy: NetworkPolicy;
}

function standingOf(installation: Installation): readonly [string, Standing] {
  const { backend } = installation;
  const network = networkFromElement(installation.network, "record");
  const { name, bridge } = network;
  const zoning = zoningAfter(commandsOf([installation]));
  // In a zone of ours that goes, a bridge that was in none has nowhere to be put back.
  const isKnown = zoning !== undefined || backend === "firewalld";
  return [name, {
    bridge: bridge.name,
    zoning: isKnown ? zoning ?? {} : undefined,
    backend,
    policy: derivePolicy({ network, bridge: bridge.name ?? "" }),
  }];
}

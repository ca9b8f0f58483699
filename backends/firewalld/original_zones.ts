/** Where bridges were before we took them, as it is told by the removals on record. */
import { commandsOf } from "../../core/change/change.ts";
import type { Facts } from "../../core/firewall_backend.ts";
import { networkFromElement } from "../../core/network/parse_network.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
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
}

/** Reads the records once, for all networks. */
export function standingNetworks({ records, again }: Facts): StandingNetworks {
  const known = new Map([...records, ...again?.values() ?? []].map(standingOf));
  return {
    zoningOf: ({ network, bridge }) => {
      const before = known.get(network);
      return before?.bridge === bridge ? before.zoning : undefined;
    },
    backendOf: ({ network }) => known.get(network)?.backend,
    bridgesOf: (backend) =>
      [...known.values()].flatMap((one) => one.backend === backend ? one.bridge ?? [] : []),
  };
}

/** Whether networks are made again as they were: what stood is put back whatever the host says. */
export function isPuttingBack({ again }: Pick<Facts, "again">): boolean {
  return again !== undefined && again.size > 0;
}

interface Standing {
  readonly bridge: string | undefined;
  readonly zoning: Zoning | undefined;
  readonly backend: string | undefined;
}

function standingOf(installation: Installation): readonly [string, Standing] {
  const { network, backend } = installation;
  const { name, bridge } = networkFromElement(network, "record");
  const zoning = zoningAfter(commandsOf([installation]));
  // In a zone of ours that goes, a bridge that was in none has nowhere to be put back.
  const isKnown = zoning !== undefined || backend === "firewalld";
  return [name, { bridge: bridge.name, zoning: isKnown ? zoning ?? {} : undefined, backend }];
}

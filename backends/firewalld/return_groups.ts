/** Where bridges go back to, as it was recorded when they were first taken. */
import type { RemovalGroup } from "../../core/change/change.ts";
import type { Facts } from "../../core/firewall_backend.ts";
import { networkFromElement } from "../../core/network/parse_network.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import type { Installation } from "../../core/record/record.ts";
import { isReturn } from "./zone_of_interface.ts";

/**
 * What a network that stands does with its bridge when it goes. By now the bridge is where we put it, which
 * tells nothing of where it was; so what was recorded at first is kept from record to record.
 */
export interface Returns {
  /** Undefined for a network that does not stand, or stands with another bridge or zone. */
  of(policy: FilteredPolicy): readonly RemovalGroup[] | undefined;
  /** The backend that holds the network; undefined when none does. */
  backendOf(policy: FilteredPolicy): string | undefined;
}

/** Reads the records once, for all networks. */
export function returnsIn({ records, again }: Facts): Returns {
  const known = new Map([...records, ...again?.values() ?? []].map(standingOf));
  return {
    of: ({ network, bridge, zone }) => {
      const before = known.get(network);
      return before?.bridge === bridge && before.zone === zone ? before.groups : undefined;
    },
    backendOf: ({ network }) => known.get(network)?.backend,
  };
}

interface Standing {
  readonly bridge: string | undefined;
  readonly zone: string | undefined;
  readonly groups: readonly RemovalGroup[] | undefined;
  readonly backend: string | undefined;
}

function standingOf({ network, removal, backend }: Installation): readonly [string, Standing] {
  const { name, bridge } = networkFromElement(network, "record");
  // Without a removal there are no rules either: the mode was open.
  const groups = removal.length === 0 ? undefined : removal.filter(isReturn);
  return [name, { bridge: bridge.name, zone: bridge.zone, groups, backend }];
}

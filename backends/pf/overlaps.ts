/**
 * Guests in a masqueraded prefix. pf translates before it filters: on its way out, a packet that has the
 * host's address as its source is not known to be from a guest any more.
 */
import { formatSubnet, overlaps } from "../../core/address.ts";
import { networkFromElement } from "../../core/network/parse_network.ts";
import { derivePolicy } from "../../core/policy/derive_policy.ts";
import { masqueradePolicy, recordedPrefixes } from "../../core/policy/masquerade.ts";
import { type CompiledPolicy, isFiltered } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import type { Installation } from "../../core/record/record.ts";
import type { Surroundings } from "./surroundings.ts";

/** Whose guests would get out by an interface that is not theirs. */
export interface Overlap {
  /** What cannot be kept, without a period. */
  readonly sentence: string;
  /** What to do instead. */
  readonly hint: string;
}

/** Those of what is wanted and stands together. A host without masqueraded prefixes has none. */
export function overlapsAmong(
  policies: readonly CompiledPolicy[],
  installations: readonly Installation[],
  surroundings: Surroundings,
): readonly Overlap[] {
  const hasPrefixes = policies.some(({ kind }) => kind === "masquerade") ||
    installations.some(isOfPrefixes);
  if (!hasPrefixes) return [];
  const names = new Set<string>(policies.map(({ network }) => network));
  const others = recordedPolicies(installations).filter(({ network }) => !names.has(network));
  return overlapsOf([...policies, ...others], surroundings);
}

/** Those of networks with a forward device that is not the way of the prefixes. */
function overlapsOf(
  policies: readonly CompiledPolicy[],
  { defaultInterface: way }: Surroundings,
): readonly Overlap[] {
  if (way === undefined) return [];
  const prefixes = policies.flatMap((policy) => policy.kind === "masquerade" ? policy.families : [])
    .flatMap((one) => one.prefixes);
  return policies.filter(isFiltered).flatMap(({ network, families }) =>
    families.flatMap(({ subnets, forwarding }) => {
      const device = forwarding.direction === "none" ? undefined : forwarding.device;
      if (device === undefined || device === way) return [];
      return subnets.flatMap((subnet) =>
        prefixes.filter((prefix) => overlaps(prefix, subnet)).map((prefix) => ({
          sentence:
            `masqueraded ${formatSubnet(prefix)} apart from ${formatSubnet(subnet)} of network ` +
            `${quoted(network)}: its guests would leave by ${quoted(way)} as well, although they ` +
            `may only by ${quoted(device)}`,
          hint: "Masquerade prefixes without that subnet",
        }))
      );
    })
  );
}

/** What is on record, as far as this program takes it. */
export function recordedPolicies(
  installations: readonly Installation[],
): readonly CompiledPolicy[] {
  return installations.flatMap((installation): readonly CompiledPolicy[] => {
    const { network } = installation;
    if (isOfPrefixes(installation)) return [masqueradePolicy(recordedPrefixes(installation))];
    try {
      const recorded = networkFromElement(network, "record");
      const policy = derivePolicy({ network: recorded, bridge: recorded.bridge.name ?? "" });
      return isFiltered(policy) ? [policy] : [];
    } catch (error) {
      // It is told of where the network itself is asked for.
      if (!(error instanceof SyntaxError)) throw error;
      return [];
    }
  });
}

/** Whether it is that of prefixes, not of a network. */
export function isOfPrefixes({ network }: Installation): boolean {
  return network.name.raw === "masquerade";
}

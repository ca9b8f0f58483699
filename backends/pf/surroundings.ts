/** What of the host the rules of a network depend on. */
import type { HostFacts } from "../../core/host.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";

/** All of it. */
export interface Surroundings {
  /** The anchor above those of all networks. */
  readonly root: string;
  /** The interface of the default route for IPv4; absent: there is none. */
  readonly defaultInterface?: string;
}

/** Reads the routes. */
export function surroundingsOf(root: string, { routes }: Pick<HostFacts, "routes">): Surroundings {
  const way = routes.find(({ destination: { family, prefix }, device }) =>
    family === "ipv4" && prefix === 0 && device !== undefined
  );
  return way?.device === undefined ? { root } : { root, defaultInterface: way.device };
}

/** By which interface guests reach the outside; undefined: none is known. */
export function externalInterface(
  { families }: FilteredPolicy,
  { defaultInterface }: Surroundings,
): string | undefined {
  const named = families.flatMap(({ forwarding }) =>
    forwarding.direction === "none" || forwarding.device === undefined ? [] : [forwarding.device]
  );
  return named[0] ?? defaultInterface;
}

/** The interfaces on which the rules of a network must not be skipped. */
export function devicesOf(
  policy: FilteredPolicy,
  surroundings: Surroundings,
): readonly string[] {
  const external = policy.mode === "nat" ? externalInterface(policy, surroundings) : undefined;
  return external === undefined ? [policy.bridge] : [policy.bridge, external];
}

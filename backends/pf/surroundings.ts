/** What of the host the rules of a network depend on. */
import type { Answers } from "../../core/firewall_backend.ts";
import type { HostFacts } from "../../core/host.ts";
import { isEverything } from "../../core/network/subnets.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { anchorPaths } from "./anchor_path.ts";
import { standingInterface } from "./listing.ts";

/** All of it. */
export interface Surroundings {
  /** The anchor above those of all networks. */
  readonly root: string;
  /** The interface of the default route for IPv4; absent: there is none. */
  readonly defaultInterface?: string;
}

/** Reads the routes. */
export function surroundingsOf(root: string, { routes }: Pick<HostFacts, "routes">): Surroundings {
  const way = routes.find(({ destination, device }) =>
    destination.family === "ipv4" && isEverything(destination) && device !== undefined
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

/** Those of a network that stands: without a default route it goes on with the interface that it has. */
export function surroundingsThen(
  policy: FilteredPolicy,
  surroundings: Surroundings,
  answers: Answers,
): Surroundings {
  if (surroundings.defaultInterface !== undefined) return surroundings;
  const { bridge } = anchorPaths(surroundings.root, policy);
  const standing = standingInterface(bridge, answers);
  return standing === undefined ? surroundings : { ...surroundings, defaultInterface: standing };
}

/** Whether packets of its guests leave with another source. */
export function isTranslated({ families }: FilteredPolicy): boolean {
  return families.some(({ forwarding }) =>
    forwarding.direction !== "none" && forwarding.translation !== undefined
  );
}

/** The interfaces on which the rules of a network must not be skipped. */
export function devicesOf(
  policy: FilteredPolicy,
  surroundings: Surroundings,
): readonly string[] {
  const external = isTranslated(policy) ? externalInterface(policy, surroundings) : undefined;
  return external === undefined ? [policy.bridge] : [policy.bridge, external];
}

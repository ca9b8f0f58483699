/** What of the host the rules of a network depend on. */
import type { Answers } from "../../core/firewall_backend.ts";
import type { HostFacts } from "../../core/host.ts";
import { isEverything } from "../../core/network/subnets.ts";
import type { CompiledPolicy, FilteredPolicy } from "../../core/policy/policy.ts";
import { anchorPaths } from "./anchor_path.ts";
import { standingInterface } from "./listing.ts";
import { BRIDGE_KEY, isOn, LOCAL_DELIVERY_KEY } from "./settings.ts";

/** All of it. */
export interface Surroundings {
  /** The anchor above those of all networks. */
  readonly root: string;
  /** The interface of the default route for IPv4; absent: there is none. */
  readonly defaultInterface?: string;
  /** Whether pf sees what is delivered to the host's own programs; absent: it does not. */
  readonly seesLocal?: boolean;
  /** Whether pf sees on a bridge what its guests send to one another; absent: it does not. */
  readonly seesBridges?: boolean;
  /**
   * Whether of several anchors that translate a packet the last decides; absent: the first. In FreeBSD 15 a
   * match ends its own ruleset and no other, and `no nat` there says nothing to others:
   * pf_match_translation_rule() in sys/netpfil/pf/pf_lb.c.
   */
  readonly lastTranslates?: boolean;
}

/** The first release with such a pf. */
const LAST_TRANSLATES_SINCE = 15;

/** Reads the routes, the kernel's release, and what the kernel was asked. */
export function surroundingsOf(
  root: string,
  { routes, kernel = "" }: Pick<HostFacts, "routes" | "kernel">,
  answers: Answers,
): Surroundings {
  const way = routes.find(({ destination, device }) =>
    destination.family === "ipv4" && isEverything(destination) && device !== undefined
  );
  return {
    root,
    seesLocal: isOn(LOCAL_DELIVERY_KEY, answers),
    seesBridges: isOn(BRIDGE_KEY, answers),
    lastTranslates: Number(/^\d+/.exec(kernel)?.[0] ?? 0) >= LAST_TRANSLATES_SINCE,
    ...(way?.device === undefined ? {} : { defaultInterface: way.device }),
  };
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

/** The interfaces on which its rules must not be skipped. */
export function devicesOf(
  policy: CompiledPolicy,
  surroundings: Surroundings,
): readonly string[] {
  if (policy.kind === "masquerade") {
    const { defaultInterface } = surroundings;
    return defaultInterface === undefined ? [] : [defaultInterface];
  }
  const external = isTranslated(policy) ? externalInterface(policy, surroundings) : undefined;
  return external === undefined ? [policy.bridge] : [policy.bridge, external];
}

/** Forwarding for networks that are to stand whatever the host says. */
import type { Step } from "../change/change.ts";
import { forwardingSteps } from "../change/forwarding.ts";
import { HostError } from "../host.ts";
import type { Policy } from "../policy/policy.ts";
import type { Context } from "./context.ts";
import type { Snapshot } from "./snapshot.ts";

/** Rules come back even where forwarding cannot be switched on: without them everything would pass. */
export function settingsFor(
  { messages, options }: Context,
  policies: readonly Policy[],
  { facts }: Snapshot,
): readonly Step[] {
  if (!options.sysctl) return [];
  try {
    return forwardingSteps(policies, facts);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    messages.warn(error.message);
    return [];
  }
}

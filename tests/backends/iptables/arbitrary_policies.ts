/** Policies with everything in them that rules of iptables could be wrong about. */
import fc from "fast-check";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { policies, TEXTS } from "../../support/arbitrary.ts";
import { WRITABLE_NAMES } from "./names.ts";

const SERVICES = fc.record({
  dhcp: fc.boolean(),
  dhcpv6: fc.boolean(),
  dns: fc.boolean(),
  tftp: fc.boolean(),
});

/** Any policy whose interfaces can be written, with any services. */
export function hostilePolicies(): fc.Arbitrary<FilteredPolicy> {
  return fc.record({
    policy: policies(TEXTS, WRITABLE_NAMES),
    services: SERVICES,
    guestsOverIpv6: fc.boolean(),
  }).map(({ policy, ...more }) => ({ ...policy, ...more }));
}

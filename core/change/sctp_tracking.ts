/** Published ports of SCTP: kernels can be built without knowledge of the protocol's connections. */
import type { FilteredPolicy } from "../policy/policy.ts";
import { quoted } from "../quoted.ts";
import type { Step } from "./change.ts";

/**
 * A question that fails where the kernel does not know SCTP (`CONFIG_NF_CT_PROTO_SCTP`): then its packets
 * are let through as they are. It comes after the rules, which make the kernel load what it has.
 */
export function sctpSteps({ network, families }: FilteredPolicy): readonly Step[] {
  const asked = families.some(({ published }) =>
    published.some(({ protocol }) => protocol === "sctp")
  );
  return !asked ? [] : [{
    purpose: "find out whether the kernel knows SCTP",
    command: {
      program: "sysctl",
      args: ["-n", "net.netfilter.nf_conntrack_sctp_timeout_established"],
    },
    optional: {
      loss:
        `The kernel does not know SCTP, so the ports that network ${quoted(network)} publishes ` +
        "for it may lead nowhere",
    },
  }];
}

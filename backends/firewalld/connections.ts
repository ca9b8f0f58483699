/**
 * Connections that no rule would let begin. firewalld accepts all packets of what is established before it
 * asks any zone; so what began without the network's rules, untranslated perhaps, would go on beside them.
 */
import { formatSubnet } from "../../core/address.ts";
import type { Step } from "../../core/change/change.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";

const LOSS = "Connections of guests may go on that the rules do not allow";

/** Makes the kernel forget them (conntrack(8)): the next packet of each is a new one, for all rules. */
export function endingSteps({ network, families }: FilteredPolicy): readonly Step[] {
  return families.flatMap(({ family, subnets }) =>
    subnets.flatMap((subnet) =>
      ["-s", "-d"].map((side): Step => ({
        purpose: `end the connections from before of network ${quoted(network)}`,
        command: {
          program: "conntrack",
          args: ["-D", "-f", family, side, formatSubnet(subnet)],
        },
        optional: { loss: LOSS },
      }))
    )
  );
}

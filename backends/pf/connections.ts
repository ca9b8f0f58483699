/** What ends the connections of a network's guests: a load leaves the states of pf as they are. */
import { formatSubnet } from "../../core/address.ts";
import type { Step } from "../../core/change/change.ts";
import type { Command } from "../../core/command.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { GUESTS_IN } from "./bridge_rules.ts";

/** The steps that do it: states let packets pass that the rules would stop by now. */
export function endingSteps(name: string, policy: FilteredPolicy): readonly Step[] {
  const network = quoted(policy.network);
  return endingCommands(name, policy).map((command) => ({
    purpose: `end the connections of network ${network}`,
    command,
    optional: { loss: `Connections of network ${network} may go on that the rules do not allow` },
  }));
}

/**
 * Ends all that guests have going: what they began, what others began, and what our rules let others begin.
 *
 * The state of a connection on another interface, where its source is translated, is found by `-M` alone
 * (pfctl(8), FreeBSD 13.1). pfctl of FreeBSD 15.0 confuses two hosts and then finds none, so what others
 * began before there were rules goes on there until it ends.
 *
 * @param name What labels of the network's rules begin with.
 */
export function endingCommands(name: string, { families }: FilteredPolicy): readonly Command[] {
  const end = (...args: readonly string[]): Command => ({ program: "pfctl", args });
  return families.flatMap(({ subnets, forwarding }) => [
    ...subnets.map(formatSubnet).flatMap((subnet) => [
      end("-M", "-k", subnet),
      end("-M", "-k", "0.0.0.0/0", "-k", subnet),
    ]),
    ...(forwarding.direction === "both" ? [end("-k", "label", "-k", `${name} ${GUESTS_IN}`)] : []),
  ]);
}

/**
 * Ports of 127.0.0.1 that lead to guests: the kernel sends nothing from 127.0.0.0/8 out of an interface,
 * and takes no answer in, unless that interface is told to (`route_localnet`, ip-sysctl).
 */
import { needsLocalhost } from "../network/published_port.ts";
import type { FilteredPolicy } from "../policy/policy.ts";
import { quoted } from "../quoted.ts";
import type { NetworkChange, Step } from "./change.ts";
import type { Command } from "../command.ts";

/** The setting, and the way back; both empty for a network without such a port. */
export type LocalRouting = Pick<NetworkChange, "removal"> & { readonly steps: readonly Step[] };

/**
 * Switches the setting on for the bridge alone. What guests could send to 127.0.0.0/8 because of it is
 * for the rules to stop. A bridge that is not there yet gets it with the next `up` or `reload`.
 */
export function localRouting({ network, bridge, families }: FilteredPolicy): LocalRouting {
  if (!families.some(({ published }) => published.some(needsLocalhost))) {
    return { steps: [], removal: [] };
  }
  const off = routing(bridge, 0);
  return {
    steps: [{
      purpose: `let 127.0.0.1 reach the guests on ${quoted(bridge)}`,
      command: routing(bridge, 1),
      optional: {
        loss: `Ports that network ${quoted(network)} publishes on 127.0.0.1 lead nowhere until ` +
          `the bridge ${quoted(bridge)} can be set up for them`,
        undo: off,
      },
    }],
    removal: [{ commands: [off], ignoreErrors: true }],
  };
}

/** With slashes: an interface name may hold dots (sysctl(8)). */
function routing(bridge: string, value: 0 | 1): Command {
  return {
    program: "sysctl",
    args: ["-q", "-w", `net/ipv4/conf/${bridge}/route_localnet=${value}`],
  };
}

/**
 * Ports of 127.0.0.1 that lead to guests: the kernel sends nothing from 127.0.0.0/8 out of an interface,
 * and takes no answer in, unless that interface is told to (`route_localnet`, ip-sysctl).
 */
import { needsLocalhost } from "../network/published_port.ts";
import type { FilteredPolicy } from "../policy/policy.ts";
import { quoted } from "../quoted.ts";
import type { NetworkChange, Step } from "./change.ts";
import type { Command, CommandRunner } from "../command.ts";
import type { Drift } from "../firewall_backend.ts";

/** The setting, and the way back; both empty for a network without such a port. */
export type LocalRouting = Pick<NetworkChange, "removal"> & { readonly steps: readonly Step[] };

/**
 * Switches the setting on for the bridge alone. What guests could send to 127.0.0.0/8 because of it is
 * for the rules to stop. A bridge that is not there yet gets it with the next `up` or `reload`.
 */
export function localRouting(policy: FilteredPolicy): LocalRouting {
  const { network, bridge } = policy;
  if (!isWanted(policy)) return { steps: [], removal: [] };
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

function isWanted({ families }: FilteredPolicy): boolean {
  return families.some(({ published }) => published.some(needsLocalhost));
}

/**
 * What differs from what these networks need: a bridge that is made again has lost the setting.
 *
 * @returns For each network the difference, as a sentence without a period.
 */
export async function localRoutingDrift(
  runner: CommandRunner,
  policies: readonly FilteredPolicy[],
): Promise<readonly Drift[]> {
  const drift = await Promise.all(
    policies.filter(isWanted).map(async ({ network, bridge }) => {
      const key = settingOf(bridge);
      const { status, stdout } = await runner.run({ program: "sysctl", args: ["-n", key] });
      // Where there is no bridge there are no guests.
      if (status !== 0 || stdout.trim() === "1") return [];
      return [{ network, difference: `${key} is ${stdout.trim()} instead of 1` }];
    }),
  );
  return drift.flat();
}

/** With slashes: an interface name may hold dots (sysctl(8)). */
function settingOf(bridge: string): string {
  return `net/ipv4/conf/${bridge}/route_localnet`;
}

function routing(bridge: string, value: 0 | 1): Command {
  return { program: "sysctl", args: ["-q", "-w", `${settingOf(bridge)}=${value}`] };
}

/** Settings of the kernel that decide what pf sees. */
import type { Command } from "../../core/command.ts";
import type { Answers } from "../../core/firewall_backend.ts";
import { printedBy } from "./main_ruleset.ts";

/** What guests send meets pf on the members of a bridge, too: if_bridge(4). */
export const MEMBER_KEY = "net.link.bridge.pfil_member";

/** So does what they send to the host; it does something only beside the other. */
export const LOCAL_MEMBER_KEY = "net.link.bridge.pfil_local_phys";

/** What guests of one bridge send to one another meets pf on the bridge itself. 0 by default since FreeBSD 14. */
export const BRIDGE_KEY = "net.link.bridge.pfil_bridge";

/**
 * What is for the host's own programs meets pf once more, as if it went out on `lo0`: pf(4), since FreeBSD
 * 13.3. It counts from the next start of pf on.
 */
export const LOCAL_DELIVERY_KEY = "net.pf.filter_local";

/** What is missing is passed over: without the module if_bridge, or in older versions. */
export const SETTINGS_QUESTION: Command = {
  program: "sysctl",
  args: ["-i", MEMBER_KEY, LOCAL_MEMBER_KEY, BRIDGE_KEY, LOCAL_DELIVERY_KEY],
};

/** Whether the setting is 1, as far as anybody asked. */
export function isOn(key: string, answers: Answers): boolean {
  return printedBy(answers, SETTINGS_QUESTION).split("\n").includes(`${key}: 1`);
}

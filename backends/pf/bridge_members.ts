/** What pf sees of the members of a bridge, as if_bridge(4) is set. */
import type { Command } from "../../core/command.ts";
import type { Answers } from "../../core/firewall_backend.ts";
import { FILTER_QUESTION, printedBy, type Problem } from "./main_ruleset.ts";

const MEMBER_KEY = "net.link.bridge.pfil_member";

/** Does something only beside the other. */
const LOCAL_KEY = "net.link.bridge.pfil_local_phys";

const KEYS = [MEMBER_KEY, LOCAL_KEY];

/** Without the module if_bridge there are no such settings. */
export const MEMBERS_QUESTION: Command = { program: "sysctl", args: ["-i", ...KEYS] };

/**
 * Why packets of guests could get past the rules of their bridge: a guest can make the main ruleset pass
 * a packet on the member interface, and with it a state that counts on the bridge as well, because
 * states float (pf.conf(5), state-policy). The first setting is 1 by default until FreeBSD 13.
 */
export function memberProblems(answers: Answers): readonly Problem[] {
  const settings = printedBy(answers, MEMBERS_QUESTION).split("\n");
  // A rule for an interface by its name is one for an uplink: members come and go.
  const floats = printedBy(answers, FILTER_QUESTION).split("\n").some((line) =>
    /^pass .* (keep|modulate|synproxy) state/.test(line) && !/ on |if-bound/.test(line)
  );
  if (!floats || !settings.includes(`${MEMBER_KEY}: 1`)) return [];
  return KEYS.filter((key) => settings.includes(`${key}: 1`)).map((key) => ({
    sentence: `${key} is 1, so packets of guests meet the main ruleset of pf on the member ` +
      "interface first, and what it passes there with state passes on the bridge too",
    fix: `Run \`sysctl ${key}=0\`, or write \`set state-policy if-bound\` into /etc/pf.conf`,
  }));
}

/** What pf sees of the members of a bridge, as if_bridge(4) is set. */
import type { Answers } from "../../core/firewall_backend.ts";
import { FILTER_QUESTION, printedBy, type Problem } from "./main_ruleset.ts";
import { isOn, LOCAL_MEMBER_KEY, MEMBER_KEY } from "./settings.ts";

/**
 * Why packets of guests could get past the rules of their bridge: a guest can make the main ruleset pass
 * a packet on the member interface, and with it a state that counts on the bridge as well, because
 * states float (pf.conf(5), state-policy). The first setting is 1 by default until FreeBSD 13.
 */
export function memberProblems(answers: Answers): readonly Problem[] {
  // A rule for an interface by its name is one for an uplink: members come and go.
  const floats = printedBy(answers, FILTER_QUESTION).split("\n").some((line) =>
    /^pass .* (keep|modulate|synproxy) state/.test(line) && !/ on |if-bound/.test(line)
  );
  if (!floats || !isOn(MEMBER_KEY, answers)) return [];
  return [MEMBER_KEY, LOCAL_MEMBER_KEY].filter((key) => isOn(key, answers)).map((key) => ({
    sentence: `${key} is 1, so packets of guests meet the main ruleset of pf on the member ` +
      "interface first, and what it passes there with state passes on the bridge too",
    fix: `Run \`sysctl ${key}=0\`, or write \`set state-policy if-bound\` into /etc/pf.conf`,
  }));
}

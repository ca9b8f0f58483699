/** Answers of pfctl and others on FreeBSD 14, in the form in which the programs print them. */
import type { CommandResult } from "../../../core/command.ts";
import { commandKey } from "../../../core/change/change.ts";
import type { Answers } from "../../../core/firewall_backend.ts";
import {
  FILTER_QUESTION,
  INTERFACES_QUESTION,
  STATUS_QUESTION,
  TRANSLATION_QUESTION,
} from "../../../backends/pf/main_ruleset.ts";
import { SETTINGS_QUESTION } from "../../../backends/pf/settings.ts";

/** What was answered to each question; absent: as on a host where all is as it should be. */
export interface Recorded {
  readonly status?: Partial<CommandResult>;
  readonly translation?: string;
  readonly filter?: string;
  readonly interfaces?: string;
  readonly settings?: string;
}

/** pf that runs. */
export const ENABLED = "Status: Enabled for 0 days 00:01:02             Debug: Urgent\n\n" +
  "State Table                          Total             Rate\n" +
  "  current entries                        3               \n";

/** pf that does not. */
export const DISABLED = "Status: Disabled                                Debug: Urgent\n";

/** What a host without the module says, and one that is not asked by root. */
export const COMPLAINTS = {
  noModule: { status: 1, stderr: "pfctl: /dev/pf: No such file or directory\n" },
  notRoot: { status: 1, stderr: "pfctl: /dev/pf: Permission denied\n" },
} as const;

/** The main ruleset that the manual asks for, with a rule before and one behind. */
export const TRANSLATION = 'nat-anchor "bridgewall/*" all\nrdr-anchor "bridgewall/*" all\n';

/** Its filter part. */
export const FILTER =
  'scrub in all fragment reassemble\nanchor "bridgewall/*" all\npass all flags S/SA keep state\n';

const QUIET: CommandResult = { status: 0, stdout: "", stderr: "" };

/** The answers of such a host. */
export function recordedAnswers(recorded: Recorded = {}): Answers {
  const answers = new Map<string, CommandResult>([
    [commandKey(STATUS_QUESTION), { ...QUIET, stdout: ENABLED, ...recorded.status }],
    [commandKey(TRANSLATION_QUESTION), { ...QUIET, stdout: recorded.translation ?? TRANSLATION }],
    [commandKey(FILTER_QUESTION), { ...QUIET, stdout: recorded.filter ?? FILTER }],
    [commandKey(INTERFACES_QUESTION), {
      ...QUIET,
      stdout: recorded.interfaces ?? "all\nbridge\nem0\nlo\nlo0 (skip)\nvirbr0\n",
    }],
    [commandKey(SETTINGS_QUESTION), {
      ...QUIET,
      stdout: recorded.settings ??
        "net.link.bridge.pfil_member: 0\nnet.link.bridge.pfil_local_phys: 0\n" +
          "net.link.bridge.pfil_bridge: 0\nnet.pf.filter_local: 0\n",
    }],
  ]);
  return { to: (question) => answers.get(commandKey(question)) };
}

/** Versions of FreeBSD, and what `up` gets to know of a host with one of them. */
import type { Answers } from "../../../core/firewall_backend.ts";
import type { TranslationDecision } from "../../support/pf/pf_evaluation.ts";
import type { HostSetup } from "../../support/pf/pf_host.ts";
import { recordedAnswers } from "./recorded.ts";

/** What a version calls itself, and what its pf does. */
export interface Release {
  readonly kernel: string;
  readonly decides: TranslationDecision;
}

/** The rules for FreeBSD 15 are right as well where the first decides: a later version may do that again. */
export const RELEASES: Readonly<Record<string, Release>> = {
  "FreeBSD 14": { kernel: "14.3-RELEASE-p2", decides: "first" },
  "FreeBSD 15": { kernel: "15.0-RELEASE", decides: "last" },
  "FreeBSD 15 if it were as 14": { kernel: "15.1-RELEASE", decides: "first" },
};

/** A host of the scene; without a release one that is only imagined. */
export type SceneSetup = Partial<HostSetup & Pick<Release, "kernel">>;

/** What such a host answers. */
export function answersOf(
  { pfilMember, pfilLocalPhys, pfilBridge, filterLocal }: SceneSetup,
): Answers {
  const keys = {
    "net.link.bridge.pfil_member": pfilMember,
    "net.link.bridge.pfil_local_phys": pfilLocalPhys,
    "net.link.bridge.pfil_bridge": pfilBridge,
    "net.pf.filter_local": filterLocal,
  };
  const settings = Object.entries(keys).map(([key, isOn = false]) => `${key}: ${isOn ? 1 : 0}\n`);
  return recordedAnswers({ settings: settings.join("") });
}

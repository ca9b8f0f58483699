/** The pf backend. */
import type { Command } from "../../core/command.ts";
import type { FirewallBackend, WantedNetwork } from "../../core/firewall_backend.ts";
import { type Installation, installationsOf, type Record } from "../../core/record/record.ts";
import { compileChange } from "./compile.ts";
import { detectPf } from "./detect.ts";
import { inspectAnchors } from "./inspect.ts";
import { listingQuestions } from "./listing.ts";
import { QUESTIONS } from "./main_ruleset.ts";
import { recordedTables } from "./masquerade.ts";
import { flushedPaths } from "./removal.ts";
import { SETTINGS_QUESTION } from "./settings.ts";
import { anchorSigns } from "./signs.ts";

/**
 * The backend that keeps what it installs below one anchor of FreeBSD's pf.
 *
 * @param anchor The name of that anchor, which the main ruleset has to call.
 */
export function pf(anchor: string): FirewallBackend {
  return {
    name: "pf",
    platform: "freebsd",
    detect: (host) => detectPf(anchor, host),
    // What is there already is not loaded again.
    questions: (records, _, networks) => [
      ...QUESTIONS,
      SETTINGS_QUESTION,
      ...records.filter(isWanted(networks)).flatMap(installationsOf).flatMap(listings),
    ],
    compile: (policies, facts) => compileChange(anchor, policies, facts),
    signs: () => anchorSigns(anchor),
    inspect: (host, installed) => inspectAnchors(anchor, host, installed),
  };
}

function isWanted(
  networks: readonly WantedNetwork[] | undefined,
): (record: Record) => boolean {
  const names = networks === undefined ? undefined : new Set(networks.map(({ name }) => name));
  return ({ name }) => names?.has(name) ?? true;
}

/** What tells whether that stands as it was installed. */
function listings(installation: Installation): readonly Command[] {
  const tables = recordedTables(installation);
  return flushedPaths([installation]).flatMap((path) => listingQuestions(path, tables));
}

/** The firewalld backend. */
import type { FirewallBackend } from "../../core/firewall_backend.ts";
import { compileChange } from "./compile.ts";
import { detectFirewalld } from "./detect.ts";
import { inspectZones } from "./inspect.ts";
import { questionsFor } from "./questions.ts";
import { ZONE_SIGNS } from "./signs.ts";

/** The backend that asks firewalld for zones and policies, and adds no rule beside it. */
export function firewalld(): FirewallBackend {
  return {
    name: "firewalld",
    platform: "linux",
    detect: detectFirewalld,
    questions: (records, rebuilding, networks) =>
      questionsFor(records, rebuilding ? undefined : networks),
    compile: compileChange,
    inspect: inspectZones,
    signs: () => ZONE_SIGNS,
  };
}

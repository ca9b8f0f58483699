/** The iptables backend. */
import type { FirewallBackend } from "../../core/firewall_backend.ts";
import { compileChange } from "./compile.ts";
import { detectIptables } from "./detect.ts";
import { inspectTables } from "./inspect.ts";
import { tableSigns } from "./signs.ts";
import { IPV6_QUESTION, PROGRAMS, usedPrograms, VERSION_QUESTION } from "./variant.ts";

/**
 * The backend that keeps what it installs in chains of its own, in the tables of the variant that the
 * host's `iptables` is.
 */
export function iptables(): FirewallBackend {
  return {
    name: "iptables",
    platform: "linux",
    detect: detectIptables,
    // What stands is compared with the records before it is changed.
    questions: (records, rebuilding) => [
      VERSION_QUESTION,
      IPV6_QUESTION,
      ...(rebuilding ? PROGRAMS : usedPrograms(records)).map(({ save }) => save),
    ],
    compile: compileChange,
    inspect: inspectTables,
    signs: tableSigns,
  };
}

/** The nftables backend. */
import type { FirewallBackend } from "../../core/firewall_backend.ts";
import { compileChange } from "./compile.ts";
import { detectNftables } from "./detect.ts";
import { probeQuestions } from "./kernel_probe.ts";
import { inspectTable } from "./inspect.ts";

/**
 * The backend that keeps all that it installs in one table of family `inet`.
 *
 * @param table The name of that table: letters, digits, `_` and `-`.
 */
export function nftables(table: string): FirewallBackend {
  return {
    name: "nftables",
    platform: "linux",
    detect: detectNftables,
    questions: (_records, _rebuilding, networks = []) => probeQuestions(networks),
    compile: (policies, facts) => compileChange(table, policies, facts),
    inspect: (host, installed) => inspectTable(host, table, installed.map(({ policy }) => policy)),
  };
}

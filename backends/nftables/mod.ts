/** The nftables backend. */
import type { FirewallBackend } from "../../core/firewall_backend.ts";
import { NFT_MONITOR } from "../../core/sign.ts";
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
    signs: () => {
      // Such as `delete chain inet bridgewall forward`; other tables are passed over.
      const ours = new RegExp(`^\\w+ \\w+ inet ${table}(?:\\s|$)`);
      return [{ kind: "lines", command: NFT_MONITOR, mayBeOurs: (line) => ours.test(line) }];
    },
    inspect: (host, installed) => inspectTable(host, table, installed.map(({ policy }) => policy)),
  };
}

/** The nftables backend. */
import type { FirewallBackend } from "../../core/firewall_backend.ts";
import { compileChange } from "./compile.ts";
import { detectNftables } from "./detect.ts";
import { inspectTable } from "./inspect.ts";

/** @param table The name of the table that holds everything: letters, digits, `_` and `-`. */
export function nftables(table: string): FirewallBackend {
  return {
    name: "nftables",
    detect: detectNftables,
    compile: (policies, facts) => compileChange(table, policies, facts),
    inspect: (host, policies) => inspectTable(host, table, policies),
  };
}

/** The backends, most preferred first. The only file that names them all. */
import type { FirewallBackend } from "../core/firewall_backend.ts";
import { besideFirewalld } from "./firewalld/beside.ts";
import { firewalld } from "./firewalld/mod.ts";
import { iptables } from "./iptables/mod.ts";
import { nftables } from "./nftables/mod.ts";
import { pf } from "./pf/mod.ts";

/** Names that the administrator may choose. */
export interface BackendSettings {
  /** The table of the nftables backend. */
  readonly table: string;
  /** The anchor of the pf backend. */
  readonly anchor: string;
}

/** All backends that this program has, in the order in which they are tried. */
export function backends(settings: BackendSettings): readonly FirewallBackend[] {
  return [
    firewalld(),
    besideFirewalld(nftables(settings.table)),
    besideFirewalld(iptables()),
    pf(settings.anchor),
  ];
}

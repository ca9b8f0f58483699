/** The backends that the kernel of this machine can run: every host test runs once for each. */

/** What a host's `iptables` is: the old interface of the kernel, or one that makes rules of nft. */
export type IptablesVariant = "nft" | "legacy";

/** What a host's firewalld makes its rules with (firewalld.conf(5), `FirewallBackend`). */
export type FirewalldRules = "nftables" | "iptables";

/** A backend under test. */
export interface BackendUnderTest {
  /** What tests and the table of results call it. */
  readonly name: string;
  /** What `--backend` takes. */
  readonly backend: string;
  /** The programs it runs to change something. */
  readonly tools: readonly string[];
  /** What the host's `iptables` is, as the program finds it; absent: as on this machine. */
  readonly variant?: IptablesVariant;
  /** What the host's firewalld makes its rules with; absent: it has none. */
  readonly firewalld?: FirewalldRules;
}

/** One of iptables' variants, with the programs that Debian gives it. */
export interface IptablesUnderTest extends BackendUnderTest {
  readonly variant: IptablesVariant;
}

/** The firewalld backend, with what the daemon makes of it. */
export interface FirewalldUnderTest extends BackendUnderTest {
  readonly firewalld: FirewalldRules;
}

/** The nftables backend. */
export const NFTABLES: BackendUnderTest = { name: "nftables", backend: "nftables", tools: ["nft"] };

/** The iptables backend where `iptables` makes rules of nft, as on Debian since version 10. */
export const IPTABLES_NFT: IptablesUnderTest = iptables("nft");

/** The iptables backend where `iptables` is the old one. */
export const IPTABLES_LEGACY: IptablesUnderTest = iptables("legacy");

/** Both variants of iptables. */
export const IPTABLES: readonly IptablesUnderTest[] = [IPTABLES_NFT, IPTABLES_LEGACY];

/** The firewalld backend where firewalld makes rules of nft, as since version 0.6. */
export const FIREWALLD_NFTABLES: FirewalldUnderTest = firewalld("nftables");

/** The firewalld backend where firewalld makes rules of iptables, which are nft's (`IPTABLES_NFT`). */
export const FIREWALLD_IPTABLES: FirewalldUnderTest = firewalld("iptables");

/** The matrix. */
export const BACKENDS: readonly BackendUnderTest[] = [
  NFTABLES,
  ...IPTABLES,
  FIREWALLD_NFTABLES,
  FIREWALLD_IPTABLES,
];

function iptables(variant: IptablesVariant): IptablesUnderTest {
  return {
    name: `iptables-${variant}`,
    backend: "iptables",
    tools: ["iptables", `iptables-${variant}-restore`, `ip6tables-${variant}-restore`],
    variant,
  };
}

function firewalld(rules: FirewalldRules): FirewalldUnderTest {
  return {
    name: `firewalld-${rules}`,
    backend: "firewalld",
    tools: ["firewalld", "firewall-cmd", "busctl", "dbus-daemon"],
    firewalld: rules,
  };
}

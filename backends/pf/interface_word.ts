/** Names of interfaces as words of pf.conf(5). */
import { UnsupportedNetworkError } from "../../core/firewall_backend.ts";
import { quoted } from "../../core/quoted.ts";

/**
 * Names of interface groups that FreeBSD makes for a kind of interface each: ifconfig(8), group. And `any`,
 * which in FreeBSD 15 is every interface, in quotes too: sbin/pfctl/parse.y.
 */
const GROUPS: readonly string[] = [
  ...["all", "any", "bridge", "carp", "edsc", "egress", "enc", "epair", "gif", "gre", "ipfw"],
  ...["ipsec", "lagg", "lo", "me", "netgraph", "ng", "ovpn", "pflog", "pflow", "pfsync", "ppp"],
  ...["self", "stf", "tap", "tun", "usbus", "vether", "vlan", "vm-port", "vmnet", "vxlan", "wg"],
  "wlan",
];

/** Keywords that end in a digit: lookup() in sbin/pfctl/parse.y, `l3` since FreeBSD 14. */
const KEYWORDS: readonly string[] = ["inet6", "l3"];

/**
 * An interface name as one word: bare where nothing else could be meant, else in quotes. A name with a
 * unit number is hardly ever a keyword, and no group, whose names do not end in a digit.
 *
 * @throws {UnsupportedNetworkError} For names that quotes cannot hold, and those of groups, which would
 * match all interfaces of a kind.
 */
export function interfaceWord(name: string): string {
  if (/^[A-Za-z][A-Za-z0-9_.]*[0-9]$/.test(name) && !KEYWORDS.includes(name)) return name;
  if (/["\\\n\0]/.test(name)) {
    throw new UnsupportedNetworkError(
      `The language of pf cannot write the interface name ${quoted(name)}`,
      "Give the interface a name of letters and digits",
    );
  }
  if (GROUPS.includes(name)) {
    throw new UnsupportedNetworkError(
      `To pf the interface name ${quoted(name)} means all interfaces of that kind`,
      "Give the interface a name that ends in a number",
    );
  }
  return `"${name}"`;
}

/**
 * The name where the address of the interface is meant, `(em0)`: pfctl takes only those that begin with a
 * letter.
 *
 * @throws {UnsupportedNetworkError} For others.
 */
export function addressableInterface(device: string): string {
  if (/^[A-Za-z]/.test(device)) return device;
  throw new UnsupportedNetworkError(
    `The language of pf cannot write the address of interface ${quoted(device)}`,
    "Give the interface a name that begins with a letter",
  );
}

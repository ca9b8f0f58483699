/** `<dhcp>` → whether the host serves DHCP there. What it would serve is checked and left alone. */
import { bitsOf, contains, formatAddress, formatSubnet, rangeOf } from "../address.ts";
import type { Subnet } from "../address.ts";
import {
  addressAttribute,
  attributeOf,
  decimal,
  oneOf,
  partsNamed,
  refuse,
  requiredAddress,
  requiredAttribute,
  UNSIGNED_LONG_MAX,
} from "./element_reader.ts";
import type { Part } from "./element_reader.ts";
import { problemOfMac } from "./mac_address.ts";
import { quoted } from "../quoted.ts";

/** The most addresses of a range but one, in both families (libvirt 11.3). */
const WIDEST_RANGE = 65535n;

/**
 * Whether an `<ip>` of that subnet has a DHCP range or host.
 *
 * @throws {NetworkDefinitionError} When libvirt 11.3 would not take its `<dhcp>`.
 */
export function parseDhcp(ip: Part, subnet: Subnet): boolean {
  const dhcp = partsNamed(ip, "dhcp");
  const ranges = dhcp.flatMap((part) => partsNamed(part, "range"));
  const hosts = dhcp.flatMap((part) => partsNamed(part, "host"));
  for (const range of ranges) checkRange(range, subnet);
  for (const host of hosts) checkHost(host, subnet);
  if (subnet.family === "ipv4") {
    for (const bootp of dhcp.flatMap((part) => partsNamed(part, "bootp"))) checkBootp(bootp);
  }
  return ranges.length + hosts.length > 0;
}

function checkRange(part: Part, subnet: Subnet): void {
  const example = { family: subnet.family, value: subnet.value + 2n };
  const start = requiredAddress(part, "start", formatAddress(example));
  const end = requiredAddress(part, "end", formatAddress(start));
  const range = `DHCP range "${formatAddress(start)}" to "${formatAddress(end)}"`;
  if (start.family !== end.family) refuse(part, `${range} mixes IPv4 and IPv6`);
  const whole = rangeOf(subnet);
  for (const address of [start, end]) {
    if (!contains(subnet, address)) refuse(part, `${range} is not inside ${formatSubnet(subnet)}`);
  }
  if (subnet.family === "ipv4" && start.value === whole.start.value) {
    refuse(part, `${range} starts with the address of the network itself`);
  }
  if (subnet.family === "ipv4" && end.value === whole.end.value) {
    refuse(part, `${range} ends with the broadcast address`);
  }
  if (start.value > end.value) {
    const hint = `Write start='${formatAddress(end)}' end='${formatAddress(start)}'`;
    refuse(part, `${range} is reversed`, hint);
  }
  // In IPv6 only the last 16 bits may differ, wherever the range lies.
  const crosses = bitsOf(subnet.family) === 128 && start.value >> 16n !== end.value >> 16n;
  if (crosses || end.value - start.value > WIDEST_RANGE) {
    refuse(part, `${range} is too large, wanted at most ${WIDEST_RANGE + 1n} addresses`);
  }
  for (const lease of partsNamed(part, "lease")) checkLease(lease);
}

function checkHost(part: Part, { family }: Subnet): void {
  const mac = attributeOf(part, "mac");
  const name = attributeOf(part, "name");
  const id = attributeOf(part, "id");
  const macProblem = mac === undefined ? undefined : problemOfMac(mac);
  if (mac !== undefined && family === "ipv6") {
    // RFC 8415 section 11.4: the client ID that is made of a hardware address.
    const hint = macProblem === undefined ? `Write id='0:3:0:1:${mac}'` : undefined;
    refuse(part, "DHCP <host> in IPv6 has a mac, wanted an id or a name", hint);
  }
  if (macProblem !== undefined) refuse(part, `DHCP <host> ${macProblem}`);
  if (id !== undefined && !/^[0-9a-fA-F:]*$/.test(id)) {
    refuse(part, `DHCP <host> has id ${quoted(id)}, wanted hex digits and ":"`);
  }
  if (name !== undefined && !/^[0-9a-zA-Z]/.test(name)) {
    refuse(part, `DHCP <host> has name ${quoted(name)}, wanted a letter or digit first`);
  }
  const key = family === "ipv4" ? mac : id;
  if (key === undefined && name === undefined) {
    refuse(part, `DHCP <host> has neither ${family === "ipv4" ? "mac" : "id"} nor name`);
  }
  // It may lie outside the subnet: libvirt does not look either.
  requiredAddress(part, "ip", "192.168.100.10");
  for (const lease of partsNamed(part, "lease")) checkLease(lease);
}

/** Two minutes at least, since dnsmasq takes no less; 0 is for ever. */
function checkLease(part: Part): void {
  const expiry = decimal(part, "expiry", UNSIGNED_LONG_MAX) ?? 0;
  const unit = oneOf(part, "unit", ["seconds", "minutes", "hours"]) ?? "minutes";
  const least = { seconds: 120, minutes: 2, hours: 0 }[unit];
  if (expiry > 0 && expiry < least) {
    refuse(part, `DHCP lease of ${expiry} ${unit} is too short, wanted 2 minutes`);
  }
}

function checkBootp(part: Part): void {
  requiredAttribute(part, "file", "pxelinux.0");
  addressAttribute(part, "server");
}

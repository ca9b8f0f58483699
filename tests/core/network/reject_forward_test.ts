/** Ways out of the network that are refused. */
import { assertEquals } from "@std/assert";
import { parseNetwork } from "../../../core/network/parse_network.ts";
import { IP, refuses } from "./refusals.ts";

const POOL = "<interface dev='eth1'/>";

function nat(inside: string): string {
  return `<forward><nat>${inside}</nat></forward>${IP}`;
}

refuses("a forward mode that is not known", [
  ["<forward mode='NAT'/>", '<forward> has mode "NAT", wanted nat, route, open', "<forward"],
  ["<forward mode=''/>", 'has mode ""', "<forward"],
  ["<forward mode='__proto__'/>", 'has mode "__proto__"', "<forward"],
  ["<forward mode='isolated'/>", 'mode "isolated"', "<forward", "Remove <forward>"],
]);

refuses("translation that is not valid", [
  [`<forward><nat/><nat/></forward>${IP}`, "Second <nat>", "<nat"],
  [`<forward mode='route'><nat/></forward>${IP}`, 'in forward mode "route"', "<nat", "mode='nat'"],
  ["<forward mode='none'><nat/></forward>", 'in forward mode "isolated"', "<nat"],
  [`<forward><nat ipv6='1'/></forward>${IP}`, 'ipv6 "1"', "<nat"],
  [nat("<address start='192.0.2.8' end='192.0.2.9'/><address/>"), "Second <address>", "<address"],
  [nat("<address end='192.0.2.9'/>"), "<address> has no start", "<address"],
  [nat("<address start='192.0.2.9'/>"), "has no end", "<address", "Add end='192.0.2.9'"],
  [nat("<address start='::1' end='::2'/>"), "is not IPv4", "<address"],
  [nat("<address start='192.0.2.9' end='x'/>"), "not an IP address", "<address"],
  [nat("<address start='192.0.2.9' end='192.0.2.8'/>"), "is reversed", "<address"],
  [nat("<address start='10.0.0.0' end='10.1.0.0'/>"), "is too large", "<address"],
  [nat("<port start='1' end='2'/><port/>"), "Second <port>", "<port"],
  [nat("<port end='2'/>"), "<port> has no start", "<port", "Add start='1024'"],
  [nat("<port start='1'/>"), "<port> has no end", "<port", "Add end='65535'"],
  [nat("<port start='65536' end='65537'/>"), "a number from 0 to 65535", "<port"],
  [nat("<port start='1' end='65536'/>"), "a number from 0 to 65535", "<port"],
  [nat("<port start='9' end='8'/>"), "is reversed", "<port", "start='8' end='9'"],
  [nat("<port start='9' end='0'/>"), "is reversed", "<port"],
  [nat("<port start='9' end='9'/>"), "is a single port, wanted two or more", "<port"],
  [nat("<port start='0' end='9'/>"), "starts with port 0", "<port", "Write start='1'"],
]);

refuses("devices that do not go together", [
  ["<forward mode='hostdev' dev='eth0'><address type='pci'/></forward>", "no place", "<address"],
  ["<forward mode='hostdev' dev='eth0'><pf dev='eth1'/></forward>", "no place", "<pf"],
  ["<forward mode='private'><interface/></forward>", "<interface> has no dev", "<interface"],
  [
    `<forward mode='private' dev='eth0'>${POOL}</forward>`,
    'has dev "eth0", but "eth1" is its first <interface>',
    "<interface",
    'Write dev="eth1"',
  ],
  [`<forward mode='private'>${POOL}${POOL}</forward>`, '"eth1" is listed twice', "<interface"],
  [
    "<forward mode='hostdev'><address type='pci' bus='0x0A'/><address type='pci' bus='10'/></forward>",
    "PCI address is listed twice",
    "<address",
  ],
  ["<forward mode='hostdev'><address/></forward>", 'no type, wanted "pci"', "<address"],
  ["<forward mode='hostdev'><address type='usb'/></forward>", 'type "usb"', "<address"],
  ["<forward mode='hostdev'><pf dev='a'/><pf dev='b'/></forward>", "Second <pf>", "<pf"],
  ["<forward mode='hostdev'><pf/></forward>", "<pf> has no dev", "<pf"],
  [`<forward mode='hostdev'><pf dev='a'/>${POOL}</forward>`, "mixes", "<pf"],
  [`<forward mode='hostdev'>${POOL}<address type='pci'/></forward>`, "mixes", "<address"],
  ["<forward mode='hostdev'><pf dev='a'/><address type='pci'/></forward>", "mixes", "<pf"],
  [`<forward mode='hostdev'>${POOL}</forward>`, 'names the interface "eth1"', "<forward"],
  ["<forward mode='private'><address type='pci'/></forward>", "wanted <interface>", "<address"],
  [`<forward mode='nat'><address type='pci'/></forward>${IP}`, "wanted <interface>", "<address"],
  [`<forward mode='nat'><pf dev='eth0'/></forward>${IP}`, "<pf> has no meaning", "<pf"],
]);

refuses("device names that the kernel does not have", [
  [`<forward dev=''/>${IP}`, "Interface name is empty", "<forward"],
  [`<forward dev='eth%d'/>${IP}`, 'contains "%"', "<forward"],
  [`<forward dev='0123456789abcdef'/>${IP}`, "has 16 bytes", "<forward"],
  ["<forward mode='private'><interface dev='a b'/></forward>", "white space", "<interface"],
  ["<forward mode='hostdev'><pf dev='..'/></forward>", "is reserved", "<pf"],
]);

refuses("what the forward mode needs or rules out", [
  ["<forward mode='nat'/>", "there is no <ip>", "network", "Add <ip"],
  ["<forward mode='route'/>", "there is no <ip>", "network"],
  [
    `<forward>${POOL}<interface dev='eth2'/></forward>${IP}`,
    "names several interfaces, wanted at most one",
    "<forward",
  ],
  ["<forward mode='open' dev='eth0'/>", '"open" names the interface "eth0"', "<forward"],
  [`<forward mode='open'>${POOL}</forward>`, "wanted none", "<forward"],
  ["<forward mode='private'/><bridge name='br0'/>", "<bridge> has a name", "<bridge"],
  ["<forward mode='vepa'/><bridge zone='z'/>", "<bridge> has a zone", "<bridge"],
  ["<forward mode='passthrough'/><bridge macTableManager='kernel'/>", "macTable", "<bridge"],
  ["<forward mode='hostdev'/><bridge name='br0'/>", "<bridge> has a name", "<bridge"],
  ["<forward mode='bridge'/><bridge name='br0' delay='1'/>", "has a delay", "<bridge"],
  ["<forward mode='bridge'/><bridge name='br0' stp='on'/>", "has a stp", "<bridge"],
  ["<forward mode='bridge'/><bridge name='br0' zone='z'/>", "has a zone", "<bridge"],
  ["<forward mode='private'/><bridge stp='off'/>", "has a stp", "<bridge"],
  [`<forward mode='bridge' dev='eth0'/><bridge name='br0'/>`, "wanted one of them", "<bridge"],
  ["<forward mode='bridge'><pf dev='a'/></forward><bridge name='br0'/>", "one of them", "<bridge"],
]);

for (const mode of ["bridge", "private", "vepa", "passthrough", "hostdev"]) {
  refuses(`elements of the host's own end in forward mode ${mode}`, [
    [`<forward mode='${mode}'/><mtu size='1500'/>`, "<mtu> has no meaning", "<mtu"],
    [`<forward mode='${mode}'/><mac address='52:54:00:00:00:01'/>`, "<mac> has no", "<mac"],
    [`<forward mode='${mode}'/>${IP}`, "<ip> has no meaning", "<ip", "Remove <ip>"],
    [`<forward mode='${mode}'/><dns><txt name='a' value=''/></dns>`, "<dns> has no", "<dns"],
    [`<forward mode='${mode}'/><domain name='d'/>`, "<domain> has no meaning", "<domain"],
  ]);
}

refuses("bandwidth and VLAN tags that the network cannot carry", [
  ["<forward mode='vepa'/><bandwidth/>", "<bandwidth> has no meaning", "<bandwidth"],
  ["<forward mode='bridge' dev='eth0'/><bandwidth/>", "<bandwidth> has no", "<bandwidth"],
  [
    "<forward mode='hostdev'/><portgroup name='a'><bandwidth/></portgroup>",
    "<bandwidth> has no meaning",
    "<bandwidth",
  ],
  ["<forward mode='private'/><vlan><tag id='1'/></vlan>", "<vlan> has no meaning", "<vlan"],
  ["<forward mode='bridge' dev='eth0'/><vlan/>", "<vlan> has no meaning", "<vlan"],
  [
    "<forward mode='bridge'/><virtualport type='openvswitch'/>" +
    "<portgroup name='a'><vlan/><virtualport/></portgroup>",
    "needs a virtual port that carries it",
    "<vlan",
    "openvswitch",
  ],
]);

Deno.test("empty settings are taken in modes that rule them out, as libvirt does", () => {
  const taken = [
    "<forward mode='bridge'/><bridge name='br0' delay='0' macTableManager='kernel'/>",
    "<forward mode='bridge'/><mtu size='0'/><mac/><domain/><dns enable='no'/>",
    "<forward mode='private'/><bridge/>",
    "<forward mode='none' dev='eth0'/>",
    "<forward mode='open'/>",
  ];
  for (const elements of taken) {
    assertEquals(parseNetwork(`<network><name>x</name>${elements}</network>`, "-").name, "x");
  }
});

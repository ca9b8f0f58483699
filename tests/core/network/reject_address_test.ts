/** Addresses, DHCP and routes that are refused. */
import { IP, refuses } from "./refusals.ts";

function ip(inside: string): string {
  return `<ip address='192.0.2.1' prefix='24'>${inside}</ip>`;
}

function ip6(inside: string): string {
  return `<ip family='ipv6' address='2001:db8::1' prefix='64'>${inside}</ip>`;
}

refuses("an address that is not valid", [
  ["<ip/>", "<ip> has no address", "<ip", "Add address="],
  ["<ip address='x'/>", '<ip> has address "x", which is not an IP address', "<ip"],
  ["<ip address='192.0.2.1' netmask='x'/>", 'netmask "x", which is not an IP address', "<ip"],
  ["<ip address='2001:db8::1'/>", "without family", "<ip", "Write family='ipv6'"],
  ["<ip family='ipv4' address='2001:db8::1'/>", "of family ipv4", "<ip", "Write family='ipv6'"],
  ["<ip family='ipv6' address='192.0.2.1'/>", "wanted one of ipv6", "<ip", "family='ipv4'"],
  ["<ip family='inet' address='192.0.2.1'/>", 'family "inet", wanted ipv4, ipv6', "<ip"],
  ["<ip address='192.0.2.1' netmask='ffff::'/>", 'netmask "ffff::", which is no netmask', "<ip"],
  [
    "<ip address='192.0.2.1' netmask='255.255.255.0' prefix='24'/>",
    "both netmask and prefix",
    "<ip",
    "prefix='24' alone",
  ],
  ["<ip address='192.0.2.1' prefix='33'/>", 'prefix "33", wanted 1 to 32', "<ip"],
  ["<ip address='192.0.2.1' prefix='/24'/>", 'prefix "/24", wanted a number', "<ip"],
  ["<ip family='ipv6' address='2001:db8::1' prefix='129'/>", "wanted 1 to 128", "<ip"],
  ["<ip family='ipv6' address='2001:db8::1' netmask='ffff::'/>", "wanted a prefix", "<ip"],
  ["<ip address='192.0.2.1' netmask='255.0.255.0'/>", "which is no netmask", "<ip"],
  ["<ip address='224.0.0.1'/>", 'address "224.0.0.1" without prefix', "<ip", "Add prefix="],
  ["<ip address='250.0.0.1'/>", "without prefix", "<ip"],
  ["<ip address='192.0.2.1' localPtr='true'/>", 'localPtr "true"', "<ip"],
  [ip6("<tftp root='/x'/>"), "<tftp> works in IPv4 only", "<tftp"],
]);

refuses("an address whose network would be the whole internet", [
  ["<ip address='0.0.0.0'/>", '"0.0.0.0/0" would hold all addresses', "<ip"],
  ["<ip address='10.0.0.1' netmask='0.0.0.0'/>", "would hold all addresses", "<ip"],
  ["<ip family='ipv6' address='::'/>", '"::/0" would hold all addresses', "<ip"],
]);

refuses("DHCP ranges that are not valid", [
  [ip("<dhcp><range end='192.0.2.9'/></dhcp>"), "<range> has no start", "<range", "192.0.2.2"],
  [ip("<dhcp><range start='192.0.2.9'/></dhcp>"), "<range> has no end", "<range"],
  [ip("<dhcp><range start='x' end='192.0.2.9'/></dhcp>"), "not an IP address", "<range"],
  [ip("<dhcp><range start='192.0.2.9' end='::1'/></dhcp>"), "mixes IPv4 and IPv6", "<range"],
  [
    ip("<dhcp><range start='192.0.3.1' end='192.0.3.9'/></dhcp>"),
    "not inside 192.0.2.0/24",
    "<range",
  ],
  [ip("<dhcp><range start='192.0.2.9' end='192.0.3.9'/></dhcp>"), "not inside", "<range"],
  [ip("<dhcp><range start='::1' end='::2'/></dhcp>"), "not inside", "<range"],
  [ip("<dhcp><range start='192.0.2.0' end='192.0.2.9'/></dhcp>"), "the network itself", "<range"],
  [ip("<dhcp><range start='192.0.2.9' end='192.0.2.255'/></dhcp>"), "the broadcast", "<range"],
  [
    ip("<dhcp><range start='192.0.2.9' end='192.0.2.2'/></dhcp>"),
    "is reversed",
    "<range",
    "start='192.0.2.2' end='192.0.2.9'",
  ],
  [
    "<ip address='10.0.0.1'><dhcp><range start='10.0.0.2' end='10.1.0.2'/></dhcp></ip>",
    "is too large, wanted at most 65536 addresses",
    "<range",
  ],
  [ip6("<dhcp><range start='2001:db8::2' end='2001:db8::1:2'/></dhcp>"), "too large", "<range"],
  [ip6("<dhcp><range start='2001:db8::ffff' end='2001:db8::1:0'/></dhcp>"), "too large", "<range"],
  [ip6("<dhcp><range start='2001:db8::9' end='2001:db8::2'/></dhcp>"), "reversed", "<range"],
]);

refuses("DHCP hosts that are not valid", [
  [
    ip6("<dhcp><host mac='52:54:00:00:00:01' ip='2001:db8::2'/></dhcp>"),
    "has a mac",
    "<host",
    "Write id='0:3:0:1:52:54:00:00:00:01'",
  ],
  [ip("<dhcp><host mac='x' ip='192.0.2.2'/></dhcp>"), 'has mac "x"', "<host"],
  [ip("<dhcp><host mac='01:00:5e:00:00:01' ip='192.0.2.2'/></dhcp>"), "multicast", "<host"],
  [ip6("<dhcp><host id='0:g' ip='2001:db8::2'/></dhcp>"), 'has id "0:g"', "<host"],
  [ip("<dhcp><host name='-a' ip='192.0.2.2'/></dhcp>"), 'has name "-a"', "<host"],
  [ip("<dhcp><host name='' ip='192.0.2.2'/></dhcp>"), "wanted a letter or digit", "<host"],
  [ip("<dhcp><host ip='192.0.2.2'/></dhcp>"), "neither mac nor name", "<host"],
  [ip6("<dhcp><host ip='2001:db8::2'/></dhcp>"), "neither id nor name", "<host"],
  [ip("<dhcp><host name='a'/></dhcp>"), "<host> has no ip", "<host"],
  [ip("<dhcp><host name='a' ip='x'/></dhcp>"), "not an IP address", "<host"],
]);

refuses("other DHCP settings that are not valid", [
  [
    ip("<dhcp><host name='a' ip='192.0.2.2'><lease expiry='1'/></host></dhcp>"),
    "lease of 1 minutes is too short, wanted 2 minutes",
    "<lease",
  ],
  [
    ip(
      "<dhcp><range start='192.0.2.2' end='192.0.2.2'><lease expiry='119' unit='seconds'/></range></dhcp>",
    ),
    "lease of 119 seconds is too short",
    "<lease",
  ],
  [
    ip("<dhcp><host name='a' ip='192.0.2.2'><lease expiry='9' unit='days'/></host></dhcp>"),
    'unit "days"',
    "<lease",
  ],
  [ip("<dhcp><bootp/></dhcp>"), "<bootp> has no file", "<bootp"],
  [ip("<dhcp><bootp file='x' server='y'/></dhcp>"), "not an IP address", "<bootp"],
  [
    `<ip address='10.0.0.1'><dhcp><host name='a' ip='10.0.0.2'/></dhcp></ip>${
      ip("<dhcp><host name='b' ip='192.0.2.2'/></dhcp>")
    }`,
    "Second <ip> of family ipv4 with DHCP",
    "<ip",
  ],
  [
    `${ip6("<dhcp><host name='a' ip='2001:db8::2'/></dhcp>")}` +
    "<ip family='ipv6' address='2001:db8:1::1'><dhcp><host name='a' ip='::2'/></dhcp></ip>",
    "Second <ip> of family ipv6 with DHCP",
    "<ip",
  ],
]);

refuses("routes that are not valid", [
  [`${IP}<route gateway='192.0.2.2'/>`, "<route> has no address", "<route"],
  [`${IP}<route address='10.0.0.0' prefix='8'/>`, "<route> has no gateway", "<route"],
  [`${IP}<route address='x' gateway='192.0.2.2'/>`, 'address "x"', "<route"],
  [`${IP}<route address='10.0.0.0' prefix='8' gateway='x'/>`, 'gateway "x"', "<route"],
  [
    `${IP}<route address='2001:db8::' prefix='32' gateway='192.0.2.2'/>`,
    "without family",
    "<route",
  ],
  [`${IP}<route address='10.0.0.0' prefix='8' gateway='2001:db8::2'/>`, "the gateway", "<route"],
  [
    `${IP}<route family='ipv6' address='10.0.0.0' prefix='8' gateway='192.0.2.2'/>`,
    "wanted one of ipv6",
    "<route",
  ],
  [`${IP}<route family='x' address='10.0.0.0' gateway='192.0.2.2'/>`, 'family "x"', "<route"],
  [
    `${IP}<route address='10.0.0.0' prefix='8' netmask='255.0.0.0' gateway='192.0.2.2'/>`,
    "both netmask and prefix",
    "<route",
  ],
  [`${IP}<route address='10.0.0.0' prefix='33' gateway='192.0.2.2'/>`, "wanted 1 to 32", "<route"],
  [
    `${IP}<route address='10.0.0.1' prefix='8' gateway='192.0.2.2'/>`,
    '"10.0.0.1/8" names an address inside a network',
    "<route",
    "Write address='10.0.0.0'",
  ],
  [
    `${IP}<route address='10.0.0.0' gateway='192.0.2.2'/>`,
    '"10.0.0.0/0" names an address inside',
    "<route",
    "Add prefix='24'",
  ],
  [
    `${IP}<route address='10.0.0.0' prefix='8' metric='0' gateway='192.0.2.2'/>`,
    'has metric "0"',
    "<route",
  ],
  [
    `${IP}<route address='10.0.0.0' prefix='8' metric='x' gateway='192.0.2.2'/>`,
    'has metric "x"',
    "<route",
  ],
  [
    `${IP}<route address='10.0.0.0' prefix='8' gateway='192.0.3.2'/>`,
    'Gateway "192.0.3.2" is not inside any <ip>',
    "<route",
  ],
  [`<route address='0.0.0.0' gateway='192.0.3.2'/>`, "is not inside any <ip>", "<route"],
]);

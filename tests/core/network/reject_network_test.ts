/** Definitions that are refused for the rest: identity, bridge, DNS, port groups. */
import { assertEquals, assertThrows } from "@std/assert";
import { NetworkDefinitionError } from "../../../core/network/network_error.ts";
import { parseNetwork } from "../../../core/network/parse_network.ts";
import { refuses } from "./refusals.ts";

function rejected(text: string, message: string): void {
  const error = assertThrows(() => parseNetwork(text, "lan.xml"), NetworkDefinitionError);
  assertEquals(error.message, message);
}

Deno.test("refused: a network without a name, or with one that cannot be", () => {
  rejected("<network/>", "lan.xml:1:1: Network has no name");
  rejected("<network> <name/></network>", "lan.xml:1:11: Network has no name");
  rejected(
    "<network>\n  <name>a/b</name></network>",
    'lan.xml:2:3: Network name "a/b" contains "/"',
  );
  rejected(
    "<network><name>a\nb</name></network>",
    'lan.xml:1:10: Network name "a\\u{a}b" contains a line break',
  );
  rejected(
    "<network><name>a&#13;b</name></network>",
    'lan.xml:1:10: Network name "a\\u{d}b" contains a line break',
  );
});

Deno.test("refused: an ipv6 that is neither yes nor no", () => {
  for (const value of ["", "default", "YES", "1", "true"]) {
    rejected(
      `<network ipv6='${value}'><name>x</name></network>`,
      `lan.xml:1:1: <network> has ipv6 "${value}", wanted yes, no`,
    );
  }
});

refuses("an element twice of which one counts", [
  ["<name>x</name>", "Second <name> in <network>, the first is at line 2", "<name", "Keep one"],
  ["<uuid/><uuid/>", "Second <uuid>", "<uuid"],
  ["<forward/><forward mode='open'/>", "Second <forward>", "<forward"],
  ["<bridge name='a'/><bridge name='b'/>", "Second <bridge>", "<bridge"],
  ["<dns/><dns/>", "Second <dns>", "<dns"],
  ["<mac/><mac/>", "Second <mac>", "<mac"],
  ["<mtu/><mtu/>", "Second <mtu>", "<mtu"],
  ["<domain/><domain/>", "Second <domain>", "<domain"],
]);

refuses("an identity that is malformed", [
  ["<uuid>x</uuid>", 'UUID "x" is malformed, wanted 32 hex digits', "<uuid", "Remove <uuid>"],
  ["<uuid>0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f</uuid>", "is malformed", "<uuid"],
  ["<uuid>0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9a</uuid>", "is malformed", "<uuid"],
  ["<uuid>0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8fg</uuid>", "is malformed", "<uuid"],
  ["<uuid>0a1b2c3d4-e5f-6071-8293-a4b5c6d7e8f9</uuid>", "is malformed", "<uuid"],
  ["<title>a&#10;b</title>", "<title> contains a line break", "<title", "<description>"],
]);

refuses("a domain, mac or mtu that is not valid", [
  ["<domain name='d' register='yes'/>", "is not localOnly", "<domain", "Add localOnly='yes'"],
  ["<domain name='d' register='yes' localOnly='no'/>", "is not localOnly", "<domain"],
  ["<domain name='d' register='maybe'/>", 'register "maybe"', "<domain"],
  ["<domain name='d' localOnly='on'/>", 'localOnly "on"', "<domain"],
  ["<domain name='d&#10;e'/>", "contains a line break", "<domain"],
  ["<mac address='52:54:00:00:00'/>", 'has mac "52:54:00:00:00", wanted six', "<mac"],
  ["<mac address='52-54-00-00-00-01'/>", "wanted six hex numbers", "<mac"],
  ["<mac address='53:54:00:00:00:01'/>", "is a multicast address", "<mac"],
  ["<mtu size='-1'/>", '<mtu> has size "-1", wanted a number', "<mtu"],
  ["<mtu size='4294967296'/>", "wanted a number from 0 to 4294967295", "<mtu"],
  ["<mtu size='1e3'/>", "wanted a number", "<mtu"],
  ["<mtu size='0x10'/>", "wanted a number", "<mtu"],
  ["<mtu size=' 5'/>", "wanted a number", "<mtu"],
  ["<mtu size='+5'/>", "wanted a number", "<mtu"],
  ["<mtu size='１'/>", "wanted a number", "<mtu"],
  ["<mtu size=''/>", "wanted a number", "<mtu"],
]);

refuses("a bridge that cannot be", [
  ["<bridge delay='2s'/>", '<bridge> has delay "2s"', "<bridge"],
  ["<bridge macTableManager='none'/>", "wanted kernel, libvirt", "<bridge"],
  ["<bridge name='0123456789abcdef'/>", "has 16 bytes, but at most 15 fit", "<bridge", "virbr%d"],
  ["<bridge name='brà'/>", "byte 0xA0", "<bridge"],
  ["<bridge name='a b'/>", "white space", "<bridge"],
  ["<bridge name='a/b'/>", 'contains "/"', "<bridge"],
  ["<bridge name='all'/>", "is reserved", "<bridge"],
  ["<bridge name='br%x'/>", 'contains "%"', "<bridge"],
  ["<bridge name='%d%d'/>", 'more than one "%"', "<bridge"],
  ["<bridge name='0123456789abc%d'/>", "exceeds 15 bytes with a number", "<bridge"],
]);

refuses("DNS that is switched off and filled in", [
  ["<dns enable='no'><host ip='192.0.2.2'/></dns>", "<host> has no place", "<host", "Remove"],
  ["<dns enable='no'><srv/></dns>", "<srv> has no place", "<srv"],
  ["<dns enable='no'><txt/></dns>", "<txt> has no place", "<txt"],
  ["<dns enable='no'><forwarder/></dns>", "<forwarder> has no place", "<forwarder"],
  ["<dns enable='off'/>", 'has enable "off"', "<dns"],
  ["<dns forwardPlainNames='1'/>", 'has forwardPlainNames "1"', "<dns"],
]);

refuses("DNS records that are not valid", [
  ["<dns><forwarder/></dns>", "neither addr nor domain", "<forwarder"],
  ["<dns><forwarder addr='x'/></dns>", 'addr "x", which is not an IP address', "<forwarder"],
  ["<dns><host><hostname>a</hostname></host></dns>", "<host> has no ip", "<host>"],
  ["<dns><host ip='x'><hostname>a</hostname></host></dns>", "not an IP address", "<host "],
  ["<dns><host ip='192.0.2.2'/></dns>", "has no <hostname>", "<host"],
  ["<dns><host ip='192.0.2.2'><hostname/></host></dns>", "<hostname> is empty", "<hostname"],
  ["<dns><srv protocol='tcp'/></dns>", "<srv> has no service", "<srv"],
  ["<dns><srv service='ldap'/></dns>", "<srv> has no protocol", "<srv", "protocol='tcp'"],
  ["<dns><srv service='a b' protocol='tcp'/></dns>", 'service "a b", wanted one word', "<srv"],
  ["<dns><srv service='a' protocol='t,p'/></dns>", 'protocol "t,p"', "<srv"],
  ["<dns><srv service='a' protocol='t' port='1'/></dns>", "port but no target", "<srv"],
  ["<dns><srv service='a' protocol='t' priority='1'/></dns>", "priority but no target", "<srv"],
  ["<dns><srv service='a' protocol='t' weight='1'/></dns>", "weight but no target", "<srv"],
  ["<dns><srv service='a' protocol='t' target='x' port='65536'/></dns>", "1 to 65535", "<srv"],
  ["<dns><srv service='a' protocol='t' target='x' port='0'/></dns>", "1 to 65535", "<srv"],
  ["<dns><srv service='a' protocol='t' target='x' weight='65536'/></dns>", "0 to 65535", "<srv"],
  ["<dns><srv service='a' protocol='t' target='x' weight='x'/></dns>", 'weight "x"', "<srv"],
  ["<dns><txt value='v'/></dns>", "<txt> has no name", "<txt"],
  ["<dns><txt name='n'/></dns>", "<txt> has no value", "<txt"],
  ["<dns><txt name='a b' value='v'/></dns>", "contains a space or comma", "<txt"],
  ["<dns><txt name='a,b' value='v'/></dns>", "contains a space or comma", "<txt"],
]);

refuses("line breaks in DNS, which would become lines of a configuration", [
  ["<dns><txt name='n' value='a&#10;b'/></dns>", "contains a line break", "<txt"],
  ["<dns><txt name='a&#10;b' value='v'/></dns>", "contains a line break", "<txt"],
  ["<dns><forwarder domain='a&#10;b'/></dns>", "contains a line break", "<forwarder"],
  ["<dns><srv service='a' protocol='t' target='x&#13;y'/></dns>", "a line break", "<srv"],
  ["<dns><srv service='a' protocol='t' domain='x&#10;y'/></dns>", "a line break", "<srv"],
  ["<dns><host ip='::1'><hostname>a&#10;b</hostname></host></dns>", "line break", "<hostname"],
]);

refuses("port groups that are not valid", [
  ["<portgroup/>", "<portgroup> has no name", "<portgroup"],
  ["<portgroup name='a'/><portgroup name='a'/>", 'with the name "a"', "<portgroup"],
  [
    "<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/>",
    '"b" is the default, but "a" is already',
    "<portgroup",
  ],
  ["<portgroup name='a' default='1'/>", 'default "1"', "<portgroup"],
  ["<port isolated='1'/>", 'isolated "1"', "<port"],
]);

Deno.test("VLAN tags and bandwidth are taken where something carries them", () => {
  const taken = [
    "<vlan/>",
    "<bandwidth/>",
    "<forward mode='hostdev'/><vlan/>",
    "<forward mode='passthrough'/><vlan/>",
    "<forward mode='bridge'/><bridge name='br0'/><vlan/><bandwidth/>",
    "<forward mode='bridge'/><virtualport type='openvswitch'/><vlan/>",
    "<forward mode='bridge'/><portgroup name='a'><vlan/><virtualport type='openvswitch'/></portgroup>",
  ];
  for (const elements of taken) {
    assertEquals(parseNetwork(`<network><name>x</name>${elements}</network>`, "-").name, "x");
  }
});

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { isElement, parse, stringify } from "@std/xml";
import { formatAddress, formatSubnet } from "../../../core/address.ts";
import { networkFromElement, parseNetwork } from "../../../core/network/parse_network.ts";
import { NetworkDefinitionError } from "../../../core/network/network_error.ts";
import type { Network } from "../../../core/network/network.ts";

/** A network with a name and these elements, all on one line after the first. */
function read(elements: string, attributes = ""): Network {
  return parseNetwork(`<network${attributes}>\n<name>lan</name>${elements}</network>`, "lan.xml");
}

function problemOf(text: string): NetworkDefinitionError {
  return assertThrows(() => parseNetwork(text, "lan.xml"), NetworkDefinitionError);
}

const IP = "<ip address='192.0.2.1' prefix='24'/>";

Deno.test("the smallest network is isolated and has no address", () => {
  const text = "<network><name>lan</name></network>";
  assertEquals({ ...parseNetwork(text, "-"), source: undefined as unknown }, {
    name: "lan",
    ipv6: false,
    forward: { mode: "isolated" },
    bridge: {},
    addresses: [],
    routes: [],
    published: [],
    source: undefined,
  });
});

Deno.test("a network as people have it is read with all that matters to a firewall", () => {
  const network = parseNetwork(
    `<?xml version='1.0' encoding='utf-8'?>
     <!-- of the office -->
     <network ipv6='yes' connections='3'>
       <name>office</name>
       <uuid>0A1B2C3D-0000-4000-8000-00000000000F</uuid>
       <title>Office</title>
       <forward mode='nat' dev='eth0'>
         <nat ipv6='yes'>
           <address start='203.0.113.4' end='203.0.113.7'/>
           <port start='2000' end='3000'/>
         </nat>
       </forward>
       <bridge name='virbr7' stp='on' delay='0' zone='trusted' macTableManager='kernel'/>
       <mtu size='1400'/>
       <mac address='52:54:00:00:00:01'/>
       <domain name='office.example' localOnly='yes' register='yes'/>
       <dns forwardPlainNames='no'>
         <forwarder domain='example.com' addr='192.0.2.53'/>
         <host ip='10.8.0.2'><hostname>one</hostname></host>
         <srv service='ldap' protocol='tcp' target='one' port='389' priority='0' weight='0'/>
         <txt name='note' value='a b'/>
       </dns>
       <ip address='10.8.0.1' netmask='255.255.255.0' localPtr='yes'>
         <tftp root='/srv/tftp'/>
         <dhcp>
           <range start='10.8.0.100' end='10.8.0.200'><lease expiry='1' unit='hours'/></range>
           <host mac='52:54:00:00:00:02' name='one' ip='10.8.0.2'/>
           <bootp file='pxelinux.0' server='10.8.0.1'/>
         </dhcp>
       </ip>
       <ip family='ipv6' address='2001:db8::1' prefix='64'/>
       <route address='10.9.0.0' prefix='16' gateway='10.8.0.2' metric='2'/>
       <route family='ipv6' address='2001:db8:9::' prefix='48' gateway='2001:db8::2'/>
       <portgroup name='staff' default='yes'/>
     </network>`,
    "office.xml",
  );
  assertEquals(network.name, "office");
  assertEquals(network.uuid, "0a1b2c3d-0000-4000-8000-00000000000f");
  assertEquals(network.ipv6, true);
  assertEquals(network.bridge, { name: "virbr7", zone: "trusted" });
  assert(network.forward.mode === "nat");
  const { addresses, ...forward } = network.forward;
  assertEquals(forward, {
    mode: "nat",
    device: "eth0",
    ipv6: true,
    ports: { start: 2000, end: 3000 },
  });
  assert(addresses !== undefined);
  assertEquals(formatAddress(addresses.start), "203.0.113.4");
  assertEquals(formatAddress(addresses.end), "203.0.113.7");
  assertEquals(
    network.addresses.map(({ address, subnet, dhcp, tftp }) =>
      [formatAddress(address), formatSubnet(subnet), dhcp, tftp].join(" ")
    ),
    ["10.8.0.1 10.8.0.0/24 true true", "2001:db8::1 2001:db8::/64 false false"],
  );
  assertEquals(
    network.routes.map(({ destination, gateway }) =>
      `${formatSubnet(destination)} via ${formatAddress(gateway)}`
    ),
    ["10.9.0.0/16 via 10.8.0.2", "2001:db8:9::/48 via 2001:db8::2"],
  );
});

Deno.test("forward modes have libvirt's names and defaults", () => {
  const ports = { start: 1024, end: 65535 };
  assertEquals(read("<forward mode='none'/>").forward, { mode: "isolated" });
  assertEquals(read(`<forward/>${IP}`).forward, { mode: "nat", ipv6: false, ports });
  assertEquals(read(`<forward mode='nat'/>${IP}`).forward, { mode: "nat", ipv6: false, ports });
  assertEquals(read(`<forward mode='route'/>${IP}`).forward, { mode: "route" });
  assertEquals(read("<forward mode='open'/>").forward, { mode: "open" });
  assertEquals(
    read("<forward mode='bridge'/><bridge name='br0'/>").forward,
    { mode: "bridge" },
  );
  for (const mode of ["private", "vepa", "passthrough"] as const) {
    const pool = "<interface dev='eth1'/><interface dev='eth2'/>";
    assertEquals(read(`<forward mode='${mode}' dev='eth1'>${pool}</forward>`).forward, { mode });
  }
  const functions = "<address type='pci' bus='0x3' function='1'/><address type='pci' bus='4'/>";
  assertEquals(read(`<forward mode='hostdev'>${functions}</forward>`).forward, { mode: "hostdev" });
  assertEquals(read("<forward mode='hostdev'><pf dev='eth1'/></forward>").forward, {
    mode: "hostdev",
  });
});

Deno.test("the forward device is dev or the first interface", () => {
  const forwards = [
    "<forward mode='route' dev='eth1'/>",
    "<forward mode='route'><interface dev='eth1'/></forward>",
    "<forward mode='route' dev='eth1'><interface dev='eth1'/></forward>",
  ];
  for (const forward of forwards) {
    assertEquals(read(forward + IP).forward, { mode: "route", device: "eth1" });
  }
});

Deno.test("an address without prefix gets that of its class, or 64 in IPv6", () => {
  const rows: readonly (readonly [attributes: string, subnet: string])[] = [
    ["address='10.1.2.3'", "10.0.0.0/8"],
    ["address='127.255.255.255'", "127.0.0.0/8"],
    ["address='128.0.0.1'", "128.0.0.0/16"],
    ["address='191.255.0.1'", "191.255.0.0/16"],
    ["address='192.0.2.1'", "192.0.2.0/24"],
    ["address='223.255.255.1'", "223.255.255.0/24"],
    ["address='224.0.0.1' prefix='4'", "224.0.0.0/4"],
    ["address='10.1' prefix='0'", "10.0.0.0/8"],
    ["address='10.1.2.3' prefix='016'", "10.1.0.0/16"],
    ["address='10.1.2.3' prefix='32' family='ipv4'", "10.1.2.3/32"],
    ["address='10.1.2.3' netmask='255.255.254.0'", "10.1.2.0/23"],
    ["address='10.1.2.3' netmask='255.255.254.0' prefix='0'", "10.1.2.0/23"],
    ["address='2001:db8::1' family='ipv6'", "2001:db8::/64"],
    ["address='2001:DB8::1' family='ipv6' prefix='127'", "2001:db8::/127"],
  ];
  for (const [attributes, subnet] of rows) {
    const [address] = read(`<ip ${attributes}/>`).addresses;
    assertEquals(address && formatSubnet(address.subnet), subnet, attributes);
  }
});

Deno.test("DHCP is on with a range or a host, not with an empty element", () => {
  const dhcpOf = (inside: string): boolean | undefined =>
    read(`<ip address='10.0.0.1' prefix='24'>${inside}</ip>`).addresses[0]?.dhcp;
  assertEquals(dhcpOf(""), false);
  assertEquals(dhcpOf("<dhcp/>"), false);
  assertEquals(dhcpOf("<dhcp><bootp file='x'/></dhcp>"), false);
  assertEquals(dhcpOf("<dhcp><range start='10.0.0.2' end='10.0.0.2'/></dhcp>"), true);
  assertEquals(dhcpOf("<dhcp><host name='a' ip='10.0.0.2'/></dhcp>"), true);
});

Deno.test("DHCP may be on for one address of each family", () => {
  const network = read(
    "<ip address='10.0.0.1' prefix='24'><dhcp><host name='a' ip='10.0.0.2'/></dhcp></ip>" +
      "<ip address='10.0.1.1' prefix='24'/>" +
      "<ip family='ipv6' address='2001:db8::1'><dhcp><host id='0:1' ip='2001:db8::2'/></dhcp></ip>",
  );
  assertEquals(network.addresses.map(({ dhcp }) => dhcp), [true, false, true]);
});

Deno.test("TFTP is on with a root", () => {
  const tftpOf = (inside: string): boolean | undefined =>
    read(`<ip address='10.0.0.1' prefix='24'>${inside}</ip>`).addresses[0]?.tftp;
  assertEquals(tftpOf("<tftp/>"), false);
  assertEquals(tftpOf("<tftp root='/srv'/>"), true);
});

Deno.test("translated ports are the usual ones unless given, 0 to 0 counting as not given", () => {
  const portsOf = (port: string): unknown => {
    const { forward } = read(`<forward><nat>${port}</nat></forward>${IP}`);
    return forward.mode === "nat" ? forward.ports : undefined;
  };
  assertEquals(portsOf(""), { start: 1024, end: 65535 });
  assertEquals(portsOf("<port start='0' end='0'/>"), { start: 1024, end: 65535 });
  assertEquals(portsOf("<port start='1' end='65535'/>"), { start: 1, end: 65535 });
});

Deno.test("a default route through a guest needs no prefix", () => {
  const route = "<route address='0.0.0.0' gateway='192.0.2.9'/>";
  const [first] = read(IP + route).routes;
  assertEquals(first && formatSubnet(first.destination), "0.0.0.0/0");
});

Deno.test("names are kept exactly", () => {
  const names = [
    " lan ",
    "réseau",
    "网络",
    "-rf",
    "$(x)",
    "..",
    "a b",
    "\u202elan",
    "__proto__",
    "😀",
  ];
  for (const name of names) {
    assertEquals(parseNetwork(`<network><name>${name}</name></network>`, "-").name, name);
  }
  const written = "<network><name><![CDATA[a&b]]>&lt;<!-- c --></name></network>";
  assertEquals(parseNetwork(written, "-").name, "a&b<");
});

Deno.test("a UUID is taken in any of libvirt's spellings", () => {
  const wanted = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
  const spellings = [
    wanted,
    wanted.toUpperCase(),
    wanted.replaceAll("-", ""),
    "\n  0a 1b-2c--3d 4e5f60718293a4b5c6d7e8f9\n",
  ];
  for (const spelling of spellings) assertEquals(read(`<uuid>${spelling}</uuid>`).uuid, wanted);
  assertEquals(read("<uuid/>").uuid, undefined);
});

Deno.test("an empty bridge name asks for a generated one", () => {
  assertEquals(read("<bridge name='' zone=''/>").bridge, {});
  assertEquals(read("<bridge stp='off'/>").bridge, {});
  assertEquals(read("<bridge name='br%d'/>").bridge, { name: "br%d" });
});

Deno.test("unknown elements and attributes change nothing and are kept", () => {
  const text = "<network xmlns:x='urn:x' x:mode='nat' future='1'><name>lan</name>" +
    "<metadata><x:publish port='80'/></metadata><x:forward mode='open'/><future/>" +
    "<forward xmlns='urn:other' mode='route'/></network>";
  const network = parseNetwork(text, "-");
  assertEquals(network.forward, { mode: "isolated" });
  assertEquals(network.source.attributes["future"], "1");
  assertEquals(
    network.source.children.filter(isElement).map(({ name }) => name.raw),
    ["name", "metadata", "x:forward", "future", "forward"],
  );
});

Deno.test("a definition reads the same from its source, written again", () => {
  const network = read(`<forward dev='eth0'/><bridge name='br0'/>${IP}`, " ipv6='no'");
  const again = networkFromElement(parse(stringify(network.source)).root, "lan.xml");
  assertEquals({ ...again, source: undefined as unknown }, {
    ...network,
    source: undefined as unknown,
  });
});

Deno.test("an element made by hand has errors at the first line", () => {
  const name = { raw: "network", local: "network" };
  const root = { type: "element" as const, name, attributes: {}, children: [] };
  const error = assertThrows(() => networkFromElement(root, "-"), NetworkDefinitionError);
  assertEquals(error.message, "-:1:1: Network has no name");
});

Deno.test("another kind of file is called by its name", () => {
  const rows: readonly (readonly [text: string, message: string])[] = [
    ["<domain type='kvm'><name>x</name></domain>", '"domain", a guest, wanted "network"'],
    ["<networkstatus/>", "the status of an active network"],
    ["<html/>", '"html", wanted "network"'],
    ["<Network/>", 'wanted "network"'],
    ["<n:network xmlns:n='urn:n'/>", '"n:network", wanted "network"'],
    ["<network xmlns='urn:n'><name>x</name></network>", "<network> is in a namespace"],
    ["<__proto__/>", 'wanted "network"'],
  ];
  for (const [text, message] of rows) {
    const error = problemOf(text);
    assertStringIncludes(error.message, message);
    assert(error.hint !== undefined);
  }
});

Deno.test("text that is not XML is refused with its place, once", () => {
  const error = problemOf("<network>\n <name>lan</nam></network>");
  assertEquals(error.message, "lan.xml:2:11: Missing end tag for element name");
  assertEquals(error.position, { line: 2, column: 11 });
  assertStringIncludes(problemOf("").message, "lan.xml:1:1: Root element is missing");
  assertStringIncludes(problemOf("<!DOCTYPE network><network/>").message, "DOCTYPE");
});

Deno.test("a file in another encoding is refused unless it is ASCII", () => {
  const text = "<?xml version='1.0' encoding='ISO-8859-1'?><network><name>x</name></network>";
  assertEquals(parseNetwork(text, "-").name, "x");
  const error = problemOf(text.replace(">x<", ">\ufffd<"));
  assertStringIncludes(error.message, 'Encoding "ISO-8859-1" is not read, wanted UTF-8');
  assertEquals(error.hint, "Convert the file: iconv -f ISO-8859-1 -t UTF-8");
});

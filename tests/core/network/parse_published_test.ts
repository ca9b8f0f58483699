import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { stringify } from "@std/xml";
import { NetworkDefinitionError } from "../../../core/network/network_error.ts";
import { networkFromElement, parseNetwork } from "../../../core/network/parse_network.ts";
import { withPublished } from "../../../core/network/parse_published.ts";
import { findSharedPort, formatSpec } from "../../../core/network/published_port.ts";
import { CROWDED_PORTS } from "../../support/arbitrary_ports.ts";
import { network } from "../../support/definitions.ts";
import { refuses } from "./refusals.ts";

const URI = "urn:bridgewall:network:1";
const NS = `xmlns:bridgewall='${URI}'`;
const IPS =
  "<ip address='192.168.122.1' prefix='24'/><ip family='ipv6' address='fd00::1' prefix='64'/>";

const WEB = "proto='tcp' port='8080' to='192.168.122.10:80'";

function specs(metadata: string, elements = IPS): readonly string[] {
  return network(`<metadata>${metadata}</metadata>${elements}`).published.map(formatSpec);
}

/** The ways in which the same port may stand in `<metadata>`. */
const FORMS: Readonly<Record<string, string>> = {
  "by itself": `<bridgewall:publish ${NS} ${WEB}/>`,
  "in an element of ours":
    `<bridgewall:network ${NS}><bridgewall:publish ${WEB}/></bridgewall:network>`,
  "with another prefix": `<x:network xmlns:x='${URI}'><x:publish ${WEB}/></x:network>`,
  "with a default namespace": `<network xmlns='${URI}'><publish ${WEB}/></network>`,
  "with a default namespace of its own": `<publish xmlns='${URI}' ${WEB}/>`,
  "between what others keep there":
    `<!-- web --><a:b xmlns:a='urn:a'><bridgewall:publish ${NS} port='no'/></a:b>` +
    `<bridgewall:publish ${NS} ${WEB}/><publish/>text`,
  "with what others keep in ours":
    `<bridgewall:network ${NS}><a:b xmlns:a='urn:a'/><bridgewall:publish ${WEB}/></bridgewall:network>`,
};

for (const [says, metadata] of Object.entries(FORMS)) {
  Deno.test(`a published port is read that stands ${says}`, () => {
    assertEquals(specs(metadata), ["8080:192.168.122.10:80/tcp"]);
  });
}

Deno.test("a prefix may be declared anywhere around", () => {
  const text = `<network ${NS}><name>lan</name><metadata><bridgewall:publish ${WEB}/></metadata>` +
    `${IPS}</network>`;
  assertEquals(parseNetwork(text, "x").published.map(formatSpec), ["8080:192.168.122.10:80/tcp"]);
});

Deno.test("what is no metadata of ours publishes nothing", () => {
  const others = [
    "",
    "<publish proto='tcp'/>",
    "<a:publish xmlns:a='urn:other' proto='tcp'/>",
    "<publish xmlns='urn:other'/>",
    "<a:network xmlns:a='urn:other'><publish/></a:network>",
  ];
  for (const metadata of others) assertEquals(specs(metadata), [], metadata);
  assertEquals(network(`<bridgewall:publish ${NS} ${WEB}/>${IPS}`).published, []);
});

Deno.test("every attribute is read, in both families", () => {
  const port = (attributes: string): unknown => {
    const { published: [one] } = network(
      `<metadata><bridgewall:publish ${NS} ${attributes}/></metadata>${IPS}`,
    );
    return one === undefined ? undefined : [formatSpec(one), one.localhost, one.runtime];
  };
  assertEquals(port(`${WEB} localhost='yes' runtime='yes'`), [
    "8080:192.168.122.10:80/tcp",
    true,
    true,
  ]);
  assertEquals(port(`${WEB} localhost='no' runtime='no'`), [
    "8080:192.168.122.10:80/tcp",
    false,
    false,
  ]);
  assertEquals(port("proto='sctp' port='5000-5010' to='192.168.122.9' address='192.0.2.1'"), [
    "192.0.2.1:5000-5010:192.168.122.9:5000-5010/sctp",
    false,
    false,
  ]);
  assertEquals(port("proto='udp' port='53' to='[fd00::10]:5353' address='2001:db8::1'"), [
    "[2001:db8::1]:53:[fd00::10]:5353/udp",
    false,
    false,
  ]);
});

const PUBLISH = `<bridgewall:publish ${NS}`;
const META = (text: string, elements = IPS): string => `<metadata>${text}</metadata>${elements}`;

refuses("elements of ours that mean nothing", [
  [
    META(`<bridgewall:expose ${NS}/>`),
    'Element "bridgewall:expose" is unknown',
    "<bridgewall:expose",
    "Write <bridgewall:publish …/>",
  ],
  [
    META(`<bridgewall:network ${NS}><bridgewall:network/></bridgewall:network>`),
    'Element "bridgewall:network" is unknown',
    "<bridgewall:network/>",
  ],
  [
    META(`<bridgewall:network ${NS}><publish ${WEB}/></bridgewall:network>`),
    'Element "publish" in <bridgewall:network> is in no namespace',
    "<publish",
    "Write <bridgewall:publish …/>",
  ],
  [
    META(`<network xmlns='${URI}'><publish xmlns='' ${WEB}/></network>`),
    'Element "publish" in <network> is in no namespace',
    "<publish",
  ],
  [
    META(`<x:publish xmlns:x='urn:bridgewall:network:2' ${WEB}/>`),
    'Namespace "urn:bridgewall:network:2" is unknown',
    "<x:publish",
    `Write xmlns:bridgewall="${URI}"`,
  ],
  [
    META(`<publish xmlns='urn:bridgewall:'/>`),
    'Namespace "urn:bridgewall:" is unknown',
    "<publish",
    `Write xmlns:bridgewall="${URI}"`,
  ],
  [
    META(`${PUBLISH} ${WEB} from='x'/>`),
    '<bridgewall:publish> has "from", which is unknown',
    PUBLISH,
    "It takes proto, port, to, address, localhost",
  ],
  [META("") + META(""), "Second <metadata> in <network>", "<metadata>", "Keep one <metadata>"],
]);

refuses("ports that are not whole", [
  [
    META(`${PUBLISH} port='8080' to='192.168.122.10'/>`),
    "<bridgewall:publish> has no proto",
    PUBLISH,
    "Add proto='tcp'",
  ],
  [
    META(`${PUBLISH} proto='tcp' to='192.168.122.10'/>`),
    "<bridgewall:publish> has no port",
    PUBLISH,
    "Add port='8080'",
  ],
  [
    META(`${PUBLISH} proto='tcp' port='' to='192.168.122.10'/>`),
    "<bridgewall:publish> has no port",
    PUBLISH,
  ],
  [
    META(`${PUBLISH} proto='tcp' port='8080'/>`),
    "<bridgewall:publish> has no to",
    PUBLISH,
    "Add to='192.168.122.10:80'",
  ],
  [
    META(`${PUBLISH} proto='icmp' port='1' to='192.168.122.10'/>`),
    'Cannot publish the protocol "icmp"',
    PUBLISH,
    "Choose one of tcp, udp, sctp",
  ],
  [META(`${PUBLISH} proto='tcp' port='a' to='192.168.122.10'/>`), 'Cannot read "a" as', PUBLISH],
  [
    META(`${PUBLISH} proto='tcp' port=' 80' to='192.168.122.10'/>`),
    'Cannot read " 80" as ports',
    PUBLISH,
  ],
  [
    META(`${PUBLISH} proto='tcp' port='80' to='guest'/>`),
    'Cannot read "guest" as the address of a guest',
    PUBLISH,
    "Write 192.168.122.10:80 or [fd00::10]:80",
  ],
  [
    META(`${PUBLISH} proto='tcp' port='80' to='fd00::10'/>`),
    'Cannot read "fd00::10" as the address of a guest',
    PUBLISH,
  ],
  [
    META(`${PUBLISH} ${WEB} address=''/>`),
    'Cannot read "" as an IP address',
    PUBLISH,
  ],
  [
    META(`${PUBLISH} ${WEB} address='[192.0.2.1'/>`),
    'Cannot read "[192.0.2.1" as an IP address',
    PUBLISH,
  ],
  [
    META(`${PUBLISH} ${WEB} address='192.0.2'/>`),
    'Cannot read "192.0.2" as an IP address',
    PUBLISH,
  ],
  [
    META(`${PUBLISH} ${WEB} localhost='true'/>`),
    '<bridgewall:publish> has localhost "true", wanted yes, no',
    PUBLISH,
  ],
  [
    META(`${PUBLISH} ${WEB} runtime=''/>`),
    '<bridgewall:publish> has runtime "", wanted yes, no',
    PUBLISH,
  ],
  [
    META(`${PUBLISH} proto='tcp' port='80' to='[fd00::10]:80' localhost='yes'/>`),
    "Localhost cannot lead to an IPv6 guest",
    PUBLISH,
  ],
]);

function port(to: string): string {
  return `${PUBLISH} proto='tcp' port='80' to='${to}'/>`;
}

refuses("guests that are none", [
  [
    META(port("192.168.123.10")),
    'Guest "192.168.123.10" is not inside the network',
    PUBLISH,
    "Name an address in 192.168.122.0/24",
  ],
  [
    META(port("[fd00::10]"), "<ip address='192.168.122.1' prefix='24'/>"),
    'Guest "fd00::10" is not inside the network',
    PUBLISH,
    "The network has no subnet of that family",
  ],
  [META(port("192.168.122.1")), `"192.168.122.1" is the host's own address`, PUBLISH],
  [META(port("[fd00::1]")), `"fd00::1" is the host's own address, not a guest's`, PUBLISH],
  [
    META(port("192.168.122.0")),
    `"192.168.122.0" is no guest's address in 192.168.122.0/24`,
    PUBLISH,
  ],
  [META(port("192.168.122.255")), `"192.168.122.255" is no guest's address in 192`, PUBLISH],
  [
    META(
      port("10.0.0.127"),
      "<ip address='10.0.0.1' prefix='24'/><ip address='10.0.0.9' prefix='25'/>",
    ),
    `"10.0.0.127" is no guest's address in 10.0.0.0/25`,
    PUBLISH,
  ],
  [
    META(port("[fe80::9]"), "<ip family='ipv6' address='fe80::1' prefix='64'/>"),
    'Guest "fe80::9" is link-local: nothing is forwarded there',
    PUBLISH,
    "Name another address of the guest",
  ],
]);

Deno.test("guests may be behind guests, and in the smallest subnets", () => {
  const route = "<route address='10.9.0.0' prefix='16' gateway='192.168.122.7'/>";
  assertEquals(specs(port("10.9.1.2"), IPS + route), ["80:10.9.1.2:80/tcp"]);
  const everything = "<route address='0.0.0.0' gateway='192.168.122.7'/>";
  assertThrows(
    () => specs(port("10.9.1.2"), IPS + everything),
    NetworkDefinitionError,
    "is not inside the network",
  );
  assertEquals(specs(port("10.0.0.1"), "<ip address='10.0.0.0' prefix='31'/>"), [
    "80:10.0.0.1:80/tcp",
  ]);
  assertEquals(specs(port("[fd00::]")), ["80:[fd00::]:80/tcp"]);
});

for (const mode of ["open", "bridge", "private", "vepa", "passthrough", "hostdev"]) {
  Deno.test(`a network in mode ${mode} publishes nothing, and says where that is done`, () => {
    const device = ["open", "bridge"].includes(mode) ? "" : " dev='eth0'";
    const bridge = mode === "bridge" ? "<bridge name='br0'/>" : "";
    const ips = mode === "open" ? IPS : "";
    const forward = mode === "hostdev"
      ? "<forward mode='hostdev'><pf dev='eth0'/></forward>"
      : `<forward mode='${mode}'${device}/>`;
    const error = assertThrows(
      () => network(`<metadata>${PUBLISH} ${WEB}/></metadata>${forward}${bridge}${ips}`),
      NetworkDefinitionError,
      `A network in mode ${mode} publishes no ports: this host has no rules for it`,
    );
    assertEquals(error.hint, "Ports are published in modes nat, route and isolated");
    network(`<metadata/>${forward}${bridge}${ips}`);
  });
}

Deno.test("the same port twice is refused at the second, with the line of the first", () => {
  const text = (first: string, second: string): string =>
    `<network ${NS}>\n<name>lan</name>\n<metadata>\n<bridgewall:publish ${first}/>\n\n` +
    `<bridgewall:publish ${second}/></metadata>${IPS}</network>`;
  const overlaps: readonly (readonly [string, string, string])[] = [
    [WEB, WEB, "8080/tcp"],
    [WEB, "proto='tcp' port='8000-8090' to='192.168.122.11'", ""],
    [WEB, "proto='tcp' port='8080-8090' to='192.168.122.11'", "8080-8090/tcp"],
    [WEB, `${WEB} address='192.0.2.1'`, "192.0.2.1:8080/tcp"],
    [`${WEB} localhost='yes'`, `${WEB} address='127.0.0.1'`, "127.0.0.1:8080/tcp"],
  ];
  for (const [first, second, listener] of overlaps) {
    const error = assertThrows(
      () => parseNetwork(text(first, second), "lan.xml"),
      NetworkDefinitionError,
    );
    if (listener === "") {
      // In order of their ports the later element comes first.
      assertEquals(error.position.line, 4);
      assertStringIncludes(error.message, "Port 8080/tcp is published already, at line 6");
    } else {
      assertEquals(error.position.line, 6);
      assertStringIncludes(error.message, `Port ${listener} is published already, at line 4`);
    }
    assertEquals(error.hint, "Remove one of the two");
  }
  parseNetwork(text(WEB, WEB.replace("tcp", "udp")), "lan.xml");
});

const SPACE = "<ip address='10.0.0.1' prefix='8'/><ip family='ipv6' address='fd00::1' prefix='8'/>";

Deno.test("what a network publishes reads back as it was written into its definition", () => {
  const source = network(
    `<metadata><!-- mine --><a:b xmlns:a='urn:a'>x</a:b>${PUBLISH} ${
      WEB.replace("192.168.122.10", "10.0.0.9")
    }/></metadata>${SPACE}`,
  ).source;
  fc.assert(fc.property(fc.array(CROWDED_PORTS, { maxLength: 6 }), (all) => {
    const ports = all.map((one) => {
      const { family, value } = one.guest;
      const start = family === "ipv4" ? 10n << 24n : 0xfdn << 120n;
      return { ...one, guest: { family, value: start + 2n + (value & 0xffn) } };
    });
    const owned = ports.map((published) => ({ published, owner: "" }));
    fc.pre(findSharedPort(owned) === undefined);
    const written = withPublished(source, ports);
    const text = stringify(written);
    assertEquals(parseNetwork(text, "x").published, ports);
    assertEquals(networkFromElement(written, "x").published, ports);
    assertEquals(
      withPublished(networkFromElement(written, "x").source, []),
      withPublished(source, []),
    );
    assert(text.includes("<!-- mine --><a:b"), text);
  }));
});

Deno.test("a definition is as before when the last port is gone that was added to it", () => {
  const { source } = network(IPS);
  const { published } = network(META(`${PUBLISH} ${WEB}/>`));
  const added = networkFromElement(withPublished(source, published), "test").source;
  assertEquals(withPublished(added, []), source);
});

Deno.test("a port inside of another is not passed over in silence", () => {
  const error = assertThrows(
    () => network(META(`${PUBLISH} ${WEB}>${PUBLISH} ${WEB}/></bridgewall:publish>`)),
    NetworkDefinitionError,
  );
  assertStringIncludes(error.message, "stands in <bridgewall:publish>, which holds nothing");
});

Deno.test("a definition that publishes nothing stays as it is", () => {
  for (const metadata of ["", "<metadata/>", "<metadata><!-- mine --></metadata>"]) {
    const { source } = network(metadata + IPS);
    assertEquals(withPublished(source, []), source);
  }
});

Deno.test("as many ports as fit into a definition are read in a moment", () => {
  const ports = (attributes: (index: number) => string): string =>
    `<x:network xmlns:x='${URI}'>${
      Array.from({ length: 12_000 }, (_, index) => `<x:publish proto='tcp' ${attributes(index)}/>`)
        .join("")
    }</x:network>`;
  const address = (index: number): string => `1.1.${index >> 8}.${index & 255}`;
  const definitions = [
    ports((index) => `port='${index + 1}' to='10.0.0.2'`),
    ports((index) => `port='1' to='10.0.0.2' address='${address(index)}'`),
    ports((index) => `port='1-65535' to='10.0.0.2' address='${address(index)}'`),
  ];
  for (const metadata of definitions) {
    const start = performance.now();
    assertEquals(specs(metadata, SPACE).length, 12_000);
    const took = performance.now() - start;
    assert(took < 10_000, `${took} ms`);
  }
});

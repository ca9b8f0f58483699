import { assertEquals } from "@std/assert";
import { networkFromElement } from "../../../core/network/parse_network.ts";
import { withPublished } from "../../../core/network/parse_published.ts";
import { formatSpec, parseSpec } from "../../../core/network/published_port.ts";
import type { Forward } from "../../../core/network/network.ts";
import { IPV4, network } from "../../support/definitions.ts";
import { refuses } from "./refusals.ts";

const URI = "urn:bridgewall:network:1";
const NS = `xmlns:bridgewall='${URI}'`;

function open(metadata: string, forward = "<forward mode='open'/>"): string {
  return `${forward}<metadata>${metadata}</metadata>${IPV4}`;
}

const NAT: Forward = { mode: "nat", ipv6: false, ports: { start: 1024, end: 65535 } };

/** What may stand in `<metadata>`, and what the network's firewall is then. */
const SAID: readonly (readonly [says: string, metadata: string, forward: Forward])[] = [
  ["nothing", "<forward mode='nat'/><x:forward xmlns:x='urn:x' mode='nat'/>", { mode: "open" }],
  ["nat, by itself", `<bridgewall:forward ${NS} mode='nat'/>`, NAT],
  [
    "nat, in an element of ours",
    `<bridgewall:network ${NS}><bridgewall:forward mode='nat'/></bridgewall:network>`,
    NAT,
  ],
  ["nat, with a default namespace", `<network xmlns='${URI}'><forward mode='nat'/></network>`, NAT],
  [
    "none, for isolated",
    `<bridgewall:forward ${NS} mode='none'/>`,
    { mode: "isolated" },
  ],
  [
    "route, by a device",
    `<bridgewall:forward ${NS} mode='route' dev='eth7'/>`,
    { mode: "route", device: "eth7" },
  ],
  [
    "nat, with all that it takes",
    `<b:forward xmlns:b='${URI}' mode='nat'><b:interface dev='eth7'/><b:nat ipv6='yes'>` +
    `<b:port start='5000' end='6000'/></b:nat></b:forward>`,
    { mode: "nat", device: "eth7", ipv6: true, ports: { start: 5000, end: 6000 } },
  ],
];

for (const [says, metadata, forward] of SAID) {
  Deno.test(`of a network that libvirt leaves open, metadata say: ${says}`, () => {
    const read = network(open(metadata));
    assertEquals(read.forward, forward);
    const ports = [{ ...parseSpec("8080:10.44.0.2:80/tcp", { localhost: false }) }];
    // What a record holds after `publish`, and after `unpublish`.
    for (const published of forward.mode === "open" ? [[]] : [ports, []]) {
      const again = networkFromElement(withPublished(read.source, published), "record");
      assertEquals(again.forward, forward);
      assertEquals(again.published.map(formatSpec), published.map(formatSpec));
      assertEquals(networkFromElement(withPublished(again.source, []), "x").forward, forward);
    }
  });
}

const OURS = `<bridgewall:forward ${NS} mode='nat'`;

refuses("a firewall in metadata that libvirt's own forward, or its words, do not allow", [
  [
    open(`${OURS}/>`, "<forward mode='nat'/>"),
    `<bridgewall:forward> stands beside libvirt's forward mode "nat", wanted "open"`,
    "<bridgewall:forward",
    "<forward mode='open'/>",
  ],
  [open(`${OURS}/>`, ""), `libvirt's forward mode "isolated"`, "<bridgewall:forward"],
  [open(`${OURS}/>${OURS}/>`), "Second <bridgewall:forward>, wanted one", "<bridgewall:forward"],
  [open(`<bridgewall:forward ${NS}/>`), "<bridgewall:forward> has no mode", "<bridgewall:forward"],
  [
    open(`<bridgewall:forward ${NS} mode='open'/>`),
    '<bridgewall:forward> has mode "open", wanted nat, route, none',
    "<bridgewall:forward",
  ],
  [
    open(`${OURS} device='eth0'/>`),
    '<bridgewall:forward> has "device", which is unknown',
    "<bridgewall:forward",
    "It takes mode, dev",
  ],
  [
    open(`${OURS}><bridgewall:route/></bridgewall:forward>`),
    'Element "bridgewall:route" has no place in <bridgewall:forward>',
    "<bridgewall:route",
    "It holds nat and interface",
  ],
  [
    open(`${OURS}><nat ipv6='yes'/></bridgewall:forward>`),
    'Element "nat" in <bridgewall:forward> is in no namespace',
    "<nat",
  ],
  [open(`${OURS} dev='a b'/>`), 'Interface name "a b"', "<bridgewall:forward"],
  [
    `<forward mode='open'/><metadata>${OURS}/></metadata>`,
    'Forward mode "nat" needs the network of the guests',
    "network",
  ],
  [
    open(
      `${OURS}><bridgewall:nat><bridgewall:port start='9' end='8'/></bridgewall:nat>` +
        "</bridgewall:forward>",
    ),
    "is reversed",
    "<bridgewall:port",
  ],
]);

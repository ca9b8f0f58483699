import { assertEquals } from "@std/assert";
import { stringify } from "@std/xml";
import { makesBridge, type Network } from "../../../core/network/network.ts";
import { inOpenMode } from "../../../core/network/open_mode.ts";
import { networkFromElement, parseNetwork } from "../../../core/network/parse_network.ts";

const SCENARIOS = new URL("../../networks/", import.meta.url);

function read(scenario: string): Network {
  return parseNetwork(
    Deno.readTextFileSync(new URL(`${scenario}/network.xml`, SCENARIOS)),
    "network.xml",
  );
}

/** All but what libvirt is told. */
function meaning({ source: _, addresses, ...rest }: Network): unknown {
  return { ...rest, addresses: addresses.map(({ place: _, ...address }) => address) };
}

function elementsOf({ source }: Network, name: string): readonly string[] {
  return source.children.flatMap((node) =>
    node.type === "element" && node.name.raw === name ? [stringify(node)] : []
  );
}

for (const { name: scenario } of Deno.readDirSync(SCENARIOS)) {
  let network: Network;
  try {
    network = read(scenario);
  } catch {
    // Scenarios of several networks have other files.
    continue;
  }
  const { mode } = network.forward;
  if (!makesBridge(mode) || mode === "open") continue;
  Deno.test(`${scenario} means the same firewall when libvirt leaves the network open`, () => {
    const text = stringify(inOpenMode(network.source));
    const moved = parseNetwork(text, "moved.xml");
    assertEquals(meaning(moved), meaning(network));
    assertEquals(elementsOf(moved, "forward"), ['<forward mode="open"/>']);
    assertEquals(networkFromElement(moved.source, "x").forward, network.forward);
  });
}

Deno.test("guests of an isolated network get no default route and no names by libvirt's dnsmasq", () => {
  const before = "<network xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'>" +
    "<name>lab</name><ip address='10.0.0.1' prefix='24'/>" +
    "<d:options><d:option value='log-dhcp'/></d:options></network>";
  const moved = parseNetwork(stringify(inOpenMode(parseNetwork(before, "x").source)), "y");
  const [options] = elementsOf(moved, "dnsmasq:options");
  for (const value of ["dhcp-option=3", "no-resolv", "ra-param=*,0,0", "log-dhcp"]) {
    assertEquals(options?.split(`value="${value}"`).length, 2, value);
  }
  assertEquals(elementsOf(moved, "d:options"), []);
});

Deno.test("what else stands in metadata of ours stays beside the firewall", () => {
  const URI = "urn:bridgewall:network:1";
  const port = "proto='tcp' port='8080' to='10.0.0.2:80'";
  const forms = [
    `<b:network xmlns:b='${URI}'><b:publish ${port}/></b:network>`,
    `<network xmlns='${URI}'><publish ${port}/></network>`,
    `<bridgewall:network xmlns:bridgewall='${URI}'><bridgewall:publish ${port}/></bridgewall:network>`,
    `<b:publish xmlns:b='${URI}' ${port}/><o:os xmlns:o='urn:o'>x</o:os>`,
  ];
  for (const metadata of forms) {
    const before = `<network><name>lan</name><metadata>${metadata}</metadata>` +
      "<forward mode='nat'/><ip address='10.0.0.1' prefix='24'/></network>";
    const network = parseNetwork(before, "x");
    const text = stringify(inOpenMode(network.source));
    assertEquals(meaning(parseNetwork(text, "y")), meaning(network), text);
    assertEquals(text.includes("urn:o"), metadata.includes("urn:o"));
  }
});

import { assert } from "@std/assert";
import fc from "fast-check";
import { stringify, type XmlElement, type XmlNode } from "@std/xml";
import { compileChange } from "../../../backends/nftables/compile.ts";
import { formatAddress, type IpAddress } from "../../../core/address.ts";
import { UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { NetworkDefinitionError } from "../../../core/network/network_error.ts";
import { parseNetwork } from "../../../core/network/parse_network.ts";
import { derivePolicy } from "../../../core/policy/derive_policy.ts";
import { addressesOf, INTERFACE_NAMES, XML_TEXTS } from "../../support/arbitrary.ts";
import { FRESH_FACTS } from "../../support/definitions.ts";

type Attributes = Readonly<Record<string, string>>;

function element(
  name: string,
  attributes: Attributes,
  ...children: readonly XmlNode[]
): XmlElement {
  return { type: "element", name: { raw: name, local: name }, attributes, children };
}

const NAMES = XML_TEXTS.map((text) => text.replace(/[/\r\n]/g, "") || "lan");

const IPS = fc.constantFrom("ipv4" as const, "ipv6" as const).chain((family) =>
  fc.tuple(addressesOf(family), fc.integer({ min: 8, max: 30 }))
).map(([address, prefix]: [IpAddress, number]) =>
  element("ip", {
    family: address.family,
    address: formatAddress(address),
    prefix: String(prefix),
  })
);

/** What is right nine times, and anything the tenth. */
function mostly(...right: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...right) }, XML_TEXTS);
}

/** One that is published by right, or by whatever else stands there. */
const PUBLISHED = fc.record({
  proto: mostly("tcp", "udp", "sctp"),
  port: mostly("80", "1-1000", "5000-5003"),
  to: mostly("10.0.0.2:80", "10.0.0.2", "10.0.0.3:1"),
  address: fc.option(mostly("192.0.2.1", "127.0.0.1"), { nil: undefined }),
  localhost: mostly("yes", "no"),
}).map(({ address, ...others }) =>
  element("b:publish", {
    "xmlns:b": "urn:bridgewall:network:1",
    ...others,
    ...(address === undefined ? {} : { address }),
  })
);

/** Definitions with hostile names, most of them valid. */
const DEFINITIONS = fc.record({
  name: NAMES,
  bridge: fc.oneof(INTERFACE_NAMES, XML_TEXTS),
  device: fc.option(fc.oneof(INTERFACE_NAMES, XML_TEXTS)),
  mode: fc.constantFrom("nat", "route"),
  ips: fc.array(IPS, { maxLength: 3 }),
  zone: XML_TEXTS,
  published: fc.option(PUBLISHED),
}).map(({ name, bridge, device, mode, ips, zone, published }) =>
  stringify(element(
    "network",
    {},
    element("name", {}, { type: "text", text: name }),
    element("forward", device === null ? { mode } : { mode, dev: device }),
    element("bridge", zone === "" ? { name: bridge } : { name: bridge, zone }),
    ...ips,
    ...(published === null ? [] : [
      element("ip", { address: "10.0.0.1", prefix: "24" }),
      element("metadata", {}, published),
    ]),
  ))
);

/** What a script consists of once everything quoted is taken out: words of nft and addresses. */
const BARE_WORD = /^[A-Za-z0-9/._:@,=!{};-]*$/;

Deno.test("outside of quotes a script holds words of nft alone, whatever the definition holds", () => {
  let [compiled, publishing] = [0, 0];
  fc.assert(
    fc.property(DEFINITIONS, (text) => {
      try {
        const network = parseNetwork(text, "test");
        const policy = derivePolicy({ network, bridge: network.bridge.name ?? "virbr0" });
        if (policy.kind !== "filtered") return;
        const [change] = compileChange("bridgewall", [policy], FRESH_FACTS).networks;
        const scripts = [
          ...change?.install.map(({ command }) => command.stdin ?? "") ?? [],
          ...change?.removal.flatMap(({ commands }) => commands.map(({ stdin }) => stdin ?? "")) ??
            [],
        ];
        for (const line of scripts.flatMap((script) => script.split("\n"))) {
          const rest = line.replace(/"[^"]*"/g, "");
          assert(!rest.includes('"'), line);
          for (const word of rest.split(" ")) assert(BARE_WORD.test(word), line);
        }
        compiled++;
        if (network.published.length > 0) publishing++;
      } catch (error) {
        const refused = error instanceof NetworkDefinitionError ||
          error instanceof UnsupportedNetworkError;
        if (!refused) throw error;
      }
    }),
    { numRuns: 600 },
  );
  assert(compiled > 20, `only ${compiled} definitions were valid`);
  assert(publishing > 3, `only ${publishing} of them published a port`);
});

/** XML of a `<network>` → {@linkcode Network}. The rules are those of libvirt 11.3. */
import { parse, XmlSyntaxError } from "@std/xml";
import type { XmlElement } from "@std/xml";
import { checkForwardMode } from "./check_forward_mode.ts";
import { checkHostElements } from "./check_host_elements.ts";
import { checkPortGroups } from "./check_port_groups.ts";
import { onlyPart, refuse, yesOrNo } from "./element_reader.ts";
import type { Part } from "./element_reader.ts";
import { makesBridge } from "./network.ts";
import type { Network } from "./network.ts";
import { NetworkDefinitionError } from "./network_error.ts";
import { parseMetadataForward } from "./metadata_forward.ts";
import { ownParts } from "./own_elements.ts";
import { parseBridge } from "./parse_bridge.ts";
import { parseForward } from "./parse_forward.ts";
import { parseName, parseUuid, refuseLongTitle } from "./parse_identity.ts";
import { parseAddresses } from "./parse_ip.ts";
import { parsePublished } from "./parse_published.ts";
import { parseRoutes } from "./parse_route.ts";
import { quoted } from "../quoted.ts";

/**
 * Reads a definition.
 *
 * It takes what libvirt 11.3 would define and start, as far as one definition alone decides that;
 * where less is taken, a comment says why. Elements and attributes it does not know are kept in
 * `source`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { networkFromElement, parseNetwork } from "./parse_network.ts";
 *
 * const text = "<network><name>lan</name><bridge name='virbr7'/></network>";
 * const network = parseNetwork(text, "lan.xml");
 * assertEquals(network.forward, { mode: "isolated" });
 * assertEquals(networkFromElement(network.source, "lan.xml"), network);
 * ```
 * @param file The file as the user named it, for errors; it is not read.
 * @throws {NetworkDefinitionError} When the text is not XML, or not a valid network.
 */
export function parseNetwork(text: string, file: string): Network {
  return networkFromElement(readRoot(text, file), file);
}

/**
 * As {@linkcode parseNetwork}, from a `<network>` element inside of something else.
 *
 * @throws {NetworkDefinitionError} When it is not a valid network.
 */
export function networkFromElement(root: XmlElement, file: string): Network {
  const part = { element: root, file };
  checkRoot(part);
  const name = parseName(part);
  const uuid = parseUuid(part);
  const ipv6 = yesOrNo(part, "ipv6") ?? false;
  refuseLongTitle(part);
  const bridge = parseBridge(onlyPart(part, "bridge"));
  const libvirts = parseForward(onlyPart(part, "forward"));
  const own = ownParts(part);
  const forward = parseMetadataForward(own, libvirts);
  const hostElements = checkHostElements(part);
  const addresses = parseAddresses(part);
  const routes = parseRoutes(part, addresses);
  const { mode } = forward.forward;
  checkForwardMode({ network: part, bridge, forward, hostElements });
  // The bridge of `bridge` mode is another's, but on this host.
  const named = mode === "bridge" && bridge.bridge.name !== undefined;
  checkPortGroups(part, { mode, hasBridge: makesBridge(mode) || named });
  const published = parsePublished(own, { mode, addresses, routes });
  return {
    name,
    ...(uuid === undefined ? {} : { uuid }),
    ipv6,
    forward: forward.forward,
    bridge: bridge.bridge,
    addresses,
    routes,
    published,
    source: root,
  };
}

/**
 * The `<network>` in what libvirt gives to hooks (`<hookData>`) and keeps of active networks
 * (`<networkstatus>`).
 *
 * @param file As in {@linkcode parseNetwork}.
 * @throws {NetworkDefinitionError} When the text is not XML, or holds no network.
 */
export function readEnclosedNetwork(
  text: string,
  file: string,
  enclosing: "hookData" | "networkstatus",
): XmlElement {
  const root = { element: readRoot(text, file), file };
  const { raw } = root.element.name;
  if (raw !== enclosing) refuse(root, `Root element is ${quoted(raw)}, wanted "${enclosing}"`);
  const network = onlyPart(root, "network") ??
    refuse(root, `<${enclosing}> holds no <network>`);
  return network.element;
}

function readRoot(text: string, file: string): XmlElement {
  const document = readText(text, file);
  const encoding = document.declaration?.encoding;
  // The text was decoded as UTF-8 already: other letters than those of ASCII would be wrong ones.
  if (encoding !== undefined && !/^(utf-?8|us-ascii)$/i.test(encoding) && /[^\0-\x7f]/.test(text)) {
    const problem = `Encoding ${quoted(encoding)} is not read, wanted UTF-8`;
    const hint = `Convert the file: iconv -f ${encoding} -t UTF-8`;
    throw new NetworkDefinitionError(problem, file, { line: 1, column: 1 }, hint);
  }
  return document.root;
}

function readText(text: string, file: string): ReturnType<typeof parse> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof XmlSyntaxError)) throw error;
    const problem = error.message.replace(/ at line \d+, column \d+$/, "");
    throw new NetworkDefinitionError(problem, file, { line: error.line, column: error.column });
  }
}

/** What people have at hand that looks alike. */
const OTHER_ROOTS: ReadonlyMap<string, string> = new Map([
  ["domain", "a guest"],
  ["domainsnapshot", "a snapshot of a guest"],
  ["pool", "a storage pool"],
  ["interface", "an interface of the host"],
  ["filter", "a network filter"],
  ["networkport", "a port of a network"],
  ["networkstatus", "the status of an active network"],
]);

function checkRoot(part: Part): void {
  const { name, attributes } = part.element;
  const hint = "Print one: virsh net-dumpxml --inactive default";
  if (name.raw !== "network") {
    const other = OTHER_ROOTS.get(name.raw);
    const said = other === undefined ? "" : `, ${other}`;
    refuse(part, `Root element is ${quoted(name.raw)}${said}, wanted "network"`, hint);
  }
  // libvirt would not find a single one of its elements there.
  if ((attributes["xmlns"] ?? "") !== "") {
    refuse(part, "<network> is in a namespace, wanted none", "Remove xmlns");
  }
}

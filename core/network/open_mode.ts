/** A definition whose firewall libvirt makes → the same one, whose firewall this program makes. */
import { isElement, type XmlElement, type XmlNode } from "@std/xml";
import { isElementNamed } from "./element_reader.ts";
import { toOwn } from "./metadata_forward.ts";
import { isOwn, NAMESPACE, ownElement } from "./own_elements.ts";

/** The namespace in which libvirt takes lines for the configuration of dnsmasq. */
const DNSMASQ = "http://libvirt.org/schemas/network/dnsmasq/1.0";

/**
 * What libvirt's dnsmasq is told in an isolated network and in no other: no default route, for either
 * family, and no names from outside, which would be a way to the outside (`networkDnsmasqConfContents`).
 */
const ISOLATED_OPTIONS: readonly string[] = ["dhcp-option=3", "no-resolv", "ra-param=*,0,0"];

/**
 * The definition in mode `open`, what its `<forward>` said in `<bridgewall:forward>`. All else stays as it
 * is; of an isolated network what guests are told by dnsmasq, too.
 *
 * @param source Of a network that is isolated, or in mode `nat` or `route`.
 */
export function inOpenMode(source: XmlElement): XmlElement {
  const forward = source.children.find((node): node is XmlElement =>
    isElementNamed(node, "forward")
  );
  const mode = forward === undefined ? "none" : forward.attributes["mode"] ?? "nat";
  const said = forward ?? plainElement("forward", {}, []);
  const own = toOwn({ ...said, attributes: { mode, ...said.attributes } });
  const open = plainElement("forward", { mode: "open" }, []);
  const children = source.children.map((node) => node === forward ? open : node);
  const rest = forward === undefined ? afterIdentity(children, open) : children;
  const moved = { ...source, children: withForward(rest, own) };
  return mode === "none" ? asIsolated(moved) : moved;
}

function plainElement(
  local: string,
  attributes: XmlElement["attributes"],
  children: XmlElement["children"],
): XmlElement {
  return { type: "element", name: { raw: local, local }, attributes, children };
}

/** Behind name and UUID, where libvirt writes it. */
function afterIdentity(children: readonly XmlNode[], added: XmlElement): readonly XmlNode[] {
  const place = children.findLastIndex((node) =>
    isElementNamed(node, "name") || isElementNamed(node, "uuid")
  );
  return children.toSpliced(place + 1, 0, added);
}

/** In the one element of ours: libvirt's commands for metadata know one for each namespace. */
function withForward(children: readonly XmlNode[], own: XmlElement): readonly XmlNode[] {
  const metadata = children.find((node) => isElementNamed(node, "metadata")) ??
    plainElement("metadata", {}, []);
  const network = metadata.children.filter(isElement).find((child) =>
    isOwn(child, metadata) && child.name.local === "network"
  );
  // Declared on itself: the one that is there may have bound another prefix.
  const declared = network?.name.prefix === "bridgewall" ? own : withNamespace(own);
  const inner = network === undefined
    ? [
      ...metadata.children,
      ownElement("network", { "xmlns:bridgewall": NAMESPACE }, [own]),
    ]
    : metadata.children.map((node) =>
      node === network ? { ...network, children: [declared, ...network.children] } : node
    );
  const after = { ...metadata, children: inner };
  return children.includes(metadata)
    ? children.map((node) => node === metadata ? after : node)
    : afterIdentity(children, after);
}

function withNamespace(element: XmlElement): XmlElement {
  return { ...element, attributes: { "xmlns:bridgewall": NAMESPACE, ...element.attributes } };
}

function asIsolated(source: XmlElement): XmlElement {
  const isOptions = (node: XmlNode): node is XmlElement =>
    isElement(node) && node.name.uri === DNSMASQ && node.name.local === "options";
  const before = source.children.find(isOptions);
  const option = (value: string): XmlElement => ({
    type: "element",
    name: { raw: "dnsmasq:option", local: "option", prefix: "dnsmasq", uri: DNSMASQ },
    attributes: { value },
    children: [],
  });
  const options: XmlElement = {
    type: "element",
    name: { raw: "dnsmasq:options", local: "options", prefix: "dnsmasq", uri: DNSMASQ },
    attributes: { "xmlns:dnsmasq": DNSMASQ },
    children: [...ISOLATED_OPTIONS.map(option), ...(before?.children ?? [])],
  };
  const children = before === undefined
    ? [...source.children, options]
    : source.children.map((node) => node === before ? options : node);
  return { ...source, children };
}

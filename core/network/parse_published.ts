/** `<bridgewall:publish>` in `<metadata>` ↔ published ports. */
import { isElement, type XmlElement } from "@std/xml";
import {
  bitsOf,
  formatAddress,
  formatSubnet,
  type IpAddress,
  isLinkLocal,
  overlapFinder,
  rangeOf,
  type Subnet,
} from "../address.ts";
import { quoted } from "../quoted.ts";
import {
  attributeOf,
  isElementNamed,
  type Part,
  refuse,
  requiredAttribute,
  yesOrNo,
} from "./element_reader.ts";
import type { ForwardMode, NetworkAddress, NetworkRoute } from "./network.ts";
import { FORWARD, metadataForward } from "./metadata_forward.ts";
import { isOwn, NAMESPACE, ownElement } from "./own_elements.ts";
import { PORT_LIST, portList, readPortList } from "./port_list.ts";
import {
  findSharedPort,
  formatListener,
  type PublishedPort,
  publishedPort,
  PublishedPortError,
  type PublishedPortWords,
} from "./published_port.ts";
import { isEverything } from "./subnets.ts";

const ATTRIBUTES: readonly string[] = ["proto", "port", "to", "address", "localhost", "runtime"];

/** What a published port has to fit into. */
export interface PublishingNetwork {
  /** Only a network that this host filters can publish. */
  readonly mode: ForwardMode;
  /** The network's own. */
  readonly addresses: readonly NetworkAddress[];
  /** Guests may be in networks behind guests, too. */
  readonly routes: readonly NetworkRoute[];
}

/**
 * Reads the ports that a network publishes. libvirt keeps the elements as they are.
 *
 * They stand in `<metadata>`, or there in one `<bridgewall:network>`.
 *
 * @throws {NetworkDefinitionError} When one is not valid, or two publish the same port.
 */
export function parsePublished(
  own: readonly Part[],
  around: PublishingNetwork,
): readonly PublishedPort[] {
  const parts = own.filter(({ element }) => element.name.local !== FORWARD);
  if (parts.length === 0) return [];
  const problemOf = problemFinder(around);
  const owned = parts.flatMap((part) =>
    portsOf(part).map((published) => {
      const problem = problemOf(published);
      if (problem !== undefined) refuse(part, problem.message, problem.hint);
      return { published, owner: part };
    })
  );
  const [one, other] = findSharedPort(owned) ?? [];
  if (one !== undefined && other !== undefined) {
    const line = one.owner.element.position?.line;
    refuse(
      other.owner,
      `Port ${formatListener(other.published)} is published already` +
        (line === undefined ? "" : `, at line ${line}`),
      "Remove one of the two",
    );
  }
  return owned.map(({ published }) => published);
}

function portsOf(part: Part): readonly PublishedPort[] {
  const { element } = part;
  if (element.name.local === PORT_LIST) return readPortList(part);
  if (element.name.local !== "publish") {
    refuse(part, `Element ${quoted(element.name.raw)} is unknown`, "Write <bridgewall:publish …/>");
  }
  const unknown = Object.keys(element.attributes).find((name) =>
    !ATTRIBUTES.includes(name) && name !== "xmlns" && !name.startsWith("xmlns:")
  );
  if (unknown !== undefined) {
    refuse(
      part,
      `<${element.name.raw}> has ${quoted(unknown)}, which is unknown`,
      `It takes ${ATTRIBUTES.slice(0, -1).join(", ")}`,
    );
  }
  const [inner] = element.children.filter(isElement);
  if (inner !== undefined) {
    refuse(
      { ...part, element: inner },
      `Element ${quoted(inner.name.raw)} stands in <${element.name.raw}>, which holds nothing`,
      `Write it behind <${element.name.raw} …/>`,
    );
  }
  return [readWords(part)];
}

function readWords(part: Part): PublishedPort {
  const address = attributeOf(part, "address");
  const words: PublishedPortWords = {
    protocol: requiredAttribute(part, "proto", "tcp"),
    ports: requiredAttribute(part, "port", "8080"),
    to: requiredAttribute(part, "to", "192.168.122.10:80"),
    localhost: yesOrNo(part, "localhost") ?? false,
    runtime: yesOrNo(part, "runtime") ?? false,
    ...(address === undefined ? {} : { address }),
  };
  try {
    return publishedPort(words);
  } catch (error) {
    if (!(error instanceof PublishedPortError)) throw error;
    return refuse(part, error.message, error.hint);
  }
}

/** Tells of any published port why the network cannot have it; nothing: it can. */
export function problemFinder(
  { mode, addresses, routes }: PublishingNetwork,
): (published: PublishedPort) => PublishedPortError | undefined {
  const subnets: readonly Subnet[] = [
    ...addresses.map(({ subnet }) => subnet),
    ...routes.map(({ destination }) => destination).filter((one) => !isEverything(one)),
  ];
  const isInside = overlapFinder(subnets);
  const own = new Set(addresses.map(({ address }) => formatAddress(address)));
  const edges = new Map(subnets.flatMap(edgesOf));
  return ({ guest }) => {
    if (mode !== "nat" && mode !== "route" && mode !== "isolated") {
      return new PublishedPortError(
        `A network in mode ${mode} publishes no ports: this host has no rules for it`,
        "Ports are published in modes nat, route and isolated",
      );
    }
    const alone: Subnet = { ...guest, prefix: bitsOf(guest.family) };
    if (isLinkLocal(alone)) {
      return new PublishedPortError(
        `Guest ${quoted(formatAddress(guest))} is link-local: nothing is forwarded there`,
        "Name another address of the guest",
      );
    }
    if (!isInside(alone)) return outside(guest, subnets);
    const text = formatAddress(guest);
    if (own.has(text)) {
      return new PublishedPortError(`${quoted(text)} is the host's own address, not a guest's`);
    }
    const edge = edges.get(text);
    return edge === undefined
      ? undefined
      : new PublishedPortError(`${quoted(text)} is no guest's address in ${formatSubnet(edge)}`);
  };
}

function outside(guest: IpAddress, subnets: readonly Subnet[]): PublishedPortError {
  const inside = subnets.filter(({ family }) => family === guest.family).map(formatSubnet);
  return new PublishedPortError(
    `Guest ${quoted(formatAddress(guest))} is not inside the network`,
    inside.length === 0
      ? "The network has no subnet of that family"
      : `Name an address in ${inside.join(", ")}`,
  );
}

/** The first address and the broadcast address, which no guest has (RFC 1122). */
function edgesOf(subnet: Subnet): readonly (readonly [string, Subnet])[] {
  if (subnet.family === "ipv6" || subnet.prefix > 30) return [];
  const { start, end } = rangeOf(subnet);
  return [[formatAddress(start), subnet], [formatAddress(end), subnet]];
}

/**
 * The same definition, publishing these ports in one `<bridgewall:network>`: what else it holds stays,
 * `<bridgewall:forward>` and comments included.
 */
export function withPublished(
  source: XmlElement,
  published: readonly PublishedPort[],
): XmlElement {
  const forward = metadataForward(source);
  const own = [
    ...(forward === undefined ? [] : [forward]),
    ...(published.length === 0 ? [] : [portList(published)]),
  ];
  const elements = own.length === 0 ? [] : [
    ownElement("network", { "xmlns:bridgewall": NAMESPACE }, own),
  ];
  const metadata = source.children.find((node) => isElementNamed(node, "metadata"));
  if (metadata === undefined) {
    if (elements.length === 0) return source;
    const name = { raw: "metadata", local: "metadata" };
    const added: XmlElement = { type: "element", name, attributes: {}, children: elements };
    return { ...source, children: [...source.children, added] };
  }
  return {
    ...source,
    children: source.children.flatMap((node) => {
      if (node !== metadata || !isElement(node)) return [node];
      const children = [...withoutOwn(node), ...elements];
      // One that held nothing else was made for them.
      return children.length === 0 && node.children.length > 0 ? [] : [{ ...node, children }];
    }),
  };
}

function withoutOwn(metadata: XmlElement): XmlElement["children"] {
  return metadata.children.filter((child) => !isElement(child) || !isOwn(child, metadata));
}

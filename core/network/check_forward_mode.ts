/** What each forward mode allows beside `<forward>`, by the rules of libvirt 11.3. */
import {
  decimal,
  onlyPart,
  partsNamed,
  refuse,
  tagOf,
  UNSIGNED_INT_MAX,
} from "./element_reader.ts";
import type { Part } from "./element_reader.ts";
import type { BridgedMode } from "./network.ts";
import type { ParsedBridge } from "./parse_bridge.ts";
import type { ParsedForward } from "./parse_forward.ts";

/** What was read of a network before the parts are held against each other. */
export interface ParsedParts {
  /** The `<network>` itself, for the place of errors. */
  readonly network: Part;
  /** Empty when there is no `<bridge>`. */
  readonly bridge: ParsedBridge;
  /** Mode `isolated` when there is no `<forward>`. */
  readonly forward: ParsedForward;
  /** The names of elements that only a network with a host on it can have. */
  readonly hostElements: readonly string[];
}

/**
 * Holds the parts of a network against its forward mode.
 *
 * @throws {NetworkDefinitionError} When the network has something that its mode rules out, or lacks
 * something that it needs.
 */
export function checkForwardMode(parts: ParsedParts): void {
  const { network, forward: { forward: { mode } } } = parts;
  switch (mode) {
    case "isolated":
    case "open":
      return;
    case "nat":
    case "route":
      if (partsNamed(network, "ip").length > 0) return;
      return refuse(
        network,
        `Forward mode "${mode}" needs the network of the guests, but there is no <ip>`,
        "Add <ip address='192.168.100.1' prefix='24'/>",
      );
    case "bridge":
      return checkBridged(mode, parts);
    case "private":
    case "vepa":
    case "passthrough":
    case "hostdev":
      refuseBridge(mode, parts);
      return checkBridged(mode, parts);
  }
}

function refuseBridge(mode: BridgedMode, { network, bridge }: ParsedParts): void {
  const part = onlyPart(network, "bridge");
  if (part === undefined) return;
  const [setting] = [
    ...(bridge.bridge.name === undefined ? [] : ["name"]),
    ...bridge.settings.filter((name) => name === "zone" || name === "macTableManager"),
  ];
  if (setting !== undefined) {
    refuse(part, `<bridge> has a ${setting}, but forward mode "${mode}" has no bridge`);
  }
}

/** The bridge, if any, belongs to somebody else, and so does all that happens on it. */
function checkBridged(mode: BridgedMode, parts: ParsedParts): void {
  const { network, bridge, forward, hostElements } = parts;
  const bridgePart = onlyPart(network, "bridge");
  const [setting] = bridge.settings.filter((name) => name !== "macTableManager");
  if (bridgePart !== undefined && setting !== undefined) {
    refuse(bridgePart, `<bridge> has a ${setting}, which forward mode "${mode}" does not set`);
  }
  if (bridgePart !== undefined && bridge.bridge.name !== undefined && forward.hasPool) {
    refuse(bridgePart, "<bridge> has a name and <forward> an interface, wanted one of them");
  }
  for (const name of hostElements) {
    const part = firstWith(network, name);
    refuse(
      part,
      `${tagOf(part)} has no meaning in forward mode "${mode}"`,
      `Remove ${tagOf(part)}`,
    );
  }
  const mtu = onlyPart(network, "mtu");
  if (mtu !== undefined && (decimal(mtu, "size", UNSIGNED_INT_MAX) ?? 0) > 0) {
    refuse(mtu, `<mtu> has no meaning in forward mode "${mode}"`, "Remove <mtu>");
  }
}

function firstWith(network: Part, name: string): Part {
  return partsNamed(network, name)[0] ?? network;
}

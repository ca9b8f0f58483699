/** Gives every network the name of its bridge. */
import type { XmlElement } from "@std/xml";
import { isElementNamed } from "../network/element_reader.ts";
import { problemOfInterfaceName } from "../network/interface_name.ts";
import { type Bridge, makesBridge, type Network } from "../network/network.ts";
import { HostError } from "../host.ts";
import { quoted } from "../quoted.ts";
import type { PlacedNetwork } from "./derive_policy.ts";

/** libvirt stops there as well. */
const LAST_NUMBER = 256;

/** Bridge names that cannot be given away, and those that a network has already. */
export interface BridgeNames {
  /** Network interfaces of the host. */
  readonly interfaces: readonly string[];
  /** The bridge of each active network. */
  readonly active: ReadonlyMap<string, string>;
}

/**
 * A definition without a bridge name, or with `%d` in it, gets the first free number: no other
 * network's bridge and no interface of the host, as libvirt does. A network that is active keeps
 * the name it got.
 *
 * @throws {HostError} When all numbers are taken.
 */
export function placeNetworks(
  networks: readonly Network[],
  names: BridgeNames,
): readonly PlacedNetwork[] {
  const named = networks.flatMap(({ bridge }) => fixedName(bridge.name) ?? []);
  const taken = new Set([...named, ...names.interfaces, ...names.active.values()]);
  return networks.map((network) => {
    const bridge = bridgeOf(network, names.active.get(network.name), taken);
    taken.add(bridge);
    return { network: withBridgeName(network, bridge), bridge };
  });
}

function bridgeOf(network: Network, current: string | undefined, taken: Set<string>): string {
  if (!makesBridge(network.forward.mode)) return network.bridge.name ?? "";
  const fixed = fixedName(network.bridge.name);
  if (fixed !== undefined) return fixed;
  const template = network.bridge.name;
  const usable = template !== undefined && template.split("%").length === 2;
  const [before = "", after = ""] = (usable ? template : "virbr%d").split("%d");
  if (current !== undefined && isNumbered(current, before, after)) return current;
  for (let number = 0; number <= LAST_NUMBER; number++) {
    const name = `${before}${number}${after}`;
    if (!taken.has(name) && problemOfInterfaceName(name) === undefined) return name;
  }
  throw new HostError(
    `Cannot find a free bridge name for network ${quoted(network.name)}: ` +
      `${before}0${after} to ${before}${LAST_NUMBER}${after} are taken`,
    `Name the bridge in the definition: \`<bridge name="…"/>\``,
  );
}

function isNumbered(name: string, before: string, after: string): boolean {
  const number = name.slice(before.length, name.length - after.length);
  return name === `${before}${number}${after}` && /^\d+$/.test(number);
}

function fixedName(name: string | undefined): string | undefined {
  return name === undefined || name.includes("%") ? undefined : name;
}

/** False for a bridge whose name is to be found. */
export function hasFixedName({ name }: Bridge): boolean {
  return fixedName(name) !== undefined;
}

/** The network with the bridge's name in its definition too, so that the record holds it. */
function withBridgeName(network: Network, name: string): Network {
  if (!makesBridge(network.forward.mode) || network.bridge.name === name) return network;
  const { source } = network;
  const present = source.children.some((node) => isElementNamed(node, "bridge"));
  const bridge: XmlElement = {
    type: "element",
    name: { raw: "bridge", local: "bridge" },
    attributes: { name },
    children: [],
  };
  const children = present
    ? source.children.map((node) =>
      isElementNamed(node, "bridge") ? { ...node, attributes: { ...node.attributes, name } } : node
    )
    : [...source.children, bridge];
  return {
    ...network,
    bridge: { ...network.bridge, name },
    source: { ...source, children },
  };
}

/** `<portgroup>`, `<vlan>` and `<bandwidth>`: checked, not used. They matter to guests only. */
import { attributeOf, partsNamed, refuse, requiredAttribute, yesOrNo } from "./element_reader.ts";
import type { Part } from "./element_reader.ts";
import type { ForwardMode } from "./network.ts";
import { quoted } from "../quoted.ts";

/** What decides which settings a network can carry. */
export interface Carrier {
  /** `hostdev` and `passthrough` carry a `<vlan>` without a bridge. */
  readonly mode: ForwardMode;
  /** True when the guests are on a bridge of the host. */
  readonly hasBridge: boolean;
}

/**
 * Checks what holds for ports, by the rules of libvirt 11.3.
 *
 * @throws {NetworkDefinitionError} When a group has no name or that of another, when there are two
 * defaults, or when the network cannot carry a `<vlan>` or `<bandwidth>`.
 */
export function checkPortGroups(network: Part, carrier: Carrier): void {
  const groups = partsNamed(network, "portgroup");
  checkGroups(groups);
  for (const part of partsNamed(network, "port")) yesOrNo(part, "isolated");
  for (const part of [network, ...groups]) {
    yesOrNo(part, "trustGuestRxFilters");
    checkVlan(part, network, carrier);
    const [bandwidth] = partsNamed(part, "bandwidth");
    if (bandwidth !== undefined && !carrier.hasBridge) {
      refuse(bandwidth, `<bandwidth> has no meaning in forward mode ${quoted(carrier.mode)}`);
    }
  }
}

function checkGroups(groups: readonly Part[]): void {
  const names = new Set<string>();
  let usual: string | undefined;
  for (const group of groups) {
    const name = requiredAttribute(group, "name", "engineering");
    if (names.has(name)) refuse(group, `Second <portgroup> with the name ${quoted(name)}`);
    names.add(name);
    if (yesOrNo(group, "default") !== true) continue;
    if (usual !== undefined) {
      refuse(group, `<portgroup> ${quoted(name)} is the default, but ${quoted(usual)} is already`);
    }
    usual = name;
  }
}

/**
 * Tags need a switch that knows them: Open vSwitch, a bridge of the host (from libvirt 11.0), or a
 * device that guests get whole. What a group says stands before what the network says.
 */
function checkVlan(part: Part, network: Part, { mode, hasBridge }: Carrier): void {
  const [vlan] = [...partsNamed(part, "vlan"), ...partsNamed(network, "vlan")];
  if (vlan === undefined || mode === "hostdev") return;
  const [port] = [...partsNamed(part, "virtualport"), ...partsNamed(network, "virtualport")];
  if (port !== undefined) {
    if (attributeOf(port, "type") === "openvswitch") return;
    refuse(
      vlan,
      "<vlan> needs a virtual port that carries it",
      "Write <virtualport type='openvswitch'>",
    );
  }
  if (hasBridge || mode === "passthrough") return;
  refuse(vlan, `<vlan> has no meaning in forward mode ${quoted(mode)} without a bridge`);
}

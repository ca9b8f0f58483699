/** Checks that need several definitions: what two networks cannot both have. */
import { compareSubnets, formatSubnet, overlaps } from "../address.ts";
import type { Subnet } from "../address.ts";
import { isBridgeTemplate, makesBridge } from "./network.ts";
import type { Network } from "./network.ts";
import { findSharedPort, formatListener } from "./published_port.ts";
import { exclusiveSubnets } from "./subnets.ts";
import { NetworkDefinitionError } from "./network_error.ts";
import { quoted } from "../quoted.ts";

/** A network and the file it was read from. */
export interface DefinedNetwork {
  /** Valid on its own. */
  readonly network: Network;
  /** For messages: the path, or `-` for standard input. */
  readonly file: string;
}

/**
 * Checks that the networks can be active together.
 *
 * Names, UUIDs and bridges follow libvirt 11.3; there, subnets are only looked at when a network
 * starts, and only the IPv4 ones that equal a route of the host.
 *
 * @throws {NetworkDefinitionError} When two have the same name, UUID or bridge, or subnets that
 * overlap. It names both and points at the later one.
 */
export function validateTogether(networks: readonly DefinedNetwork[]): void {
  const names: Seen = new Map();
  const uuids: Seen = new Map();
  const bridges: Seen = new Map();
  for (const defined of networks) {
    checkName(defined, names);
    checkUuid(defined, uuids);
    checkBridge(defined, bridges);
  }
  checkSubnets(networks);
  checkPublished(networks);
}

function checkPublished(networks: readonly DefinedNetwork[]): void {
  const owned = networks.flatMap((owner) =>
    owner.network.published.map((published) => ({ published, owner }))
  );
  const [one, other] = findSharedPort(owned) ?? [];
  if (one === undefined || other === undefined) return;
  const [earlier, later] = networks.indexOf(one.owner) < networks.indexOf(other.owner)
    ? [one, other]
    : [other, one];
  refuse(
    later.owner,
    `Port ${formatListener(later.published)} of network ${quoted(later.owner.network.name)} is ` +
      `published by ${describe(earlier.owner)}`,
    "Choose another port for one of the two",
  );
}

type Seen = Map<string, DefinedNetwork>;

function checkName(defined: DefinedNetwork, names: Seen): void {
  const { name } = defined.network;
  const other = names.get(name);
  if (other !== undefined) {
    refuse(defined, `Network name ${quoted(name)} is taken by ${quoted(other.file)}`);
  }
  names.set(name, defined);
}

function checkUuid(defined: DefinedNetwork, uuids: Seen): void {
  const { name, uuid } = defined.network;
  if (uuid === undefined) return;
  const other = uuids.get(uuid);
  if (other !== undefined) {
    const owner = describe(other);
    refuse(defined, `UUID ${uuid} of network ${quoted(name)} is that of ${owner}`, "Remove <uuid>");
  }
  uuids.set(uuid, defined);
}

/** Networks that only use a bridge of somebody else can share it. */
function checkBridge(defined: DefinedNetwork, bridges: Seen): void {
  const { name, bridge, forward } = defined.network;
  if (bridge.name === undefined || isBridgeTemplate(bridge.name)) return;
  const other = bridges.get(bridge.name);
  if (other === undefined) {
    bridges.set(bridge.name, defined);
    return;
  }
  if (!makesBridge(forward.mode) && !makesBridge(other.network.forward.mode)) return;
  refuse(
    defined,
    `Bridge ${quoted(bridge.name)} of network ${quoted(name)} is that of ${describe(other)}`,
    "Write <bridge name='virbr%d'/> for a name that is free",
  );
}

interface OwnedSubnet {
  readonly subnet: Subnet;
  /** Where the network stands in the list. */
  readonly index: number;
  readonly defined: DefinedNetwork;
}

/**
 * In order of their first address, larger ones first, a subnet can only lie inside the ones before
 * it that have not ended; as those belong to one network, the last of them is enough to look at.
 */
function checkSubnets(networks: readonly DefinedNetwork[]): void {
  const owned = networks.flatMap(ownedSubnets).sort((one, other) =>
    compareSubnets(one.subnet, other.subnet)
  );
  const open: OwnedSubnet[] = [];
  for (const current of owned) {
    while (open.length > 0 && !overlaps(current.subnet, (open.at(-1) ?? current).subnet)) {
      open.pop();
    }
    const around = open.at(-1);
    if (around !== undefined && around.index !== current.index) refuseOverlap(around, current);
    open.push(current);
  }
}

function ownedSubnets(defined: DefinedNetwork, index: number): readonly OwnedSubnet[] {
  return exclusiveSubnets(defined.network).map((subnet) => ({ subnet, index, defined }));
}

function refuseOverlap(one: OwnedSubnet, other: OwnedSubnet): never {
  const [earlier, later] = one.index < other.index ? [one, other] : [other, one];
  refuse(
    later.defined,
    `Subnet ${formatSubnet(later.subnet)} of network ${quoted(later.defined.network.name)} ` +
      `overlaps ${formatSubnet(earlier.subnet)} of ${describe(earlier.defined)}`,
  );
}

function describe({ network, file }: DefinedNetwork): string {
  return `network ${quoted(network.name)} in ${quoted(file)}`;
}

function refuse({ network, file }: DefinedNetwork, problem: string, hint?: string): never {
  const position = network.source.position ?? { line: 1, column: 1 };
  throw new NetworkDefinitionError(problem, file, position, hint);
}

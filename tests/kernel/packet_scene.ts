/** A Linux host whose cables are in the hands of a test, and what comes out of them. */
import { contains, formatAddress, formatSubnet } from "../../core/address.ts";
import type { Context } from "../../core/commands/context.ts";
import { up } from "../../core/commands/up.ts";
import type { BackendUnderTest } from "../hosts/backends.ts";
import { showBridged } from "../hosts/bridged_to_firewall.ts";
import { configure } from "../hosts/namespace.ts";
import { mustRun } from "../hosts/run_program.ts";
import { emptyWorld, startProcess } from "../support/model_host.ts";
import { describePacket, type Packet } from "../support/packets/packet.ts";
import { type Arrival, layCables, type Wire } from "../support/packets/wire.ts";
import type { World } from "../support/packets/world.ts";
import { MAXIMUM, UPLINKS } from "./arbitrary_traffic.ts";
import type { Kernel } from "./open_kernel.ts";

/** The bridges that it has. */
export const BRIDGES = Array.from({ length: MAXIMUM }, (_, index) => `virbr${index}`);

/** Seconds in which what must come out does, also on a busy machine. */
const PATIENCE = 5;

/** Names of cables: a bridge has one, and an uplink is one. */
export function cableOf(at: string): string {
  return at.replace(/^virbr/, "tap");
}

/** A host without networks, with all its cables. */
export async function openHost(kernel: Kernel): Promise<Wire> {
  // A bridge has one cable: what a bridge itself translates (br_netfilter) would not come back by it.
  await showBridged(kernel.namespace, false);
  const wire = await layCables(kernel.namespace, [
    ...BRIDGES.map((bridge) => ({ name: cableOf(bridge), bridge, answering: true })),
    ...UPLINKS.map(({ name }) => ({ name, answering: true })),
  ]);
  await mustRun(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"], {
    namespace: kernel.namespace,
  });
  const [{ name: first }] = UPLINKS;
  await configure(kernel.namespace, [
    ...UPLINKS.flatMap(({ name, addresses, links, behind }) => [
      ...addresses.map((one) =>
        `addr add ${formatAddress(one)}/${
          links.find(({ family }) => family === one.family)?.prefix
        } dev ${name}`
      ),
      ...behind.map((one) => `route add ${formatSubnet(one)} dev ${name}`),
    ]),
    `route add 0.0.0.0/0 dev ${first}`,
    `route add ::/0 dev ${first}`,
  ]);
  return wire;
}

/** Gives the bridges what whoever makes bridges gives them. */
async function giveAddresses({ namespace }: Kernel, { policies }: World): Promise<void> {
  const lines = policies.flatMap(({ bridge, families }) =>
    families.flatMap(({ subnets, hostAddresses }) =>
      subnets.flatMap((one) => {
        const hosts = hostAddresses.filter((host) => contains(one, host));
        return hosts.length === 0
          ? [`route add ${formatSubnet(one)} dev ${bridge}`]
          : hosts.map((host) => `addr add ${formatAddress(host)}/${one.prefix} dev ${bridge}`);
      })
    )
  );
  // All routes of an interface go with it.
  const clean = BRIDGES.flatMap((bridge) => [
    `link set ${bridge} down`,
    `addr flush dev ${bridge}`,
    `link set ${bridge} up`,
  ]);
  await configure(namespace, [...clean, ...lines]);
}

/** One case on one host. */
export interface Scene {
  readonly wire: Wire;
  readonly world: World;
  /** The number of the next packet. */
  readonly count: () => number;
}

/** Where the packet came out; waits for it where it has to. Others than those are a mistake. */
export async function sendPacket(
  { wire, count }: Scene,
  by: string,
  sent: Packet,
  isAwaited: boolean,
): Promise<readonly Arrival[]> {
  const number = count();
  let came = await wire.send(cableOf(by), sent, number);
  const until = performance.now() + 1000 * PATIENCE;
  while (isAwaited && came.length === 0 && performance.now() < until) {
    came = await wire.wait(PATIENCE);
  }
  const late = came.find((one) => one.number !== number);
  if (late !== undefined) throw new Error(`${told(late)} came late`);
  return came.filter(({ packet, isError }) => isError || !isEchoReply(packet, sent));
}

/** What comes out when who got the packet says that nobody listens. */
export async function sendError(
  { wire }: Scene,
  by: string,
  about: Arrival,
): Promise<readonly Arrival[]> {
  const came = await wire.sendError(cableOf(by), about);
  return came.length === 0 ? await wire.wait(PATIENCE) : came;
}

/** The host answers an echo itself. */
function isEchoReply({ icmp }: Packet, sent: Packet): boolean {
  return icmp !== undefined && icmp.type !== sent.icmp?.type && [0, 129].includes(icmp.type);
}

/** For messages. */
export function told({ packet, at, isError }: Arrival): string {
  return `${isError ? "an error " : ""}${describePacket(packet)} at ${at}`;
}

/**
 * Brings the networks up with the backend, on bridges that have their addresses.
 *
 * @returns What takes them down again needs.
 */
export async function bringUp(
  kernel: Kernel,
  backend: BackendUnderTest,
  world: World,
  definitions: readonly string[],
): Promise<Context> {
  const files = Object.fromEntries(definitions.map((text, index) => [`${index}.xml`, text]));
  const interfaces = [...BRIDGES, ...UPLINKS.map(({ name }) => name)];
  const { context: model } = startProcess(
    emptyWorld({ interfaces }),
    files,
    undefined,
    backend.backend,
  );
  const context = { ...model, host: { ...model.host, run: hostOf(kernel, backend).run } };
  await giveAddresses(kernel, world);
  await up(context, { names: Object.keys(files), all: false });
  return context;
}

/** The kernel with the `iptables` under test; connections are forgotten anyway. */
function hostOf(kernel: Kernel, { variant }: BackendUnderTest): Kernel {
  const iptables = variant === undefined ? "iptables" : `iptables-${variant}`;
  return {
    ...kernel,
    run: async (command) => {
      if (command.program === "conntrack") return { status: 0, stdout: "", stderr: "" };
      const program = command.program === "iptables" ? iptables : command.program;
      return await kernel.run({ ...command, program: program as typeof command.program });
    },
  };
}

/** A machine to ask what becomes of a packet at one hook. */
import { createMachine, type MachineOptions, type PfMachine } from "../../support/pf/pf_machine.ts";
import {
  describePacket,
  packet,
  type PacketDetails,
  type ProtocolName,
} from "../../support/packets/packet.ts";
import type { Direction } from "../../support/pf/pf_rules.ts";

const INTERFACES = {
  re0: { addresses: ["203.0.113.5/24"] },
  re1: { addresses: ["198.51.100.1/24", "198.51.100.2/24", "fe80::1/64", "fd01::1/64"] },
  br0: { addresses: ["10.0.0.1/24"], groups: ["bridge"] },
};

/** A machine with three interfaces that has loaded these files, by the path of their anchor. */
export function machineWith(
  files: Readonly<Record<string, string>>,
  options: MachineOptions = {},
): PfMachine {
  const machine = createMachine(INTERFACES, options);
  for (const [path, text] of Object.entries(files)) machine.load(path, text);
  return machine;
}

/** `block`, or the packet as it goes on behind a hook such as `in on br0`. */
export function ask(
  machine: PfMachine,
  hook: string,
  [protocol, from, to]: readonly [ProtocolName, string, string],
  details: PacketDetails = {},
): string {
  const [direction, , name = ""] = hook.split(" ");
  const asked = packet(protocol, from, to, details);
  const result = machine.hook(asked, direction as Direction, name);
  return result.verdict === "block" ? "block" : describePacket(result.packet);
}

/** From behind br0 to what is behind re0. */
export const UDP = ["udp", "10.0.0.2:1000", "192.0.2.1:53"] as const;
/** {@linkcode UDP} as it goes on untouched. */
export const SAME = "udp 10.0.0.2:1000 > 192.0.2.1:53";

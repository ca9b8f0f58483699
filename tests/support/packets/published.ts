/** Which published port a packet asks for. */
import { isLoopback, listeners } from "../../../core/network/published_port.ts";
import type { FilteredPolicy } from "../../../core/policy/policy.ts";
import { isTracked, type Packet, PROTOCOLS } from "./packet.ts";
import type { Redirected } from "./verdict.ts";
import { isHosts, isSame, type World } from "./world.ts";

/** A published port, whose it is, and where it leads. */
export interface Asked {
  readonly policy: FilteredPolicy;
  readonly to: Redirected;
}

/** What the packet asks for at an address of the host; what belongs to no connection asks for nothing. */
export function publishedPort(world: World, sent: Packet): Asked | undefined {
  const { destination: to, destinationPort, protocol } = sent;
  if (!isTracked(sent) || !isLoopback(to) && !isHosts(world, to)) return undefined;
  const all = world.policies.flatMap((policy) =>
    policy.families.filter(({ family }) => family === to.family)
      .flatMap(({ published }) => published.map((port) => ({ policy, port })))
  );
  const asked = all.find(({ port }) =>
    protocol === PROTOCOLS[port.protocol] &&
    port.ports.start <= destinationPort && destinationPort <= port.ports.end &&
    listeners(port).some((one) => one === "any" ? !isLoopback(to) : isSame(one, to))
  );
  if (asked === undefined) return undefined;
  const { policy, port: { guest, guestPorts, ports } } = asked;
  return { policy, to: { address: guest, port: guestPorts.start + destinationPort - ports.start } };
}

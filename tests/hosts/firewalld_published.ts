/** Ports that firewalld leads to guests: the networks, and who asks. */
import type { FirewalldUnderTest } from "./backends.ts";
import type { Bridgewall } from "./bridgewall.ts";
import { ANSWERING_PORT, type Place } from "./namespace.ts";
import { answered, type PortClaim, type Publication, publishing } from "./published_ports.ts";
import { testNetwork } from "./test_network.ts";
import type { Topology } from "./topology.ts";

/** Its first guest has the port. */
export const WEB = testNetwork(101, "web", { forward: '<forward mode="nat"/>' });
/** Its guests may leave, as they are. */
export const ROUTE = testNetwork(102, "route", { forward: '<forward mode="route"/>' });
/** Its guests may not leave their bridge. */
export const ALONE = testNetwork(103, "alone");
/** Of the host. */
export const PORT = 8080;

const ANYWHERE: readonly Publication[] = [
  { proto: "tcp", port: PORT, to: `192.168.101.10:${ANSWERING_PORT}` },
  { proto: "tcp", port: PORT, to: `[2001:db8:101::10]:${ANSWERING_PORT}` },
];

/** `WEB`, whose first guest is reached at any address of the host. */
export const PUBLISHING = publishing(WEB, ANYWHERE);

/** Somebody asks for a port of the host. */
export function asks(
  says: string,
  from: Place,
  at: string,
  port: number,
  expect: string,
): PortClaim {
  return { says, from, at, port, expect, protocols: ["tcp"] };
}

/** The outside reaches the first guest of `WEB` by this address. */
export function reached({ uplink: { outside } }: Topology, at: string, port = PORT): PortClaim {
  const seenAs = at.includes(":") ? outside.v6 : outside.v4;
  return asks(
    "the outside is led to the guest",
    outside,
    at,
    port,
    answered("web-a", ANSWERING_PORT, seenAs),
  );
}

/**
 * What a guest hears of a port of the host that is not for it: what firewalld says of any port. Over IPv6 that
 * is "prohibited" with nft, which TCP does not hear of between namespaces.
 */
export function heardOf({ firewalld }: FirewalldUnderTest, over: "v4" | "v6"): string {
  return firewalld === "iptables" ? "refused" : over === "v4" ? "unreachable" : "dropped";
}

/** Guests of `ALONE` ask for a port that leads to another network. */
export function closed(
  { uplink, guest }: Topology,
  backend: FirewalldUnderTest,
  port = PORT,
): readonly PortClaim[] {
  const says = "who may not leave does not get there";
  const from = guest("alone-a");
  return [
    asks(says, from, uplink.host4, port, heardOf(backend, "v4")),
    asks(says, from, "192.168.103.1", port, heardOf(backend, "v4")),
    asks(says, from, uplink.host6, port, heardOf(backend, "v6")),
  ];
}

/** What `check` finds; empty: all is well. */
export async function driftOf({ run }: Bridgewall): Promise<readonly string[]> {
  const { stdout } = await run(["check", "--json"]);
  const { drift } = JSON.parse(stdout) as { readonly drift: readonly { difference: string }[] };
  return drift.map(({ difference }) => difference);
}

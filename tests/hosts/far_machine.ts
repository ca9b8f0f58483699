/** A machine behind the outside, where the way to it takes smaller packets than the way from it. */
import {
  changeSetting,
  configure,
  makeNamespace,
  type Place,
  removeNamespace,
} from "./namespace.ts";
import type { Topology } from "./topology.ts";

/** What the way to it takes. IPv6 allows no less than 1280 (RFC 8200). */
export const SMALL_MTU = 1300;

/** The machine; it has two addresses of each family, so that what is learned of one is not known of the other. */
export interface FarMachine {
  readonly first: Place;
  readonly second: Place;
}

/** Puts it behind the first uplink's outside, which routes to it until the test ends. */
export async function attachFarMachine(topology: Topology): Promise<FarMachine> {
  const { atEnd, uplink: { outside: { namespace: router } } } = topology;
  const namespace = await makeNamespace("far");
  atEnd.defer(() => removeNamespace(namespace));
  await changeSetting(router, "net.ipv4.ip_forward", 1);
  await changeSetting(router, "net.ipv6.conf.all.forwarding", 1);
  await configure(router, [
    `link add far0 mtu ${SMALL_MTU} type veth peer name eth0 mtu 1500 netns ${namespace}`,
    "addr add 198.18.0.1/24 dev far0",
    "addr add 2001:db8:fa::1/64 dev far0 nodad",
    "link set far0 up",
  ]);
  const places = [9, 10].map((number) => ({
    namespace,
    v4: `198.18.0.${number}`,
    v6: `2001:db8:fa::${number}`,
  }));
  await configure(namespace, [
    ...places.flatMap(({ v4, v6 }) => [
      `addr add ${v4}/24 dev eth0`,
      `addr add ${v6}/64 dev eth0 nodad`,
    ]),
    "link set eth0 up",
    "route add default via 198.18.0.1",
    "route add default via 2001:db8:fa::1",
  ]);
  const [first, second] = places;
  if (first === undefined || second === undefined) throw new Error("two addresses");
  return { first, second };
}

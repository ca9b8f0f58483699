/** A container that nobody describes: an interface of the host, and behind it whatever addresses it likes. */
import { addNamespace } from "./topology.ts";
import { configure, type Place } from "./namespace.ts";
import { isIpv6 } from "./test_network.ts";
import type { Topology } from "./topology.ts";

/** What the two speak by; no test asks for it. */
const [HOST4, HOST6] = ["169.254.77.1", "fe80::77"];

/** Plugs it into the host, which then has a route to each of its addresses, until the test ends. */
export async function attachContainer(
  { atEnd, host }: Topology,
  addresses: readonly string[],
): Promise<Place> {
  const namespace = await addNamespace(atEnd, "container");
  await configure(host, [
    `link add ve-container type veth peer name eth0 netns ${namespace}`,
    `addr add ${HOST4}/32 dev ve-container`,
    `addr add ${HOST6}/64 dev ve-container nodad`,
    "link set ve-container up",
    ...addresses.map((address) => `route add ${address} dev ve-container`),
  ]);
  await configure(namespace, [
    "addr add fe80::78/64 dev eth0 nodad",
    ...addresses.map((address) => `addr add ${address} dev eth0${isIpv6(address) ? " nodad" : ""}`),
    "link set eth0 up",
    `route add ${HOST4} dev eth0`,
    `route add default via ${HOST4}`,
    `route add default via ${HOST6} dev eth0`,
  ]);
  return {
    namespace,
    v4: addresses.find((one) => !isIpv6(one)) ?? "",
    v6: addresses.find(isIpv6) ?? "",
  };
}

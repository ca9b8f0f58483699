/** Bridges of the host and the guests on them, as lines of `ip`. */
import { configure } from "./namespace.ts";
import { mustRun } from "./run_program.ts";
import { bare, isIpv6, type TestNetwork } from "./test_network.ts";

/** Makes the network's bridge with all its addresses, as libvirt does before it starts a network. */
export function bridgeLines(network: TestNetwork): readonly string[] {
  const { bridge } = network;
  return [
    `link add ${bridge} type bridge`,
    ...[...network.addresses, ...network.unmentioned].map((address) =>
      `addr add ${address} dev ${bridge}${isIpv6(address) ? " nodad" : ""}`
    ),
    `link set ${bridge} up`,
  ];
}

/** The host's ends of the cables plugged into the network's bridge. */
export async function attachedCables(
  host: string,
  network: TestNetwork,
): Promise<readonly string[]> {
  const listing = await mustRun(["ip", "-n", host, "-j", "link", "show", "master", network.bridge]);
  return (JSON.parse(listing) as { readonly ifname: string }[]).map(({ ifname }) => ifname);
}

/** Plugs the guest in as its `eth0`, with a default route by the host in each family. */
export async function attachGuest(
  host: string,
  network: TestNetwork,
  namespace: string,
  addresses: readonly string[],
): Promise<void> {
  // The namespace's number makes the name short enough for the kernel, and no other guest's.
  const cable = `vnet${namespace.split("-")[2]}`;
  await configure(host, [
    `link add ${cable} type veth peer name eth0 netns ${namespace}`,
    `link set ${cable} master ${network.bridge} up`,
  ]);
  await configure(namespace, [
    ...addresses.map((address) =>
      `addr add ${address} dev eth0${isIpv6(address) ? " nodad" : " broadcast +"}`
    ),
    "link set eth0 up",
    ...gateways(network, addresses).map((gateway) => `route add default via ${gateway}`),
  ]);
}

/** The host's address in the guest's first subnet of each family. */
function gateways(network: TestNetwork, addresses: readonly string[]): readonly string[] {
  return [false, true].flatMap((ipv6) => {
    const own = addresses.find((address) => isIpv6(address) === ipv6);
    if (own === undefined) return [];
    const known = [...network.addresses, ...network.unmentioned];
    const gateway = known.find((address) => subnetText(address) === subnetText(own));
    return gateway === undefined ? [] : [bare(gateway)];
  });
}

/** Enough to compare the subnets of tests: the text before the last group. */
function subnetText(address: string): string {
  return address.replace(/[0-9a-f]+\/\d+$/, "");
}

/** One value from which both come: the definition given to the program, and the bridge with guests. */

/** A network of a test. */
export interface TestNetwork {
  readonly name: string;
  readonly bridge: string;
  /** The host's addresses on the bridge, with prefix length; each ends in `.1` or `::1`. */
  readonly addresses: readonly string[];
  /** The guests by name, each with its addresses inside those subnets. */
  readonly guests: Readonly<Record<string, readonly string[]>>;
  /** The `<forward>` element; empty: isolated. */
  readonly forward: string;
  /** Attributes of `<network>`, such as `ipv6="yes"`. */
  readonly attributes: string;
  /** More elements of `<network>`, such as `<route>`. */
  readonly more: string;
  /** Whether the host answers DHCP in the first subnet. */
  readonly dhcp: boolean;
  /** Addresses on the bridge that the definition does not tell the program about. */
  readonly unmentioned: readonly string[];
}

/** The numbers of the addresses that DHCP gives away. */
export const DHCP_RANGE = { first: 100, last: 150 } as const;

/** What differs from a network with one IPv4 and one IPv6 subnet and two guests. */
export type NetworkOptions = Partial<Omit<TestNetwork, "name" | "bridge">>;

/**
 * Network `name` with subnets 192.168.N.0/24 and 2001:db8:N::/64 on bridge `brN`, and the guests
 * `name-a` (.10) and `name-b` (.11).
 */
export function testNetwork(
  number: number,
  name: string,
  options: NetworkOptions = {},
): TestNetwork {
  const addresses = options.addresses ?? [`192.168.${number}.1/24`, `2001:db8:${number}::1/64`];
  const subnets = [...addresses, ...options.unmentioned ?? []];
  return {
    name,
    bridge: `br${number}`,
    addresses,
    guests: {
      [`${name}-a`]: subnets.map((address) => neighbour(address, 10)),
      [`${name}-b`]: subnets.map((address) => neighbour(address, 11)),
    },
    forward: "",
    attributes: "",
    more: "",
    dhcp: false,
    unmentioned: [],
    ...options,
  };
}

/** The address number `host` in the subnet of an address that ends in 1. */
export function neighbour(address: string, host: number): string {
  return address.replace(/1\/(\d+)$/, `${host}/$1`);
}

/** The address without its prefix length. */
export function bare(address: string): string {
  return address.replace(/\/\d+$/, "");
}

/** Whether it is an IPv6 address. */
export function isIpv6(address: string): boolean {
  return address.includes(":");
}

/** The network's `<network>` element. */
export function definition(network: TestNetwork): string {
  return [
    `<network ${network.attributes}>`.replace(" >", ">"),
    `  <name>${network.name}</name>`,
    ...(network.forward === "" ? [] : [`  ${network.forward}`]),
    `  <bridge name="${network.bridge}"/>`,
    ...network.addresses.map((address, index) => ipElement(address, network.dhcp && index === 0)),
    ...(network.more === "" ? [] : [`  ${network.more}`]),
    "</network>",
    "",
  ].join("\n");
}

function ipElement(address: string, dhcp: boolean): string {
  const family = isIpv6(address) ? ' family="ipv6"' : "";
  const element = `  <ip${family} address="${bare(address)}" prefix="${address.split("/")[1]}"`;
  if (!dhcp) return `${element}/>`;
  const [start, end] = [DHCP_RANGE.first, DHCP_RANGE.last].map((host) =>
    bare(neighbour(address, host))
  );
  return `${element}>\n    <dhcp><range start="${start}" end="${end}"/></dhcp>\n  </ip>`;
}

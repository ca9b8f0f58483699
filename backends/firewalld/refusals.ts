/** What firewalld cannot express, said before anything is changed. */
import { formatRange } from "../../core/address.ts";
import { UnsupportedNetworkError } from "../../core/firewall_backend.ts";
import { DEFAULT_NAT_PORTS, formatPorts } from "../../core/network/network.ts";
import {
  formatListener,
  formatTarget,
  LOCALHOST,
  needsLocalhost,
  type PublishedPort,
} from "../../core/network/published_port.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";

const NAMES = "Use letters, digits, `_` and `-`, and a zone that `firewall-cmd --get-zones` lists";

/** What to choose instead. */
export const OTHERS = "Choose a backend that can: `--backend nftables` or `--backend iptables`";

/**
 * Names that firewalld takes (its own check refuses ` `, `/`, `!` and `*`, and takes `+` at the end for any
 * ending) and that stay one word in what it gives to iptables.
 */
const INTERFACE_NAME = /^[A-Za-z0-9_.][A-Za-z0-9_.@=,~^+-]*$/;

/** What firewalld takes as a zone's name (1.3; 17 characters fit into a chain of iptables). */
const ZONE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,16}$/;

/**
 * Looks through a policy.
 *
 * @throws {UnsupportedNetworkError} For the first thing that firewalld has no words for.
 */
export function refuseUnsayable(policy: FilteredPolicy): void {
  const { network, families } = policy;
  const whose = `network ${quoted(network)}`;
  const problem = unsayableName(policy);
  if (problem !== undefined) throw new UnsupportedNetworkError(problem, NAMES);
  for (const { forwarding, published } of families) {
    for (const one of published) refuseUnsayablePort(one, whose);
    if (forwarding.direction === "none") continue;
    const { translation } = forwarding;
    if (translation?.addresses !== undefined) {
      throw new UnsupportedNetworkError(
        `firewalld cannot translate to the address range ${formatRange(translation.addresses)} ` +
          `of ${whose}: it knows only masquerading`,
        OTHERS,
      );
    }
    if (translation !== undefined && !isDefault(translation.ports)) {
      throw new UnsupportedNetworkError(
        `firewalld cannot translate to the port range ${formatPorts(translation.ports)} ` +
          `of ${whose}: the kernel chooses ports when it masquerades`,
        OTHERS,
      );
    }
  }
}

/** Each port of a range that is shifted takes rules of its own, and firewalld two milliseconds for each. */
const MOST_SHIFTED = 128;

function refuseUnsayablePort(published: PublishedPort, whose: string): void {
  const { ports, guestPorts, hostAddress } = published;
  if (needsLocalhost(published)) {
    const address = published.localhost ? LOCALHOST : hostAddress ?? LOCALHOST;
    throw new UnsupportedNetworkError(
      `firewalld cannot lead port ${formatListener({ ...published, hostAddress: address })} to a ` +
        `guest of ${whose}: it accepts what belongs to a connection before it asks any zone, so ` +
        'guests could speak into those that the host has on its "lo"',
      `Publish another address of the host than those of "lo". ${OTHERS}`,
    );
  }
  const count = ports.end - ports.start + 1;
  if (ports.start !== guestPorts.start && count > MOST_SHIFTED) {
    throw new UnsupportedNetworkError(
      `firewalld cannot lead port ${formatListener(published)} to ${formatTarget(published)} of ` +
        `${whose}: it leads each of the ${count} ports to another one by itself, at most ` +
        `${MOST_SHIFTED}`,
      `Publish the same ports as those of the guest. ${OTHERS}`,
    );
  }
}

/** Why firewalld could not be told of the bridge or its zone; undefined: it could. */
export function unsayableName({ network, bridge, zone }: FilteredPolicy): string | undefined {
  const whose = `network ${quoted(network)}`;
  if (!isSayable(bridge)) {
    return `firewalld cannot be given the interface name ${quoted(bridge)} of ${whose}`;
  }
  return zone === undefined || ZONE_NAME.test(zone)
    ? undefined
    : `The zone ${quoted(zone)} of ${whose} is no name of a firewalld zone`;
}

function isDefault({ start, end }: { readonly start: number; readonly end: number }): boolean {
  return start === DEFAULT_NAT_PORTS.start && end === DEFAULT_NAT_PORTS.end;
}

function isSayable(name: string): boolean {
  return INTERFACE_NAME.test(name) && !name.endsWith("+");
}

/** The forward device shares its zone, or is in the default zone, which takes any interface. */
export function refuseSharedDevice(
  { network }: FilteredPolicy,
  device: string,
  why: string,
): never {
  throw new UnsupportedNetworkError(
    `firewalld cannot limit network ${quoted(network)} to the forward device ${quoted(device)}: ` +
      `${why}, and firewalld knows zones, not interfaces`,
    `Give ${device} a zone of its own (\`firewall-cmd --permanent --new-zone=uplink\`, ` +
      `\`firewall-cmd --reload\`, \`firewall-cmd --zone=uplink --change-interface=${device}\`), ` +
      "or choose `--backend nftables`",
  );
}

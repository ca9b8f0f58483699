/** Where firewalld's words for published ports say less, or more, than was meant. */
import { formatAddress, type IpAddress } from "../../core/address.ts";
import type { Command } from "../../core/command.ts";
import { type Answers, UnsupportedNetworkError } from "../../core/firewall_backend.ts";
import { formatListener, formatSpec } from "../../core/network/published_port.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { isClosed } from "./guards.ts";
import { distinct } from "./host_addresses.ts";
import { publishedOf } from "./published.ts";
import { OTHERS } from "./refusals.ts";
import { bridgeAddresses, standingPorts, type Surroundings } from "./surroundings.ts";

/** Does the host show bridged packets to the firewall? Without br_netfilter there is no such setting. */
export const BRIDGED_QUESTION: Command = {
  program: "sysctl",
  args: ["-n", "net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"],
};

/**
 * Refuses a port of an address that the host does not have.
 *
 * @param before The network as it stands: what it publishes already is not refused.
 * @throws {UnsupportedNetworkError} When a port is to be published on such an address.
 */
export function refuseForeignAddress(
  policy: FilteredPolicy,
  { addresses, isAsked }: Surroundings,
  before: FilteredPolicy | undefined,
): void {
  const known = new Set(before === undefined ? [] : publishedOf(before).map(formatSpec));
  for (const published of publishedOf(policy)) {
    const { hostAddress } = published;
    if (!isAsked || hostAddress === undefined || has(addresses, hostAddress)) continue;
    if (known.has(formatSpec(published))) continue;
    throw new UnsupportedNetworkError(
      `firewalld cannot publish port ${formatListener(published)} of network ` +
        `${
          quoted(policy.network)
        }: the host does not have that address, and firewalld would take ` +
        "the port from what is routed to whoever has it",
      `Give the host the address first. ${OTHERS}`,
    );
  }
}

function has(addresses: readonly IpAddress[], address: IpAddress): boolean {
  return addresses.some((one) => one.family === address.family && one.value === address.value);
}

/** What the user should know of the ports that the network publishes, and of those of others. */
export function publishedWarnings(
  policy: FilteredPolicy,
  surroundings: Surroundings,
  answers: Answers,
): readonly string[] {
  return [
    ...lostAddresses(policy, surroundings),
    ...knownAddresses(policy, surroundings),
    ...neighbours(policy, answers),
    ...newAddresses(policy, surroundings, answers),
  ];
}

function lostAddresses(
  policy: FilteredPolicy,
  { addresses, isAsked }: Surroundings,
): readonly string[] {
  return publishedOf(policy).filter(({ hostAddress }) =>
    isAsked && hostAddress !== undefined && !has(addresses, hostAddress)
  ).map((one) =>
    `Port ${formatListener(one)} of network ${
      quoted(policy.network)
    } leads nowhere: the host does ` +
    "not have that address any more"
  );
}

function knownAddresses(
  { network, families }: FilteredPolicy,
  { addresses, isAsked }: Surroundings,
): readonly string[] {
  const anywhere = families.filter(({ published }) =>
    published.some(({ hostAddress }) => hostAddress === undefined)
  ).map(({ family }) => family);
  if (anywhere.length === 0) return [];
  const some = addresses.filter(({ family }) => anywhere.includes(family)).map(formatAddress);
  return [
    `firewalld leads ports of network ${quoted(network)} to guests at the addresses that ` +
    `${isAsked ? "the host has now" : "are known of the host"} (${some.join(", ")}). When they ` +
    "change, `bridgewall check` tells, and `bridgewall reload` follows",
  ];
}

/** Guests who speak with a guest directly, and are seen as if they had come by a published port. */
function neighbours({ network, families }: FilteredPolicy, answers: Answers): readonly string[] {
  const isBridged = /^[1-9]/m.test(answers.to(BRIDGED_QUESTION)?.stdout ?? "");
  return families.flatMap(({ published, subnets }) => {
    const guests = distinct(published.map(({ guest }) => guest)).map(formatAddress).join(", ");
    const who = isBridged ? "Guests" : subnets.length > 1 ? "Guests in one subnet" : undefined;
    return guests === "" || who === undefined ? [] : [
      `${who} of network ${quoted(network)} who speak with ${guests}` +
      `${isBridged ? "" : " in another"} directly do so by the host's address: firewalld cannot ` +
      "tell them from those who come by a published port",
    ];
  });
}

/** Ports of networks that came up earlier do not lead to guests at the addresses of this one. */
function newAddresses(
  policy: FilteredPolicy,
  surroundings: Surroundings,
  answers: Answers,
): readonly string[] {
  return surroundings.staying.flatMap((other) => {
    const anywhere = standingPorts(other, surroundings, answers)
      .filter(({ published }) => published.hostAddress === undefined);
    const known = anywhere.map(({ address }) => address);
    const missing = bridgeAddresses([policy]).filter((address) =>
      known.some(({ family }) => family === address.family) && !has(known, address)
    );
    return missing.length === 0 ? [] : [
      `Ports of network ${quoted(other.network)} lead to no guest at ` +
      `${missing.map(formatAddress).join(", ")}, which network ${quoted(policy.network)} brings, ` +
      "until `bridgewall reload`",
    ];
  });
}

/**
 * Networks of two backends on one host: firewalld lets through what was translated before it sees the packet,
 * and its own rules for guests who may not leave their bridge are none of the other's.
 *
 * @param publishing Held by the other backend.
 * @param held By firewalld.
 */
export function mixedWarnings(
  publishing: readonly FilteredPolicy[],
  held: readonly FilteredPolicy[],
): readonly string[] {
  return publishing.flatMap((one) =>
    held.filter((other) =>
      other.network !== one.network &&
      publishedOf(one).some(({ guest }) => isClosed(other, guest.family))
    ).map((other) =>
      `Guests of network ${quoted(other.network)} reach the ports that network ` +
      `${quoted(one.network)} publishes, whatever its mode says: firewalld holds one of the two, ` +
      "another backend the other. `bridgewall reload` brings both into one"
    )
  );
}

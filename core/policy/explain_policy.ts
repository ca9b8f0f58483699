/** Policy → sentences, for `plan --explain` and for reviewers of a scenario. */
import { type Family, formatAddress, formatSubnet } from "../address.ts";
import { formatPorts } from "../network/network.ts";
import { formatTarget, isLoopback, type PublishedPort } from "../network/published_port.ts";
import type { FamilyPolicy, FilteredPolicy, NetworkPolicy, Translation } from "./policy.ts";
import { quoted } from "../quoted.ts";

const FAMILY_NAMES: Readonly<Record<Family, string>> = { ipv4: "IPv4", ipv6: "IPv6" };

/** One sentence a line, the most important first. Names are quoted and made printable. */
export function explainPolicy(policy: NetworkPolicy): readonly string[] {
  switch (policy.kind) {
    case "filtered":
      return explainFiltered(policy);
    case "open":
      return [
        `Network ${quoted(policy.network)} is open, on bridge ${quoted(policy.bridge)}.`,
        "No rule is added and no address is translated: what its guests reach is up to the other" +
        " rules of this host.",
        ...(policy.forwarding.length === 0
          ? []
          : [`The host forwards ${familyList(policy.forwarding)}.`]),
      ];
    case "bridged":
      return [
        `Network ${quoted(policy.network)} is in mode ${policy.mode}: its guests use a network` +
        " that this host does not route, so no host firewall applies.",
      ];
  }
}

function explainFiltered(policy: FilteredPolicy): readonly string[] {
  const mode = policy.mode === "isolated" ? "isolated" : `in mode ${policy.mode}`;
  return [
    `Network ${quoted(policy.network)} is ${mode}, on bridge ${quoted(policy.bridge)}.`,
    "Guests on the bridge reach one another.",
    ...policy.families.flatMap((family) => explainFamily(policy, family)),
    ...explainPublished(policy.families.flatMap(({ published }) => published)),
    ...missingFamilies(policy).map((family) =>
      `${FAMILY_NAMES[family]} is not forwarded from or to the bridge: the network has no` +
      ` ${FAMILY_NAMES[family]} address.`
    ),
    "Everything else from or to the bridge is rejected, other networks included.",
  ];
}

function missingFamilies({ families }: FilteredPolicy): readonly Family[] {
  return (["ipv4", "ipv6"] as const).filter((family) =>
    !families.some((present) => present.family === family)
  );
}

function explainFamily(policy: FilteredPolicy, part: FamilyPolicy): readonly string[] {
  const name = FAMILY_NAMES[part.family];
  const guests = part.subnets.map(formatSubnet).join(", ");
  const { forwarding } = part;
  if (forwarding.direction === "none") {
    return [`${name} guests in ${guests} reach nothing beyond the bridge but the host itself.`];
  }
  const way = forwarding.device === undefined ? "" : ` through ${quoted(forwarding.device)}`;
  const outward =
    `${name} guests in ${guests} reach the outside${way}; any other source address is` +
    " rejected.";
  const inward = forwarding.direction === "replies"
    ? `Only replies from outside reach them${way}.`
    : `The outside reaches them${way}, unasked as well.`;
  const warning = policy.mode === "nat" && forwarding.direction === "both"
    ? ["IPv6 is routed, not translated: `<nat ipv6='yes'/>` would translate it."]
    : [];
  const { translation } = forwarding;
  return [
    outward,
    inward,
    ...warning,
    ...(translation === undefined ? [] : [explainTranslation(part, translation)]),
  ];
}

function explainTranslation(part: FamilyPolicy, { addresses, ports }: Translation): string {
  const source = addresses === undefined
    ? "the host's address on the way out"
    : addresses.start.value === addresses.end.value
    ? formatAddress(addresses.start)
    : `an address from ${formatAddress(addresses.start)} to ${formatAddress(addresses.end)}`;
  const where = part.subnets.length === 1 ? "that subnet" : "those subnets";
  return `Packets that leave ${where} get ${source} as their source,` +
    ` TCP and UDP a port from ${ports.start} to ${ports.end};` +
    ` what cannot be translated is rejected.`;
}

function explainPublished(published: readonly PublishedPort[]): readonly string[] {
  return [
    ...published.map(explainPort),
    ...(published.every(isForHostAlone) ? [] : [
      "Whoever asks there is answered: the outside, the host, guests of this network and of others" +
      " that let them out.",
    ]),
  ];
}

function isForHostAlone({ hostAddress }: PublishedPort): boolean {
  return hostAddress !== undefined && isLoopback(hostAddress);
}

function explainPort(port: PublishedPort): string {
  const { protocol, hostAddress, ports, localhost } = port;
  const [noun, verb] = ports.start === ports.end ? ["Port", "leads"] : ["Ports", "lead"];
  const where = hostAddress === undefined ? "the host" : formatAddress(hostAddress);
  const more = localhost
    ? ", from 127.0.0.1 too"
    : isForHostAlone(port)
    ? ", for the host itself alone"
    : "";
  return `${noun} ${formatPorts(ports)} of ${where} (${protocol.toUpperCase()}) ${verb} to ` +
    `${formatTarget(port)}${more}.`;
}

function familyList(families: readonly Family[]): string {
  return families.map((family) => FAMILY_NAMES[family]).join(" and ");
}

/** What pf cannot say, or not on this host: asked before anything is changed. */
import { formatSubnet } from "../../core/address.ts";
import { type Facts, UnsupportedNetworkError } from "../../core/firewall_backend.ts";
import { HostError } from "../../core/host.ts";
import { formatPlace } from "../../core/network/network_error.ts";
import { formatSpec, needsLocalhost } from "../../core/network/published_port.ts";
import {
  type CompiledPolicy,
  type FilteredPolicy,
  isFiltered,
  type MasqueradePolicy,
} from "../../core/policy/policy.ts";
import { byteLength, quoted } from "../../core/quoted.ts";
import { anchorPaths, LONGEST_PATH, masqueradePath } from "./anchor_path.ts";
import { overlapsAmong, recordedPolicies } from "./overlaps.ts";
import { flushedPaths } from "./removal.ts";
import { LOCAL_DELIVERY_KEY } from "./settings.ts";
import { externalInterface, isTranslated, type Surroundings } from "./surroundings.ts";

/**
 * Passes over what can be made true.
 *
 * @throws {UnsupportedNetworkError} For what pf cannot say.
 * @throws {HostError} When nobody knows by which interface translated packets would leave.
 */
export function refuseUnsupported(
  policies: readonly CompiledPolicy[],
  surroundings: Surroundings,
  facts: Facts,
): void {
  const { root } = surroundings;
  for (const policy of policies) {
    if (policy.kind === "masquerade") refuseIpv6Prefixes(policy);
    else refuseIpv6(policy);
  }
  // What stood before is never refused.
  const wanted = policies.filter(({ network }) => facts.again?.has(network) !== true);
  const standing = new Set(flushedPaths(facts.records));
  for (const policy of wanted) {
    if (policy.kind === "masquerade") {
      if (!standing.has(masqueradePath(root))) refuseUnknownWay(policy, surroundings);
      continue;
    }
    if (!standing.has(anchorPaths(root, policy).bridge)) refuseUnknownWay(policy, surroundings);
    refusePublished(policy, surroundings, facts);
  }
  if (wanted.length > 0) refuseOverlaps(policies, surroundings, facts);
}

function refuseIpv6({ families }: FilteredPolicy): void {
  const ipv6 = families.find(({ family }) => family === "ipv6");
  if (ipv6 === undefined) return;
  const where = ipv6.place === undefined ? "" : `${formatPlace(ipv6.place)}: `;
  throw new UnsupportedNetworkError(
    `${where}FreeBSD's pf backend supports IPv4 only`,
    "Remove the <ip family='ipv6'> elements of the network",
  );
}

function refuseIpv6Prefixes({ families }: MasqueradePolicy): void {
  const [prefix] = families.find(({ family }) => family === "ipv6")?.prefixes ?? [];
  if (prefix === undefined) return;
  throw new UnsupportedNetworkError(
    `Cannot masquerade ${formatSubnet(prefix)}: FreeBSD's pf backend supports IPv4 only`,
    "Masquerade IPv4 prefixes",
  );
}

function refuseUnknownWay(policy: CompiledPolicy, surroundings: Surroundings): void {
  const isKnown = policy.kind === "masquerade"
    ? surroundings.defaultInterface !== undefined
    : !isTranslated(policy) || externalInterface(policy, surroundings) !== undefined;
  if (isKnown) return;
  const [whose, fix] = policy.kind === "masquerade"
    ? ["masqueraded prefixes", "Set a default route"]
    : [
      `network ${quoted(policy.network)}`,
      "Set a default route, or name the interface in the definition: " +
      "<forward mode='nat' dev='…'/>. A plan for another host takes `--default-interface`",
    ];
  throw new HostError(
    `Cannot translate the packets of ${whose}: the host has no default route for IPv4, which ` +
      "would tell by which interface they leave",
    fix,
  );
}

function refusePublished(
  policy: FilteredPolicy,
  surroundings: Surroundings,
  { records }: Facts,
): void {
  const [first] = policy.families.flatMap(({ published }) => published);
  if (first === undefined) return;
  refuseSctp(policy);
  refuseLocalhost(policy, surroundings, records);
  const { redirections } = anchorPaths(surroundings.root, policy);
  if (byteLength(redirections) <= LONGEST_PATH) return;
  throw new UnsupportedNetworkError(
    `Network ${quoted(policy.network)} publishes ports in the anchor ${
      quoted(redirections)
    }, and ` +
      `pfctl takes ${LONGEST_PATH} bytes at most`,
    "Choose a shorter `anchor` in bridgewall.conf, or a shorter name for the network",
  );
}

function refuseSctp({ network, families }: FilteredPolicy): void {
  const sctp = families.flatMap(({ published }) => published)
    .find(({ protocol }) => protocol === "sctp");
  if (sctp === undefined) return;
  throw new UnsupportedNetworkError(
    `Network ${quoted(network)} publishes ${
      formatSpec(sctp)
    }: FreeBSD's pf backend redirects tcp ` +
      "and udp only",
    "Publish ports of tcp and udp",
  );
}

/** What it published already is not refused any more. */
function refuseLocalhost(
  policy: FilteredPolicy,
  { seesLocal = false }: Surroundings,
  records: Facts["records"],
): void {
  const ports = localPorts(policy);
  if (seesLocal || ports.length === 0) return;
  const before = recordedPolicies(records).filter(({ network }) => network === policy.network);
  const known = new Set(before.flatMap(localPorts));
  const added = ports.find((spec) => !known.has(spec));
  if (added === undefined) return;
  throw new UnsupportedNetworkError(
    `Network ${
      quoted(policy.network)
    } publishes ${added} at 127.0.0.1: pf does not see the answers ` +
      `to what the host sends to itself as long as ${LOCAL_DELIVERY_KEY} is 0`,
    `Run \`sysctl ${LOCAL_DELIVERY_KEY}=1\` (since FreeBSD 13.3) and \`service pf restart\`, or ` +
      "publish the port without localhost",
  );
}

function localPorts(policy: CompiledPolicy): readonly string[] {
  if (!isFiltered(policy)) return [];
  return policy.families.flatMap(({ published }) => published).filter(needsLocalhost)
    .map(formatSpec);
}

function refuseOverlaps(
  policies: readonly CompiledPolicy[],
  surroundings: Surroundings,
  { records }: Facts,
): void {
  const found = overlapsAmong(policies, records, surroundings);
  if (found.length === 0) return;
  const before = new Set(
    overlapsAmong([], records, surroundings).map(({ sentence }) => sentence),
  );
  const added = found.find(({ sentence }) => !before.has(sentence));
  if (added === undefined) return;
  throw new UnsupportedNetworkError(`Cannot keep ${added.sentence}`, added.hint);
}

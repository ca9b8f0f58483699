/** Published ports among what is live, and what this host does not do for them. */
import type { Answers } from "../../core/firewall_backend.ts";
import {
  formatTarget,
  needsLocalhost,
  type PublishedPort,
} from "../../core/network/published_port.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { REDIRECTIONS } from "./anchor_path.ts";
import type { Reading } from "./listing.ts";
import { findProblems } from "./main_ruleset.ts";
import { LOOPBACK_INTERFACE, PUBLISHED, publishedTag } from "./published.ts";
import { isOn, LOCAL_DELIVERY_KEY, LOCAL_MEMBER_KEY, MEMBER_KEY } from "./settings.ts";
import type { Surroundings } from "./surroundings.ts";

/** The rules that the network would have if it published nothing. */
export function withoutPublished(name: string): Reading {
  const tag = publishedTag(name);
  const isPublished = (line: string): boolean =>
    line.startsWith(`rdr-anchor "${REDIRECTIONS}" `) ||
    new RegExp(` tag(ged)? ${RegExp.escape(tag)}( |$)`).test(line);
  return (lines) =>
    lines.map((line) => line.replace(` ! tagged ${tag}`, "")).filter((line) => !isPublished(line));
}

/** The label of what a redirection leads to, as pfctl prints it; undefined: it is no redirection. */
export function labelOfRedirection(line: string): string | undefined {
  const [, protocol, address, ports = ""] =
    /^rdr .* proto (\w+) .* -> (\S+) port (\d+(?::\d+)?)$/.exec(line) ?? [];
  if (protocol === undefined) return undefined;
  return `${PUBLISHED} ${protocol} ${address}:${ports.replace(":", "-")}`;
}

/** What the ports do not do on this host, as sentences without a period. */
export function publishedWarnings(
  policy: FilteredPolicy,
  { root, seesLocal = false }: Surroundings,
  answers: Answers,
): readonly string[] {
  const published = policy.families.flatMap((one) => one.published);
  const [first] = published;
  if (first === undefined) return [];
  return [
    ...(seesLocal ? skippedHost(policy, root, answers) : [unseenHost(policy, first, published)]),
    ...memberWarnings(policy, answers),
  ];
}

function unseenHost(
  { network }: FilteredPolicy,
  first: PublishedPort,
  published: readonly PublishedPort[],
): string {
  const where = published.some(needsLocalhost)
    ? "its own addresses, 127.0.0.1 as well"
    : "its own addresses";
  return `The host itself does not reach the ports that network ${quoted(network)} publishes at ` +
    `${where}, others do.\nUse the guest's address there, such as ${formatTarget(first)}, or run ` +
    `\`sysctl ${LOCAL_DELIVERY_KEY}=1\` (since FreeBSD 13.3), \`service pf restart\` and ` +
    "`bridgewall reload`";
}

function skippedHost(
  { network }: FilteredPolicy,
  root: string,
  answers: Answers,
): readonly string[] {
  const skipped = findProblems(root, [LOOPBACK_INTERFACE], answers)
    .some(({ sentence }) => sentence.includes(quoted(LOOPBACK_INTERFACE)));
  if (!skipped) return [];
  return [
    `The host itself does not reach the ports that network ${
      quoted(network)
    } publishes, others do: ` +
    `pf leaves interface ${quoted(LOOPBACK_INTERFACE)} alone (\`set skip\`).\n` +
    "Take the interface out of `set skip` in /etc/pf.conf and run `service pf reload`",
  ];
}

/** Packets would be redirected on the member, and their answers do not come by there. */
function memberWarnings({ network }: FilteredPolicy, answers: Answers): readonly string[] {
  if (!isOn(MEMBER_KEY, answers) || !isOn(LOCAL_MEMBER_KEY, answers)) return [];
  return [
    `Guests do not reach the ports that network ${quoted(network)} publishes, others do: ` +
    `${LOCAL_MEMBER_KEY} is 1.\nRun \`sysctl ${LOCAL_MEMBER_KEY}=0\``,
  ];
}

/** Prefixes of no network ↔ their record, and what must be true for them. */
import { isElement, type XmlElement } from "@std/xml";
import {
  compareSubnets,
  type Family,
  formatSubnet,
  overlaps,
  parseSubnet,
  type Subnet,
  withoutContained,
} from "../address.ts";
import type { Network } from "../network/network.ts";
import { exclusiveSubnets } from "../network/subnets.ts";
import { quoted } from "../quoted.ts";
import { type Installation, type Record, RecordError } from "../record/record.ts";
import { MASQUERADE, type MasqueradePolicy } from "./policy.ts";

/** Whether the record is that of the prefixes, not of a network. */
export function isMasquerade({ name }: Pick<Record, "name">): boolean {
  return name === MASQUERADE;
}

/** What must be true for these prefixes; one inside another adds nothing, until the other goes. */
export function masqueradePolicy(prefixes: readonly Subnet[]): MasqueradePolicy {
  const apart = withoutContained(prefixes).toSorted(compareSubnets);
  return {
    kind: "masquerade",
    network: MASQUERADE,
    families: (["ipv4", "ipv6"] satisfies Family[])
      .map((family) => ({ family, prefixes: apart.filter((one) => one.family === family) }))
      .filter((one) => one.prefixes.length > 0),
  };
}

/** The definition that the record of the prefixes holds: each as it was wanted, sorted. */
export function masqueradeElement(prefixes: readonly Subnet[]): XmlElement {
  const children = prefixes.toSorted(compareSubnets)
    .map((prefix) => plainElement("prefix", { address: formatSubnet(prefix) }, []));
  return plainElement("masquerade", {}, children);
}

function plainElement(
  name: string,
  attributes: XmlElement["attributes"],
  children: XmlElement["children"],
): XmlElement {
  return { type: "element", name: { raw: name, local: name }, attributes, children };
}

/**
 * The prefixes as they were wanted, sorted.
 *
 * @throws {RecordError} When the record holds something else.
 */
export function recordedPrefixes({ network }: Pick<Installation, "network">): readonly Subnet[] {
  const refuse = (): never => {
    throw new RecordError("Cannot use the record of masqueraded prefixes: it is damaged");
  };
  if (network.name.raw !== "masquerade") refuse();
  return network.children.filter(isElement).map((child) => {
    const prefix = parseSubnet(child.attributes["address"] ?? "");
    return prefix === undefined || prefix.prefix === 0 ? refuse() : prefix;
  });
}

/** A prefix around a network translates what the rules of the network leave as it is. */
export function overlapWarnings(prefixes: readonly Subnet[], network: Network): readonly string[] {
  return exclusiveSubnets(network).flatMap((subnet) =>
    prefixes.filter((prefix) => overlaps(prefix, subnet)).map((prefix) =>
      `${formatSubnet(prefix)} overlaps ${formatSubnet(subnet)} of network ` +
      `${quoted(network.name)}: its guests are translated by this prefix, too`
    )
  );
}

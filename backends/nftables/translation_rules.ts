/** What gives the packets of a network their source addresses. */
import {
  type Family,
  formatAddress,
  formatRange,
  parseSubnet,
  type Subnet,
  withoutContained,
} from "../../core/address.ts";
import { formatPorts } from "../../core/network/network.ts";
import {
  type FamilyPolicy,
  type FilteredPolicy,
  NEVER_TRANSLATED,
  type Translation,
} from "../../core/policy/policy.ts";
import type { Element, ObjectGroup, Rule } from "./objects.ts";
import {
  among,
  commentString,
  interfaceString,
  objectName,
  PROTOCOLS,
  subnetSet,
  words,
} from "./script.ts";
import { POSTROUTING } from "./shared_objects.ts";

/** The chain of the network, and the ways into it: by its bridge, and by the host's addresses there. */
export function translationGroup(
  policy: FilteredPolicy,
  families: readonly FamilyPolicy[],
): ObjectGroup {
  const { network, bridge } = policy;
  const chain = objectName("nat", bridge);
  const value = `jump ${chain}`;
  return {
    shared: POSTROUTING,
    chains: [{
      name: chain,
      comment: commentString(network, "source addresses of its guests"),
      rules: families.flatMap((family) => translationRules(network, family)),
    }],
    elements: [
      { collection: "translate_from_bridge", key: interfaceString(bridge), value },
      ...families.flatMap(({ family, hostAddresses }) =>
        unique(hostAddresses.map(formatAddress)).map((key): Element => ({
          collection: `translate_host_${family}`,
          key,
          value,
        }))
      ),
    ],
    counters: [],
  };
}

function translationRules(network: string, policy: FamilyPolicy): readonly Rule[] {
  const { family, subnets, forwarding } = policy;
  if (forwarding.direction === "none" || forwarding.translation === undefined) return [];
  const excluded = withoutContained([...subnets, ...neverTranslated(family)]);
  const match = words(
    among(policy, "saddr"),
    `${PROTOCOLS[family]} daddr != ${subnetSet(excluded)}`,
    forwarding.device === undefined ? "" : `oifname ${interfaceString(forwarding.device)}`,
  );
  const { translation } = forwarding;
  return [
    {
      statements: words(
        match,
        "meta l4proto { tcp, udp }",
        translate(family, translation, `:${formatPorts(translation.ports)}`),
      ),
      comment: commentString(network, "translate TCP and UDP"),
    },
    {
      statements: words(match, translate(family, translation, "")),
      comment: commentString(network, "translate the rest"),
    },
  ];
}

function translate(family: Family, { addresses }: Translation, ports: string): string {
  if (addresses !== undefined) {
    return `snat ${PROTOCOLS[family]} to ${formatRange(addresses)}${ports}`;
  }
  return ports === "" ? "masquerade" : `masquerade to ${ports}`;
}

function neverTranslated(family: Family): readonly Subnet[] {
  return NEVER_TRANSLATED[family].flatMap((text) => parseSubnet(text) ?? []);
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}

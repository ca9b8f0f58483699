/** What packets get as their source address, as rules: of guests, and of prefixes of no network. */
import {
  type Family,
  formatRange,
  formatSubnet,
  isLinkLocal,
  parseSubnet,
  type Subnet,
} from "../../core/address.ts";
import { formatPorts } from "../../core/network/network.ts";
import {
  type FamilyPolicy,
  type FilteredPolicy,
  type MasqueradePolicy,
  NEVER_TRANSLATED,
  type Translation,
} from "../../core/policy/policy.ts";
import { MASQUERADING, type Part, type Rule, TRANSLATION } from "./parts.ts";
import { chainName, commentText, interfaceWord } from "./script.ts";

/** How what leaves the subnets of a network is translated; nothing where it is not. */
export function translationParts(policy: FilteredPolicy, own: FamilyPolicy): readonly Part[] {
  const { family, subnets, forwarding } = own;
  if (forwarding.direction === "none" || forwarding.translation === undefined) return [];
  const { translation } = forwarding;
  const chain = chainName("NAT", policy.bridge);
  const device = forwarding.device === undefined ? [] : ["-o", interfaceWord(forwarding.device)];
  const say = (text: string): string => commentText(policy.network, text);
  return [{
    shared: TRANSLATION,
    chains: [{
      name: chain,
      rules: [
        ...[...subnets, ...neverTranslated(family)].map((subnet): Rule => ({
          match: ["-d", formatSubnet(subnet)],
          comment: say("not translated"),
          verdict: ["-j", "RETURN"],
        })),
        ...["tcp", "udp"].map((protocol): Rule => ({
          match: [...device, "-p", protocol],
          comment: say("translate TCP and UDP"),
          verdict: translate(translation, formatPorts(translation.ports)),
        })),
        {
          match: device,
          comment: say("translate the rest"),
          verdict: translate(translation, undefined),
        },
      ],
    }],
    entries: translatedSubnets(own).map((subnet) => ({
      chain: "BRIDGEWALL_POST",
      rule: {
        match: ["-s", formatSubnet(subnet)],
        comment: say("source addresses of its guests"),
        verdict: ["-j", chain],
      },
    })),
  }];
}

/**
 * Where those are whose packets are translated; nowhere where that is not done. Link-local packets stay on
 * their link, and the host has such an address on every interface.
 */
export function translatedSubnets({ subnets, forwarding }: FamilyPolicy): readonly Subnet[] {
  const isTranslated = forwarding.direction !== "none" && forwarding.translation !== undefined;
  return isTranslated ? subnets.filter((subnet) => !isLinkLocal(subnet)) : [];
}

function translate({ addresses }: Translation, ports: string | undefined): readonly string[] {
  if (addresses === undefined) {
    return ["-j", "MASQUERADE", ...(ports === undefined ? [] : ["--to-ports", ports])];
  }
  const to = formatRange(addresses) + (ports === undefined ? "" : `:${ports}`);
  return ["-j", "SNAT", "--to-source", to];
}

/** Each prefix leads to the same rules, but for what stays inside it. */
export function masqueradeParts(
  { families }: MasqueradePolicy,
  family: Family,
): readonly Part[] {
  const own = families.find((one) => one.family === family);
  if (own === undefined) return [];
  const chain = "BWALL_MASQ";
  const say = (text: string): string => commentText("masquerade", text);
  return [{
    shared: MASQUERADING,
    chains: [{
      name: chain,
      rules: [
        ...neverTranslated(family).map((subnet): Rule => ({
          match: ["-d", formatSubnet(subnet)],
          comment: say("not translated"),
          verdict: ["-j", "RETURN"],
        })),
        { match: [], comment: say("what leaves its prefix"), verdict: ["-j", "MASQUERADE"] },
      ],
    }],
    entries: own.prefixes.map(formatSubnet).map((prefix) => ({
      chain: "BRIDGEWALL_MASQ",
      rule: {
        match: ["-s", prefix, "!", "-d", prefix],
        comment: say("what leaves its prefix"),
        verdict: ["-j", chain],
        carries: prefix,
      },
    })),
  }];
}

function neverTranslated(family: Family): readonly Subnet[] {
  return NEVER_TRANSLATED[family].flatMap((text) => parseSubnet(text) ?? []);
}

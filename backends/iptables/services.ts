/** What the host itself offers to guests, as rules: requests to it, and its replies. */
import type { Family } from "../../core/address.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import type { Rule } from "./parts.ts";
import { commentText } from "./script.ts";

/** A request and the reply to it. */
export interface ServiceRules {
  /** In the chain of INPUT. */
  readonly request: Rule;
  /** In the chain of OUTPUT. */
  readonly reply: Rule;
}

/** One service: how its packets are told from others, in both directions. */
interface Service {
  readonly name: string;
  readonly protocol: "tcp" | "udp";
  readonly request: readonly string[];
  readonly reply: readonly string[];
}

/** RFC 2131: a client that has no address yet may be answered at the broadcast address. */
const DHCP: Service = {
  name: "DHCP",
  protocol: "udp",
  request: ["--dport", "67"],
  reply: ["--sport", "67", "--dport", "68"],
};

/** RFC 8415. */
const DHCPV6: Service = {
  name: "DHCPv6",
  protocol: "udp",
  request: ["--dport", "547"],
  reply: ["--sport", "547", "--dport", "546"],
};

/** RFC 1035: long answers go over TCP. */
const DNS: readonly Service[] = (["udp", "tcp"] as const).map((protocol) => ({
  name: "DNS",
  protocol,
  request: ["--dport", "53"],
  reply: ["--sport", "53"],
}));

/** The rules for the services of this network over this family; empty where there are none. */
export function serviceRules(policy: FilteredPolicy, family: Family): readonly ServiceRules[] {
  const { dhcp, dhcpv6, dns, tftp } = policy.services;
  const hasAddress = policy.families.some((one) => one.family === family);
  const services = family === "ipv4"
    ? [...(dhcp ? [DHCP] : []), ...(dns && hasAddress ? DNS : [])]
    : [...(dhcpv6 ? [DHCPV6] : []), ...(dns && hasAddress ? DNS : [])];
  return [
    ...services.map((service) => rulesOf(policy, service)),
    ...(family === "ipv4" && tftp ? bootFileRules(policy) : []),
  ];
}

function rulesOf({ network }: FilteredPolicy, service: Service): ServiceRules {
  const { name, protocol, request, reply } = service;
  const match = ["-p", protocol, "-m", protocol];
  const verdict = ["-j", "ACCEPT"];
  return {
    request: { match: [...match, ...request], comment: commentText(network, name), verdict },
    reply: {
      match: [...match, ...reply],
      comment: commentText(network, `${name}, replies`),
      verdict,
    },
  };
}

/**
 * RFC 1350: the server answers from a port of its own choosing, so its packets are those of a connection
 * that it opens itself, and what the guest sends there are replies to it.
 */
function bootFileRules({ network }: FilteredPolicy): readonly ServiceRules[] {
  const accept = ["-j", "ACCEPT"];
  const say = (text: string): string => commentText(network, text);
  const udp = ["-p", "udp", "-m", "udp"];
  return [
    {
      request: { match: [...udp, "--dport", "69"], comment: say("TFTP"), verdict: accept },
      reply: { match: [...udp, "--sport", "69"], comment: say("TFTP, errors"), verdict: accept },
    },
    {
      request: {
        match: [
          ...["-p", "udp", "-m", "conntrack", "--ctstate", "ESTABLISHED"],
          ...["--ctdir", "REPLY"],
        ],
        comment: say("TFTP, data that guests acknowledge"),
        verdict: accept,
      },
      reply: {
        match: [...udp, "--sport", "1024:65535", "--dport", "1024:65535"],
        comment: say("TFTP, data"),
        verdict: accept,
      },
    },
  ];
}

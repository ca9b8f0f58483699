/** What the scripts depend on beside the policy: the variant, IPv6, and what stands already. */
import type { Family } from "../../core/address.ts";
import { groupKey, type RemovalGroup } from "../../core/change/change.ts";
import { firstLine } from "../../core/command.ts";
import { type Facts, NoBackendError } from "../../core/firewall_backend.ts";
import type { CompiledPolicy } from "../../core/policy/policy.ts";
import { usesFamily } from "./ruleset.ts";
import {
  type FamilyPrograms,
  IPV6_QUESTION,
  readVersion,
  usedPrograms,
  type Variant,
  VERSION_QUESTION,
} from "./variant.ts";

/** The host as the compiler sees it. */
export interface IptablesHost {
  /** IPv6 is filtered on each bridge, also where it is not used: then it is stopped. */
  readonly families: readonly Family[];
  /** How many networks (or prefixes) a part stands for, by its removal; 0: it does not stand. */
  holders(removal: RemovalGroup): number;
  /** True when the networks could do without what these programs install. */
  isOptional(programs: FamilyPrograms): boolean;
  /**
   * That of the installation which is to be made again, else the one that the host's `iptables` is.
   *
   * @throws {NoBackendError} When the host was asked and did not tell: a guess could leave what stands.
   */
  variantOf(policy: CompiledPolicy): Variant;
}

/** Reads the answers and the records. */
export function hostOf(
  policies: readonly CompiledPolicy[],
  { answers, standing, again }: Facts,
): IptablesHost {
  const ipv6 = answers.to(IPV6_QUESTION);
  const used = usedPrograms(standing);
  const holders = new Map<string, number>();
  for (const key of standing.flatMap(({ removal }) => [...new Set(removal.map(groupKey))])) {
    holders.set(key, (holders.get(key) ?? 0) + 1);
  }
  const isIpv6Used = policies.some((policy) => usesFamily(policy, "ipv6"));
  return {
    families: ipv6?.status === 0 && ipv6.stdout.trim() === "" ? ["ipv4"] : ["ipv4", "ipv6"],
    holders: (removal) => holders.get(groupKey(removal)) ?? 0,
    isOptional: (programs) => programs.family === "ipv6" && !isIpv6Used && !used.includes(programs),
    variantOf: ({ network }) => {
      const installation = again?.get(network);
      const [before] = installation === undefined ? [] : usedPrograms([installation]);
      return before?.variant ?? variantNow(answers);
    },
  };
}

/** Of a host that was not asked it is the newer one. */
function variantNow(answers: Facts["answers"]): Variant {
  const answer = answers.to(VERSION_QUESTION);
  if (answer === undefined) return "nft";
  const found = readVersion(answer);
  if (found !== undefined) return found.variant;
  const why = answer.status === 127
    ? "iptables is not installed"
    : `iptables does not tell which variant it is: ${firstLine(answer.stdout + answer.stderr)}`;
  throw new NoBackendError(
    `Cannot use the backend "iptables" on this host: ${why}`,
    "See `bridgewall backends`",
  );
}

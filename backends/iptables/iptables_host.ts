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
  /**
   * Whether a part stands, so that it can be filled again. It is not certain after an interrupted change,
   * where two installations of a network have the same chains, but not the same entries: then one goes
   * and the other is made new, and where that is not what stands, the script is refused.
   */
  stands(removal: RemovalGroup): boolean;
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
  const groups = new Map(
    standing.flatMap(({ removal }) => removal.map((group) => [groupKey(group), group] as const)),
  );
  const owners = Map.groupBy([...groups.values()].flatMap(removedChains), (chain) => chain);
  const holders = (removal: RemovalGroup): number => {
    const key = groupKey(removal);
    return standing.filter((one) => one.removal.some((group) => groupKey(group) === key)).length;
  };
  const isIpv6Used = policies.some((policy) => usesFamily(policy, "ipv6"));
  return {
    families: ipv6?.status === 0 && ipv6.stdout.trim() === "" ? ["ipv4"] : ["ipv4", "ipv6"],
    holders,
    stands: (removal) =>
      groups.has(groupKey(removal)) &&
      removedChains(removal).every((chain) => owners.get(chain)?.length === 1),
    isOptional: (programs) => programs.family === "ipv6" && !isIpv6Used && !used.includes(programs),
    variantOf: ({ network }) => {
      const installation = again?.get(network);
      const [before] = installation === undefined ? [] : usedPrograms([installation]);
      return before?.variant ?? variantNow(answers);
    },
  };
}

/** Program, table and name of each. */
function removedChains({ commands }: RemovalGroup): readonly string[] {
  return commands.flatMap(({ program, stdin = "" }) => {
    const [table = "", ...lines] = stdin.split("\n");
    return lines.filter((line) => line.startsWith("-X ")).map((line) =>
      `${program} ${table} ${line}`
    );
  });
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

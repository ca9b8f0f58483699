/**
 * Whether the kernel can translate as published ports and masqueraded prefixes need it. What of nftables a
 * kernel has is up to who built it: chains of NAT in tables of both families, translation of IPv6, lookups of
 * routes. So it is asked with the very rules, in a table that never comes to be (`nft --check`).
 */
import type { Family } from "../../core/address.ts";
import { type Command, firstLine } from "../../core/command.ts";
import {
  type Answers,
  UnsupportedNetworkError,
  type WantedNetwork,
} from "../../core/firewall_backend.ts";
import type { CompiledPolicy } from "../../core/policy/policy.ts";
import { installScripts } from "./install_scripts.ts";
import { HAIRPIN, masqueradingOf, publishingOf } from "./shared_objects.ts";

/** A name that no administrator can choose for the table: it is not even made. */
const NO_TABLE = "bridgewall.probe";

const FAMILY_NAMES: Readonly<Record<Family, string>> = { ipv4: "IPv4", ipv6: "IPv6" };

function probe(family: Family): Command {
  const shared = [publishingOf(family), HAIRPIN, masqueradingOf(family)];
  const lines = installScripts(NO_TABLE, { shared, groups: [], published: [], holding: [] }).flat();
  const stdin = lines.map((line) => `${line}\n`).join("");
  return { program: "nft", args: ["--check", "-f", "-"], stdin };
}

/** One question for each family that the networks translate destinations of, and none for the others. */
export function probeQuestions(networks: readonly WantedNetwork[]): readonly Command[] {
  const families = new Set(networks.flatMap(({ publishes = [] }) => publishes));
  return [...families].map(probe);
}

/**
 * Refuses what the kernel was asked about and cannot do.
 *
 * @throws {UnsupportedNetworkError} With the kernel's own words.
 */
export function refuseUntranslatable(policies: readonly CompiledPolicy[], answers: Answers): void {
  for (const family of translatedFamilies(policies)) {
    const answer = answers.to(probe(family));
    if (answer === undefined || answer.status === 0 || answer.status === 127) continue;
    throw new UnsupportedNetworkError(
      `This kernel cannot translate addresses of ${
        FAMILY_NAMES[family]
      } with nftables, as published ` +
        `ports and masqueraded prefixes need it: ${firstLine(answer.stderr)}`,
      "Try `--backend iptables`, or a kernel with nft_nat, nft_masq and nft_fib_inet",
    );
  }
}

function translatedFamilies(policies: readonly CompiledPolicy[]): ReadonlySet<Family> {
  return new Set(
    policies.flatMap((policy) =>
      policy.kind === "masquerade"
        ? policy.families.map(({ family }) => family)
        : policy.families.filter(({ published }) => published.length > 0).map(({ family }) =>
          family
        )
    ),
  );
}

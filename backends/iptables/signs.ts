/** How a change of our chains shows. */
import type { Record } from "../../core/record/record.ts";
import { installationsOf } from "../../core/record/record.ts";
import { NFT_MONITOR, type Sign } from "../../core/sign.ts";
import { usedPrograms } from "./variant.ts";

/**
 * Of the tables that iptables-nft works on: what is done to chains of ours, to the built-in ones that lead
 * there, and to whole tables and chains. Rules in chains of others, as Docker makes them, are passed over.
 */
const OURS = new RegExp(
  "^\\w+ (?:table ip6? |chain ip6? |" +
    "rule ip6? \\w+ (?:BRIDGEWALL_|BWALL_|(?:INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING)\\s))",
);

/** iptables-nft tells of its changes; the tables of iptables-legacy have to be listed. */
export function tableSigns(records: readonly Record[]): readonly Sign[] {
  const used = usedPrograms(records.flatMap(installationsOf));
  const legacy = used.filter(({ variant }) => variant === "legacy").map(({ save }) => save.program);
  return [
    ...(used.some(({ variant }) => variant === "nft")
      ? [{
        kind: "lines",
        command: NFT_MONITOR,
        mayBeOurs: (line: string) => OURS.test(line),
      }] as const
      : []),
    ...(legacy.length === 0 ? [] : [{
      kind: "listings",
      commands: legacy.map((program) => ({ program, args: [] })),
      comparable: withoutCounters,
    }] as const),
  ];
}

/** Comments tell the time; built-in chains are listed with what they have counted. */
function withoutCounters(output: string): string {
  return output.replaceAll(/^#.*\n/gm, "").replaceAll(/ \[\d+:\d+\]$/gm, "");
}

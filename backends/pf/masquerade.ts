/** Prefixes that belong to no network → the anchor that translates what leaves them. */
import { formatSubnet, type Subnet } from "../../core/address.ts";
import type { NetworkChange, Step } from "../../core/change/change.ts";
import type { Answers } from "../../core/firewall_backend.ts";
import type { MasqueradePolicy } from "../../core/policy/policy.ts";
import { masqueradePolicy, recordedPrefixes } from "../../core/policy/masquerade.ts";
import { quoted } from "../../core/quoted.ts";
import { type Installation, RecordError } from "../../core/record/record.ts";
import { masqueradePath } from "./anchor_path.ts";
import { compareAnchor, liveTranslation, printedTranslation } from "./listing.ts";
import { loadStep } from "./network_change.ts";
import { isOfPrefixes } from "./overlaps.ts";
import { flushGroups } from "./removal.ts";
import type { Anchor, SourceRule, Table } from "./rules.ts";
import type { Surroundings } from "./surroundings.ts";
import { prefixDestinations, prefixTableName } from "./tables.ts";

/**
 * The anchor; without rules where nobody knows by which interface packets leave. One rule for each prefix,
 * and no packet matches two: in FreeBSD 15 it is not the first that decides over all anchors.
 */
export function masqueradeAnchor(
  policy: MasqueradePolicy,
  { root, defaultInterface: way }: Surroundings,
): Anchor {
  const prefixes = way === undefined ? [] : ownPrefixes(policy);
  return {
    path: masqueradePath(root),
    tables: prefixes.map(prefixDestinations),
    translation: way === undefined ? [] : prefixes.map((prefix) => translationOf(prefix, way)),
    filter: [],
  };
}

function ownPrefixes({ families }: MasqueradePolicy): readonly Subnet[] {
  return families.filter(({ family }) => family === "ipv4").flatMap(({ prefixes }) => prefixes);
}

/** The tables that the rules name, as far as the policy says. */
export function prefixTables(policy: MasqueradePolicy): readonly Table["name"][] {
  return ownPrefixes(policy).map(prefixTableName);
}

/** The same of prefixes that were installed; none where the record tells nothing: others complain of it. */
export function recordedTables(installation: Installation): readonly Table["name"][] {
  if (!isOfPrefixes(installation)) return [];
  try {
    return prefixTables(masqueradePolicy(recordedPrefixes(installation)));
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return [];
  }
}

/** The rule that translates what leaves the prefix, and counts it. */
export function translationOf(prefix: Subnet, device: string): SourceRule {
  return { kind: "nat", device, from: prefix, to: { table: prefixTableName(prefix) } };
}

/** Without a default route it goes on with the interface that it has. */
export function masqueradeSurroundings(
  surroundings: Surroundings,
  answers: Answers,
): Surroundings {
  if (surroundings.defaultInterface !== undefined) return surroundings;
  const live = liveTranslation(masqueradePath(surroundings.root), answers);
  const [, standing] = live.map((line) => /^nat on (\S+) inet from /.exec(line))
    .find((match) => match !== null) ?? [];
  return standing === undefined ? surroundings : { ...surroundings, defaultInterface: standing };
}

/** What installs and removes it. What is translated goes on as it began when a prefix goes. */
export function masqueradeChange(
  policy: MasqueradePolicy,
  known: Surroundings,
  answers: Answers,
): NetworkChange {
  const surroundings = masqueradeSurroundings(known, answers);
  const anchor = masqueradeAnchor(policy, surroundings);
  const isChanged = anchor.translation.length > 0 &&
    compareAnchor(anchor, answers).kind !== "equal";
  return {
    network: policy.network,
    install: isChanged
      ? [
        loadStep("masqueraded prefixes", anchor),
        ...endingSteps(ownPrefixes(policy), surroundings, answers),
      ]
      : [],
    removal: flushGroups([anchor.path]),
    warnings: [
      ...(isChanged ? [oneWay(surroundings)] : []),
      ...(known.defaultInterface === undefined ? [lostWay(surroundings)] : []),
    ],
  };
}

/**
 * What a new prefix has sent out already keeps the state that it has, and stays untranslated as long as it
 * is sent again. There the state has the prefix as its source; what is translated has not.
 */
function endingSteps(
  prefixes: readonly Subnet[],
  { root, defaultInterface: way }: Surroundings,
  answers: Answers,
): readonly Step[] {
  if (way === undefined) return [];
  const live = new Set(liveTranslation(masqueradePath(root), answers));
  return prefixes.filter((prefix) => !live.has(printedTranslation(translationOf(prefix, way))))
    .map((prefix) => ({
      purpose: "end the untranslated connections of masqueraded prefixes",
      command: { program: "pfctl", args: ["-i", way, "-k", formatSubnet(prefix)] },
      optional: {
        loss: `Connections from ${formatSubnet(prefix)} that began before may stay untranslated ` +
          "until they end by themselves",
      },
    }));
}

function oneWay({ defaultInterface: way = "" }: Surroundings): string {
  return `Masqueraded prefixes are translated on ${
    quoted(way)
  } alone, by which the default route ` +
    "leads: pf has to know the interface beforehand";
}

function lostWay({ defaultInterface: way }: Surroundings): string {
  const consequence = way === undefined
    ? "are not translated"
    : `are translated on ${quoted(way)}, as before,`;
  return `The host has no default route for IPv4, so masqueraded prefixes ${consequence} until it ` +
    "has one and `bridgewall reload` is run";
}

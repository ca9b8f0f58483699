/** Prefixes that belong to no network → the anchor that translates what leaves them. */
import { formatSubnet, type Subnet } from "../../core/address.ts";
import type { NetworkChange, Step } from "../../core/change/change.ts";
import type { Answers } from "../../core/firewall_backend.ts";
import { type MasqueradePolicy, NEVER_TRANSLATED } from "../../core/policy/policy.ts";
import { quoted } from "../../core/quoted.ts";
import { masqueradePath } from "./anchor_path.ts";
import { subnetNamed } from "./bridge_rules.ts";
import { compareAnchor, liveTranslation, printedTranslation } from "./listing.ts";
import { loadStep } from "./network_change.ts";
import { flushGroups } from "./removal.ts";
import type { Anchor, SourceRule, TranslationRule } from "./rules.ts";
import type { Surroundings } from "./surroundings.ts";

/** The anchor; without rules where nobody knows by which interface packets leave. */
export function masqueradeAnchor(
  policy: MasqueradePolicy,
  { root, defaultInterface }: Surroundings,
): Anchor {
  const translation = defaultInterface === undefined
    ? []
    : ownPrefixes(policy).flatMap((prefix) => rulesFor(prefix, defaultInterface));
  return { path: masqueradePath(root), tables: [], translation, filter: [] };
}

function ownPrefixes({ families }: MasqueradePolicy): readonly Subnet[] {
  return families.filter(({ family }) => family === "ipv4").flatMap(({ prefixes }) => prefixes);
}

/** What is not translated comes first: rules behind these shall not do it either. */
function rulesFor(prefix: Subnet, device: string): readonly TranslationRule[] {
  return [
    ...NEVER_TRANSLATED.ipv4.map(subnetNamed).map((to): TranslationRule => ({
      kind: "no nat",
      device,
      family: "inet",
      from: prefix,
      to,
    })),
    translationOf(prefix, device),
  ];
}

/** The rule that translates what leaves the prefix, and counts it. */
export function translationOf(prefix: Subnet, device: string): SourceRule {
  return { kind: "nat", device, from: prefix, to: { allBut: prefix } };
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

/** Published ports as they are live, compared with what they should be on this host. */
import type { Command } from "../../core/command.ts";
import type { Answers } from "../../core/firewall_backend.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { overlaps } from "../../core/address.ts";
import { quoted } from "../../core/quoted.ts";
import { guardRules, guardsIn, isClosed, shieldsAgainst } from "./guards.ts";
import { ADDRESSES_QUESTION, distinct, hostAddresses } from "./host_addresses.ts";
import {
  formatListening,
  type Listening,
  listeningAt,
  listeningIn,
  type PublishedAround,
  publishedOf,
} from "./published.ts";
import { type RichRule, richRuleElement } from "./rich_rule.ts";
import type { ZonesOfNetwork } from "./ruleset.ts";
import { bridgeAddresses, publishedQuestion, standingGuards } from "./surroundings.ts";

/** What the files of one network say of published ports. */
export interface LivePublished {
  /** The network. */
  readonly policy: FilteredPolicy;
  /** Its zones. */
  readonly zones: ZonesOfNetwork;
  /** As its policies should be, for the addresses that they are about. */
  readonly around: PublishedAround;
}

/** What is asked beside the files, which are asked for anyway; nothing where no network publishes. */
export function publishedQuestions(policies: readonly FilteredPolicy[]): readonly Command[] {
  if (policies.every((policy) => publishedOf(policy).length === 0)) return [];
  return [ADDRESSES_QUESTION];
}

/**
 * Reads the files. What they say of addresses and of other networks was right when they were written; whether
 * it still is tells {@linkcode publishedDrift}.
 */
export function livePublished(
  policy: FilteredPolicy,
  zones: ZonesOfNetwork,
  policies: readonly FilteredPolicy[],
  answers: Answers,
): LivePublished {
  const file = answers.to(publishedQuestion(policy));
  const text = file?.status === 0 ? file.stdout : "";
  return {
    policy,
    zones,
    around: {
      listening: text === ""
        ? wantedListening(policy, policies, answers)
        : listeningIn(policy, text),
      guards: standingGuards(policy, answers),
      shields: guardsIn(text),
    },
  };
}

function wantedListening(
  policy: FilteredPolicy,
  policies: readonly FilteredPolicy[],
  answers: Answers,
): readonly Listening[] {
  if (publishedOf(policy).length === 0) return [];
  const addresses = [...hostAddresses(answers) ?? [], ...bridgeAddresses(policies)];
  return listeningAt(policy, distinct(addresses));
}

/** What the files say that is not, or not any more, what the network was promised. */
export function publishedDrift(
  live: LivePublished,
  all: readonly LivePublished[],
  answers: Answers,
): readonly string[] {
  const { policy, around: { listening, shields } } = live;
  const policies = all.map((one) => one.policy);
  const wanted = wantedListening(policy, policies, answers);
  const [is, should] = [listening, wanted].map((list) => new Set(list.map(formatListening)));
  return [
    ...wanted.map(formatListening).filter((one) => !is?.has(one))
      .map((one) => `Port ${one} leads to no guest, though the host has that address`),
    ...listening.map(formatListening).filter((one) => !should?.has(one))
      .map((one) => `Port ${one} leads to a guest, though the host does not have that address`),
    ...all.filter((one) => one !== live).flatMap((other) => uncovered(live, other)),
    ...policies.filter((other) => shields.some((one) => isInTheWay(one, other)))
      .map(({ network }) => `Guests of network ${quoted(network)} are kept from its ports`),
  ];
}

/** Ports of another network that guests of this one reach, though they may not leave their bridge. */
function uncovered(live: LivePublished, other: LivePublished): readonly string[] {
  const { policy, zones, around } = live;
  const own = wordsOf(around.guards);
  const theirs = wordsOf(other.around.shields);
  const reached = other.around.listening.filter((one) => {
    const guards = guardRules(policy, zones, [one]);
    const shields = guards.length === 0 ? [] : shieldsAgainst(one, policy);
    // A family without addresses can be told by the bridge alone, and not by a network that comes later.
    return shields.length > 0 && !covers(own, guards) && !covers(theirs, shields);
  });
  return reached.map((one) =>
    `Its guests reach port ${formatListening(one)} of network ${quoted(other.policy.network)}`
  );
}

function wordsOf(rules: readonly RichRule[]): ReadonlySet<string> {
  return new Set(rules.map(richRuleElement));
}

function covers(words: ReadonlySet<string>, rules: readonly RichRule[]): boolean {
  return rules.every((rule) => words.has(richRuleElement(rule)));
}

/** Whether the rule is about guests who may leave their bridge. */
function isInTheWay({ family, source }: RichRule, policy: FilteredPolicy): boolean {
  if (source === undefined || isClosed(policy, family)) return false;
  return policy.families.some(({ subnets }) =>
    subnets.some((subnet) => overlaps(subnet, source.subnet))
  );
}

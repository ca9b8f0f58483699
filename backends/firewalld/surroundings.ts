/** What published ports, its own and those of others, mean for a network that is being installed. */
import type { IpAddress } from "../../core/address.ts";
import type { Command } from "../../core/command.ts";
import {
  type Answers,
  BACKEND_NAMES,
  type BackendName,
  type Facts,
} from "../../core/firewall_backend.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { fileQuestion } from "./bus.ts";
import { guardRules, guardsIn, shieldRules } from "./guards.ts";
import { ADDRESSES_QUESTION, distinct, hostAddresses } from "./host_addresses.ts";
import { filePath, policyName } from "./object_name.ts";
import { isPuttingBack, type StandingNetworks } from "./original_zones.ts";
import {
  type Listening,
  listeningAt,
  listeningIn,
  type PublishedAround,
  publishedOf,
} from "./published.ts";
import type { RichRule } from "./rich_rule.ts";
import type { ZonesOfNetwork } from "./ruleset.ts";

/** Where the network's ports lead to guests, as its file says. */
export function publishedQuestion({ bridge }: FilteredPolicy): Command {
  return fileQuestion(filePath(policyName(bridge, "port")));
}

/** The networks around those that are compiled, and the host. */
export interface Surroundings {
  /** Of the host, with those that it has on the bridges of networks, whether these are there yet or not. */
  readonly addresses: readonly IpAddress[];
  /** False for a host that is only imagined. */
  readonly isAsked: boolean;
  /** What is compiled. */
  readonly entering: readonly FilteredPolicy[];
  /** What firewalld holds beside that. */
  readonly staying: readonly FilteredPolicy[];
  /** What other backends hold. */
  readonly elsewhere: readonly FilteredPolicy[];
}

/** Looks around once, for all networks. */
export function surroundingsOf(
  entering: readonly FilteredPolicy[],
  facts: Facts,
  standing: StandingNetworks,
): Surroundings {
  const names = new Set(entering.map(({ network }) => network));
  const heldBy = (backend: BackendName): readonly FilteredPolicy[] =>
    standing.policiesOf(backend).filter(({ network }) => !names.has(network));
  const staying = heldBy("firewalld");
  const publishes = [...entering, ...staying].some((one) => publishedOf(one).length > 0);
  // What stood is put back whatever the host says.
  const isNeeded = !isPuttingBack(facts) || facts.answers.to(ADDRESSES_QUESTION)?.status === 0;
  const asked = publishes && isNeeded ? hostAddresses(facts.answers) : undefined;
  return {
    addresses: distinct([...asked ?? [], ...bridgeAddresses([...entering, ...staying])]),
    isAsked: asked !== undefined,
    entering,
    staying,
    elsewhere: BACKEND_NAMES.filter((name) => name !== "firewalld").flatMap(heldBy),
  };
}

/** The host's own addresses on the bridges of these networks. */
export function bridgeAddresses(policies: readonly FilteredPolicy[]): readonly IpAddress[] {
  return policies.flatMap(({ families }) => families)
    .flatMap(({ hostAddresses }) => hostAddresses);
}

/** What the network has to do with published ports. */
export function publishedAround(
  policy: FilteredPolicy,
  zones: ZonesOfNetwork,
  surroundings: Surroundings,
  answers: Answers,
): PublishedAround {
  const { entering, staying } = surroundings;
  const listening = listeningAt(policy, addressesFor(policy, surroundings));
  const others = [
    ...entering.filter((one) => one !== policy)
      .flatMap((one) => listeningAt(one, addressesFor(one, surroundings))),
    ...staying.flatMap((one) => standingPorts(one, surroundings, answers)),
  ];
  return {
    listening,
    guards: guardRules(policy, zones, others),
    shields: shieldRules(listening, staying),
  };
}

/** Of a host that was not asked, what definitions say of it. */
function addressesFor(
  policy: FilteredPolicy,
  { addresses, isAsked }: Surroundings,
): readonly IpAddress[] {
  return isAsked
    ? addresses
    : distinct([...addresses, ...publishedOf(policy).flatMap((one) => one.hostAddress ?? [])]);
}

/** Where ports of a network that stands lead to its guests: the host may have had other addresses by then. */
export function standingPorts(
  policy: FilteredPolicy,
  surroundings: Surroundings,
  answers: Answers,
): readonly Listening[] {
  const file = answers.to(publishedQuestion(policy));
  return file?.status === 0
    ? listeningIn(policy, file.stdout)
    : listeningAt(policy, addressesFor(policy, surroundings));
}

/** What keeps the network's guests from ports of others, as its files say. */
export function standingGuards(
  { bridge }: FilteredPolicy,
  answers: Answers,
): readonly RichRule[] {
  return (["from", "out"] as const).flatMap((kind) =>
    guardsIn(answers.to(fileQuestion(filePath(policyName(bridge, kind))))?.stdout ?? "")
  );
}

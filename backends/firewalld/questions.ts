/** What firewalld is asked before networks are compiled. */
import { commandsOf } from "../../core/change/change.ts";
import { wantedNetwork } from "../../core/commands/prepare.ts";
import { recordedNetwork, recordedPolicy } from "../../core/commands/recorded_networks.ts";
import type { Command } from "../../core/command.ts";
import type { WantedNetwork } from "../../core/firewall_backend.ts";
import { isMasquerade } from "../../core/policy/masquerade.ts";
import { isFiltered, MASQUERADE } from "../../core/policy/policy.ts";
import { installationsOf, type Record } from "../../core/record/record.ts";
import {
  ACTIVE_ZONES_QUESTION,
  CHECK_QUESTION,
  DEFAULT_ZONE_QUESTION,
  fileQuestion,
  settingsQuestion,
  STATE_QUESTION,
  ZONES_QUESTION,
} from "./bus.ts";
import { KERNEL_QUESTIONS } from "./kernel_rules.ts";
import { ADDRESSES_QUESTION } from "./host_addresses.ts";
import {
  allNames,
  filePath,
  MASQUERADE_POLICY,
  type ObjectName,
  objectOfPath,
} from "./object_name.ts";
import { publishedOf } from "./published.ts";
import { BRIDGED_QUESTION } from "./published_limits.ts";
import { publishedQuestion } from "./surroundings.ts";
import { zoningQuestions } from "./zone_of_interface.ts";

/**
 * The questions for these networks.
 *
 * @param networks Absent: those on record, as they are.
 */
export function questionsFor(
  records: readonly Record[],
  networks: readonly WantedNetwork[] = records.flatMap(recordedNetworks),
): readonly Command[] {
  const made = new Map(records.map((record) => [record.name, madeObjects([record])]));
  return [
    STATE_QUESTION,
    CHECK_QUESTION,
    ZONES_QUESTION,
    ACTIVE_ZONES_QUESTION,
    DEFAULT_ZONE_QUESTION,
    ...publishedQuestions(records, networks),
    ...(networks.some(({ name }) => made.has(name)) ? KERNEL_QUESTIONS : []),
    ...networks.flatMap((network) => networkQuestions(network, made.get(network.name) ?? [])),
  ];
}

/** The names of the networks' bridges, as far as they are known. */
export function bridgesOf(
  records: readonly Record[],
  networks: readonly WantedNetwork[] = records.flatMap(recordedNetworks),
): readonly string[] {
  return networks.flatMap(({ bridge }) => bridge ?? []);
}

/** What is asked where ports of the host lead to guests, who may have to be kept from those of others. */
function publishedQuestions(
  records: readonly Record[],
  networks: readonly WantedNetwork[],
): readonly Command[] {
  const standing = records.filter(({ backend }) => backend === "firewalld").map(recordedPolicy)
    .filter(isFiltered).filter((policy) => publishedOf(policy).length > 0);
  const publishes = networks.some(({ name, publishes = [] }) =>
    name !== MASQUERADE && publishes.length > 0
  );
  return standing.length === 0 && !publishes
    ? []
    : [ADDRESSES_QUESTION, BRIDGED_QUESTION, ...standing.map(publishedQuestion)];
}

/** The network as it stands, and as it stood when it is being changed. */
function recordedNetworks(record: Record): readonly WantedNetwork[] {
  if (isMasquerade(record)) return [{ name: record.name }];
  return installationsOf(record).map(({ network }) =>
    wantedNetwork(recordedNetwork({ name: record.name, network }).network)
  );
}

/** Asked for is only what was made: firewalld writes an error into its log for the rest. */
function networkQuestions(
  { name, bridge, zone }: WantedNetwork,
  made: readonly ObjectName[],
): readonly Command[] {
  const names = name === MASQUERADE
    ? [MASQUERADE_POLICY]
    : bridge === undefined
    ? []
    : allNames(bridge);
  return [
    ...(zone === undefined ? [] : [settingsQuestion({ kind: "zone", name: zone })]),
    ...(bridge === undefined ? [] : zoningQuestions(bridge)),
    ...names.map((object) => fileQuestion(filePath(object))),
    ...made.map(settingsQuestion),
  ];
}

/** The zones and policies that a removal takes away. */
export function madeObjects(
  installations: Parameters<typeof commandsOf>[0],
): readonly ObjectName[] {
  return commandsOf(installations).flatMap(({ program, args }) =>
    program === "rm" ? args.flatMap((arg) => objectOfPath(arg) ?? []) : []
  );
}

/** What firewalld is asked before networks are compiled. */
import { commandsOf } from "../../core/change/change.ts";
import { recordedNetwork, wantedNetwork } from "../../core/commands/prepare.ts";
import type { Command } from "../../core/command.ts";
import type { WantedNetwork } from "../../core/firewall_backend.ts";
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
import { allNames, filePath, type ObjectName, objectOfPath } from "./object_name.ts";
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

/** The network as it stands, and as it stood when it is being changed. */
function recordedNetworks(record: Record): readonly WantedNetwork[] {
  return installationsOf(record).map(({ network }) =>
    wantedNetwork(recordedNetwork({ name: record.name, network }).network)
  );
}

/** Asked for is only what was made: firewalld writes an error into its log for the rest. */
function networkQuestions(
  { bridge, zone }: WantedNetwork,
  made: readonly ObjectName[],
): readonly Command[] {
  const names = bridge === undefined ? [] : allNames(bridge);
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

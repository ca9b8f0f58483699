/** What firewalld is asked before networks are compiled. */
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
import { objectQuestions } from "./live_object.ts";
import { allNames, filePath } from "./object_name.ts";
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
  return [
    STATE_QUESTION,
    CHECK_QUESTION,
    ZONES_QUESTION,
    ACTIVE_ZONES_QUESTION,
    DEFAULT_ZONE_QUESTION,
    ...(networks.some((network) => isUp(network, records)) ? KERNEL_QUESTIONS : []),
    ...networks.flatMap((network) => networkQuestions(network, isUp(network, records))),
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

function isUp({ name }: WantedNetwork, records: readonly Record[]): boolean {
  return records.some((record) => record.name === name);
}

/** Of a network that comes up for the first time nothing is live that could be compared. */
function networkQuestions(
  { bridge, zone }: WantedNetwork,
  isCompared: boolean,
): readonly Command[] {
  return [
    ...(zone === undefined ? [] : [settingsQuestion({ kind: "zone", name: zone })]),
    ...(bridge === undefined ? [] : zoningQuestions(bridge)),
    ...(bridge === undefined ? [] : allNames(bridge)).flatMap((object) =>
      isCompared ? objectQuestions(object) : [fileQuestion(filePath(object))]
    ),
  ];
}

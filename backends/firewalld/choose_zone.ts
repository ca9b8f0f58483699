/** The zones of firewalld that a network has to do with. */
import type { Answers } from "../../core/firewall_backend.ts";
import { HostError } from "../../core/host.ts";
import type { FilteredPolicy } from "../../core/policy/policy.ts";
import { printable, quoted } from "../../core/quoted.ts";
import {
  ACTIVE_ZONES_QUESTION,
  answerOf,
  DEFAULT_ZONE_QUESTION,
  settingsOf,
  settingsQuestion,
  ZONES_QUESTION,
} from "./bus.ts";
import { namesIn } from "./live_object.ts";
import { PREFIX, zoneName } from "./object_name.ts";
import { refuseSharedDevice } from "./refusals.ts";
import type { DeviceZone, ZonesOfNetwork } from "./ruleset.ts";
import { activeZones } from "./zone_of_interface.ts";

/** The zones, and what the user should know about them. */
export interface ChosenZones {
  /** Its own or the named one, and that of the forward device. */
  readonly zones: ZonesOfNetwork;
  /** Sentences without a period. */
  readonly warnings: readonly string[];
}

/**
 * A zone of its own, or the one that the definition names.
 *
 * @param stands True for a network that is up: then it is never refused, and loses its way out rather.
 * @throws {HostError} When there is no such zone.
 * @throws {UnsupportedNetworkError} When firewalld cannot tell the forward device from others.
 */
export function chooseZones(
  policy: FilteredPolicy,
  answers: Answers,
  stands: boolean,
): ChosenZones {
  const device = deviceOf(policy);
  const found = device === undefined ? undefined : deviceZone(policy, device, answers, stands);
  const limit = found === undefined ? {} : { device: found };
  const warnings = device === undefined || found?.zone !== undefined ? [] : [
    `Network ${quoted(policy.network)} has no way out any more: its forward device ` +
    `${quoted(device)} has no firewalld zone of its own`,
  ];
  const { zone } = policy;
  if (zone === undefined) {
    return { zones: { kind: "own", name: zoneName(policy.bridge).name, ...limit }, warnings };
  }
  if (!stands) refuseMissingZone(policy, zone, answers);
  return {
    zones: { kind: "named", name: zone, ...limit },
    warnings: [
      ...warnings,
      ...openZoneWarnings(policy, zone, answers),
      ...neighbourWarnings(policy, zone, answers),
    ],
  };
}

/** The forward device of a policy: both families have the same. */
function deviceOf({ families }: FilteredPolicy): string | undefined {
  return families.map(({ forwarding }) =>
    forwarding.direction === "none" ? undefined : forwarding.device
  ).find((device) => device !== undefined);
}

function deviceZone(
  policy: FilteredPolicy,
  device: string,
  answers: Answers,
  stands: boolean,
): DeviceZone {
  const fallback = answerOf(answers.to(DEFAULT_ZONE_QUESTION));
  const [zone, members] = [...activeZones(answers)]
    .find(([, { interfaces }]) => interfaces.includes(device)) ?? [];
  const why = answers.to(ACTIVE_ZONES_QUESTION) === undefined
    ? "nobody asked which zone that is in"
    : zone === undefined || members === undefined
    ? "it is in no zone but the default one"
    : zone === fallback
    ? `it is in the default zone ${quoted(zone)}`
    : members.interfaces.length > 1 || members.sources.length > 0
    ? `it is not alone in its zone ${quoted(zone)}`
    : zone.startsWith(PREFIX)
    ? "it is the bridge of another network"
    : undefined;
  if (why === undefined && zone !== undefined) return { zone };
  if (!stands) refuseSharedDevice(policy, device, why ?? "");
  return {};
}

/**
 * Looks for a zone that a definition names.
 *
 * @throws {HostError} When firewalld was asked for its zones and has no such one.
 */
export function refuseMissingZone(
  { network }: FilteredPolicy,
  zone: string,
  answers: Answers,
): void {
  const zones = namesIn(answers, ZONES_QUESTION);
  if (zones === undefined || zones.includes(zone)) return;
  throw new HostError(
    `Cannot put the bridge of network ${quoted(network)} into the zone ${quoted(zone)}: ` +
      "firewalld has no such zone",
    `Choose one of ${zones.filter((name) => !name.startsWith(PREFIX)).join(", ")}, or make it: ` +
      `\`firewall-cmd --permanent --new-zone=${zone}\`, \`firewall-cmd --reload\``,
  );
}

/** Who asks for an address has none yet: by that guests cannot be told from others. */
function neighbourWarnings(
  { network, bridge, services }: FilteredPolicy,
  zone: string,
  answers: Answers,
): readonly string[] {
  const { interfaces = [], sources = [] } = activeZones(answers).get(zone) ?? {};
  const others = [...interfaces.filter((name) => name !== bridge), ...sources];
  if (others.length === 0 || !(services.dhcp || services.dhcpv6)) return [];
  return [
    `The zone ${quoted(zone)} of network ${quoted(network)} has others in it ` +
    `(${others.map(printable).join(", ")}): they too may ask the host for addresses`,
  ];
}

function openZoneWarnings(
  { network }: FilteredPolicy,
  name: string,
  answers: Answers,
): readonly string[] {
  const settings = settingsOf(answers.to(settingsQuestion({ kind: "zone", name })));
  if (settings?.get("target")?.data !== "ACCEPT") return [];
  return [
    `The zone ${quoted(name)} of network ${quoted(network)} accepts whatever comes from its ` +
    "interfaces: guests reach every port of the host, and packets with a source outside the " +
    "network's subnets are not stopped",
  ];
}

/** What a kernel does with a packet, held against what the policies say. */
import type { Family } from "../../core/address.ts";
import { letsIn, verdictOf } from "../support/packets/decide.ts";
import { describePacket, type Packet, PROTOCOLS, replyTo } from "../support/packets/packet.ts";
import type { Verdict } from "../support/packets/verdict.ts";
import type { Arrival } from "../support/packets/wire.ts";
import {
  type Entry,
  HOST,
  isForAll,
  isHosts,
  isSame,
  type Sending,
  wayTo,
  type World,
} from "../support/packets/world.ts";
import { cableOf, type Scene, sendError, sendPacket, told } from "./packet_scene.ts";

type Arrives = Extract<Verdict, { readonly kind: "arrives" }>;

/** What Linux does with an address of its own that comes from outside, before any firewall is asked. */
const TAKEN_FOR_FALSE: Readonly<Record<Family, Verdict>> = {
  ipv4: { kind: "stops", because: "Nobody else has an address of the host" },
  ipv6: { kind: "open", because: "Linux does not ask who has an address of the host in IPv6" },
};

/** What must become of it on a Linux host. */
export function verdictOn(world: World, { entry, sent }: Sending): Verdict {
  return entry.kind !== "host" && isHosts(world, sent.source)
    ? TAKEN_FOR_FALSE[sent.source.family]
    : verdictOf(world, entry, sent);
}

/** Where packets of this kind come from, and answers to them go to. */
export function originOf(entry: Entry): string {
  switch (entry.kind) {
    case "guest":
      return entry.policy.bridge;
    case "uplink":
      return entry.name;
    case "host":
      return HOST;
  }
}

function isSeenAs(sent: Packet, seen: Packet, { as, to }: Pick<Arrives, "as" | "to">): boolean {
  const goal = to === undefined
    ? sent
    : { ...sent, destination: to.address, destinationPort: to.port };
  if (as === undefined) return describePacket(goal) === describePacket(seen);
  const { addresses, ports } = as;
  const { source: { value }, sourcePort: port } = seen;
  const hasPorts = [PROTOCOLS.tcp, PROTOCOLS.udp].some((each) => each === sent.protocol);
  const isKept = { ...goal, source: seen.source, sourcePort: port };
  const isEcho = sent.icmp !== undefined;
  return addresses.some(({ start, end }) => value >= start.value && value <= end.value) &&
    describePacket(isEcho ? { ...isKept, destinationPort: port } : isKept) ===
      describePacket(seen) &&
    (!hasPorts || port >= ports.start && port <= ports.end);
}

/** What is not as it must be; undefined: nothing. */
export async function problemOf(scene: Scene, sending: Sending): Promise<string | undefined> {
  const { wire, world } = scene;
  const verdict = verdictOn(world, sending);
  await wire.forget();
  const { entry, sent } = sending;
  const isTold = verdict.kind === "is rejected" && canBeTold(world, sending);
  const isAwaited = verdict.kind === "arrives" || isTold;
  const came = await sendPacket(scene, originOf(entry), sent, isAwaited);
  const arrived = came.filter(({ isError }) => !isError);
  switch (verdict.kind) {
    case "open":
      return problemOfStranger(scene, sending, arrived);
    case "arrives":
      return problemOfArrival(scene, sending, verdict, came);
    case "is rejected":
    case "stops": {
      if (arrived.length > 0) return `arrived: ${arrived.map(told).join(", ")}`;
      const [error] = came;
      if (isTold && (error === undefined || error.at !== cableOf(originOf(entry)))) {
        return `nobody was told: ${came.map(told).join(", ")}`;
      }
      return problemOfMirror(scene, sending);
    }
  }
}

/**
 * Whether an error gets to who sent it: not where others or all have the address (RFC 1122 section 3.2.2).
 * Linux takes the first address of each IPv6 route without a router for one of those.
 */
function canBeTold(world: World, { entry, sent: { source } }: Sending): boolean {
  const isAnycast = source.family === "ipv6" &&
    world.policies.flatMap(({ families }) => families).flatMap(({ subnets }) => subnets)
      .some((one) => one.prefix < 127 && isSame(one, source));
  return entry.kind !== "host" && wayTo(world, source) === originOf(entry) &&
    !isForAll(world, source) && !isAnycast;
}

async function problemOfArrival(
  scene: Scene,
  { entry, sent }: Sending,
  verdict: Arrives,
  came: readonly Arrival[],
): Promise<string | undefined> {
  // The host has nobody who listens, and says so.
  const [one, ...more] = came.filter(({ isError }) => !isError || verdict.at !== HOST);
  const isRight = one !== undefined && more.length === 0 &&
    one.at === cableOf(verdict.at) && isSeenAs(sent, one.packet, verdict);
  if (!isRight) return came.map(told).join(", ") || "did not arrive";
  const origin = originOf(entry);
  const isAnswered = verdict.at !== HOST && wayTo(scene.world, sent.source) === origin &&
    !isForAll(scene.world, sent.source);
  if (!isAnswered) return undefined;
  // The host has nobody who waits for it, and says so.
  const answers = (await sendPacket(scene, verdict.at, replyTo(one.packet), true))
    .filter(({ isError }) => !isError || origin !== HOST);
  const [answer] = answers;
  const isBack = answer !== undefined && answers.length === 1 && answer.at === cableOf(origin) &&
    isSeenAs(replyTo(sent), answer.packet, {});
  if (!isBack) return `its answer: ${answers.map(told).join(", ") || "did not arrive"}`;
  const errors = await sendError(scene, verdict.at, one);
  const isTold = errors.some(({ isError, at, packet: { destination } }) =>
    isError && at === cableOf(origin) && isSame(destination, sent.source)
  );
  return isTold ? undefined : `an error about it: ${errors.map(told).join(", ") || "got lost"}`;
}

/** Who has the address of somebody else opens no way to them: the answer goes there only if it may anyway. */
async function problemOfStranger(
  scene: Scene,
  { entry, sent }: Sending,
  [one]: readonly Arrival[],
): Promise<string | undefined> {
  const { policies } = scene.world;
  const at = policies.find(({ bridge }) => one !== undefined && cableOf(bridge) === one.at);
  if (one === undefined || at === undefined) return undefined;
  const answers = await sendPacket(scene, at.bridge, replyTo(one.packet), false);
  // A published port answers whoever lets it in; what it says comes from the host.
  const isPublished = !isSame(one.packet.destination, sent.destination);
  const misled = answers.find(({ at: where, isError, packet: { source, destination } }) => {
    const victim = policies.find(({ bridge }) =>
      cableOf(bridge) === where && bridge !== originOf(entry)
    );
    if (victim === undefined || isError) return false;
    if (isPublished) return !letsIn(victim, destination, at.bridge);
    const asked = { ...replyTo(sent), flags: sent.flags, icmp: sent.icmp, source, destination };
    const verdict = verdictOn(scene.world, { entry: { kind: "guest", policy: at }, sent: asked });
    return verdict.kind !== "arrives";
  });
  return misled === undefined ? undefined : `its answer goes to somebody else: ${told(misled)}`;
}

/** What is stopped opens no way for others. */
async function problemOfMirror(
  scene: Scene,
  { entry, sent }: Sending,
): Promise<string | undefined> {
  const { world } = scene;
  const mirror = replyTo(sent);
  const by = wayTo(world, mirror.source);
  if (by === HOST || wayTo(world, mirror.destination) !== originOf(entry)) return undefined;
  const policy = world.policies.find(({ bridge }) => bridge === by);
  const from: Entry = policy === undefined
    ? { kind: "uplink", name: by }
    : { kind: "guest", policy };
  const verdict = verdictOn(world, { entry: from, sent: mirror });
  if (verdict.kind === "arrives" || verdict.kind === "open") return undefined;
  const came = (await sendPacket(scene, by, mirror, false)).filter(({ isError }) => !isError);
  return came.length === 0 ? undefined : `the other way, then: ${came.map(told).join(", ")}`;
}

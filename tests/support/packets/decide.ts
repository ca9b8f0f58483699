/**
 * What must become of a packet, by the policies of the networks alone. No rule of any firewall is looked
 * at, and nothing that makes them is imported.
 */
import type { FamilyPolicy, FilteredPolicy, Forwarding } from "../../../core/policy/policy.ts";
import { NEVER_TRANSLATED } from "../../../core/policy/policy.ts";
import { contains, type IpAddress, parseSubnet } from "../../../core/address.ts";
import { isLoopback } from "../../../core/network/published_port.ts";
import { isTracked, type Packet } from "./packet.ts";
import { publishedPort } from "./published.ts";
import { POLICY, type Redirected, type Translated, type Verdict } from "./verdict.ts";
import { type Entry, familyOf, HOST, isIn, wayTo, type World } from "./world.ts";

/** A packet on its way, when it is known where it goes. */
interface Way {
  readonly world: World;
  readonly sent: Packet;
  /** Where it leads: `host`, or an interface. */
  readonly at: string;
  /** The network whose published port it asked for. */
  readonly publisher: FilteredPolicy | undefined;
  readonly to: Redirected | undefined;
}

/** The verdict on a packet that is the first of its connection. */
export function verdictOf(world: World, entry: Entry, sent: Packet): Verdict {
  const isInside = isLoopback(sent.source) || isLoopback(sent.destination);
  if (isInside && entry.kind !== "host") return { kind: "stops", because: POLICY.loopback };
  const asked = publishedPort(world, sent);
  const way: Way = {
    world,
    sent,
    at: asked?.policy.bridge ?? wayTo(world, sent.destination),
    publisher: asked?.policy,
    to: asked?.to,
  };
  switch (entry.kind) {
    case "guest":
      return fromGuest(way, entry.policy);
    case "uplink":
      return fromOutside(way, entry.name);
    case "host":
      return fromHost(way);
  }
}

function arrives({ at, to }: Way, because: string, as?: Translated): Verdict {
  return {
    kind: "arrives",
    at,
    ...(as === undefined ? {} : { as }),
    ...(to === undefined ? {} : { to }),
    because,
  };
}

const rejected = (because: string): Verdict => ({ kind: "is rejected", because });

function fromGuest(way: Way, policy: FilteredPolicy): Verdict {
  const { at, sent, world, publisher } = way;
  if (at === HOST) return arrives(way, POLICY.host);
  if (at === policy.bridge) {
    const isTaken = world.policies.some((one) => one !== policy && isIn(one, sent.source));
    if (isTaken) return { kind: "open", because: OPEN.taken };
    return publisher === undefined || !isIn(policy, sent.source)
      ? arrives(way, POLICY.neighbours)
      : arrives(way, POLICY.returned, asHost(way));
  }
  const own = familyOf(policy, sent.source.family);
  if (own === undefined) return rejected(POLICY.strangers);
  if (!isIn(policy, sent.source)) return rejected(POLICY.foreign);
  const { forwarding } = own;
  if (forwarding.direction === "none") return rejected(POLICY.isolated);
  if (forwarding.device !== undefined && forwarding.device !== at) return rejected(POLICY.device);
  const isTranslated = forwarding.translation !== undefined;
  if (isTranslated && !isTracked(sent)) return rejected(POLICY.untranslatable);
  const as = isTranslated ? translated(way, forwarding) : undefined;
  if (publisher !== undefined) return arrives(way, POLICY.published, as);
  const other = world.policies.find(({ bridge }) => bridge === at);
  if (other !== undefined) {
    const isLetIn = letsIn(other, sent.destination, policy.bridge);
    return isLetIn ? arrives(way, POLICY.crosses, as) : rejected(POLICY.parted);
  }
  return arrives(way, isTranslated ? POLICY.translated : POLICY.routed, as);
}

function fromOutside(way: Way, by: string): Verdict {
  const { at, sent, world, publisher } = way;
  if (at === HOST) return arrives(way, POLICY.host);
  const isSpoofed = world.policies.some((policy) => isIn(policy, sent.source));
  if (isSpoofed) return { kind: "open", because: OPEN.spoofed };
  if (publisher !== undefined) return arrives(way, POLICY.published);
  const policy = world.policies.find(({ bridge }) => bridge === at);
  if (policy === undefined) return arrives(way, POLICY.others);
  const isLetIn = letsIn(policy, sent.destination, by);
  return isLetIn ? arrives(way, POLICY.entered) : rejected(POLICY.unasked);
}

function fromHost(way: Way): Verdict {
  const { at, sent, world, publisher } = way;
  if (publisher !== undefined) {
    const isReturned = isLoopback(sent.source) || isIn(publisher, sent.source);
    if (isReturned) return arrives(way, POLICY.returned, asHost(way));
  }
  const owner = world.policies.find((policy) => policy.bridge !== at && isIn(policy, sent.source));
  const own = owner === undefined ? undefined : familyOf(owner, sent.source.family);
  const as = own === undefined || at === HOST ? undefined : translatedThere(way, own);
  if (as !== undefined) return arrives(way, POLICY.posing, as);
  if (publisher !== undefined) return arrives(way, POLICY.published);
  const isGuests = world.policies.some(({ bridge }) => bridge === at);
  return arrives(way, isGuests ? POLICY.reached : POLICY.others);
}

/** What the networks leave to others. */
const OPEN = {
  taken: "Whether neighbours see what has the address of another network's guest",
  spoofed: "Whether somebody outside has the address of a guest is the affair of rp_filter",
} as const;

/** Whether others open connections to the guest, coming by that interface. */
export function letsIn(policy: FilteredPolicy, guest: IpAddress, by: string): boolean {
  const forwarding = familyOf(policy, guest.family)?.forwarding;
  return forwarding?.direction === "both" && (forwarding.device ?? by) === by;
}

function translatedThere(way: Way, { forwarding }: FamilyPolicy): Translated | undefined {
  if (forwarding.direction === "none" || forwarding.translation === undefined) return undefined;
  const isThere = forwarding.device === undefined || forwarding.device === way.at;
  return isThere && isTracked(way.sent) ? translated(way, forwarding) : undefined;
}

/** The source that it gets where it leaves; undefined: it keeps its own. */
function translated(
  way: Way,
  forwarding: Exclude<Forwarding, { readonly direction: "none" }>,
): Translated | undefined {
  const { destination } = way.sent;
  const isKept = NEVER_TRANSLATED[destination.family].some((text) => {
    const subnet = parseSubnet(text);
    return subnet !== undefined && contains(subnet, destination);
  });
  if (isKept || forwarding.translation === undefined) return undefined;
  const { addresses, ports } = forwarding.translation;
  return { ...asHost(way), ...(addresses === undefined ? {} : { addresses: [addresses] }), ports };
}

/** Any of the host's addresses where it leaves, and any port. */
function asHost({ world: { policies, uplinks }, at, sent }: Way): Translated {
  const { family } = sent.source;
  const addresses = [
    ...policies.filter(({ bridge }) => bridge === at)
      .flatMap((policy) => familyOf(policy, family)?.hostAddresses ?? []),
    ...uplinks.filter(({ name }) => name === at).flatMap((uplink) => uplink.addresses)
      .filter((one) => one.family === family),
  ];
  return {
    addresses: addresses.map((one) => ({ start: one, end: one })),
    ports: { start: 1, end: 65535 },
  };
}

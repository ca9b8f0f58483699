/** What must become of packets, in one sentence each, for a host with all networks of the scene. */
import { formatAddress } from "../../../core/address.ts";
import type { Journey, PfHost } from "../../support/pf/pf_host.ts";
import { describePacket, type Packet, packet, replyTo } from "../../support/packets/packet.ts";

/** One sentence, and a look at whether it holds: undefined when it does, else what was seen. */
export interface Claim {
  readonly says: string;
  readonly look: (host: PfHost) => string | undefined;
}

/** A guest of the scene. */
export interface Guest {
  readonly bridge: string;
  readonly member: string;
  readonly address: string;
}

/** A guest of the network `default`. The others are guests of the networks in their names. */
export const ALICE: Guest = { bridge: "virbr0", member: "tap0", address: "192.168.122.10" };
/** As {@linkcode ALICE}. */
export const BOB: Guest = { bridge: "virbr0", member: "tap1", address: "192.168.122.11" };
/** As {@linkcode ALICE}. */
export const NATNET: Guest = { bridge: "virbr1", member: "tap2", address: "10.0.100.130" };
/** As {@linkcode ALICE}. */
export const LONELY: Guest = { bridge: "virbr2", member: "tap4", address: "10.0.120.7" };
/** As {@linkcode ALICE}. */
export const SERVER: Guest = { bridge: "virbr3", member: "tap6", address: "198.51.100.7" };
/** As {@linkcode ALICE}. */
export const BY_EM1: Guest = { bridge: "virbr4", member: "tap8", address: "10.0.130.7" };
/** As {@linkcode ALICE}. */
export const SERVER_BY_EM1: Guest = { bridge: "virbr5", member: "tap10", address: "198.51.101.7" };
/** As {@linkcode ALICE}. */
export const STRANGER: Guest = { bridge: "virbr6", member: "tap12", address: "169.254.7.7" };
/** As {@linkcode ALICE}. */
export const TALKATIVE: Guest = { bridge: "virbr7", member: "tap14", address: "10.0.150.7" };

/** Somebody beyond the interface of the default route, and beyond the other one. */
export const OUTSIDE = "192.0.9.9";
/** As {@linkcode OUTSIDE}. */
export const OUTSIDE_BY_EM1 = "192.0.3.9";

/** What is asked of every kind of packet. */
type Probe = (from: string, to: string) => Packet;

const PROBES: Readonly<Record<string, Probe>> = {
  ping: (from, to) => packet("icmp", `${from}:77`, `${to}:77`),
  TCP: (from, to) => packet("tcp", `${from}:40000`, `${to}:443`),
  UDP: (from, to) => packet("udp", `${from}:40001`, `${to}:53`),
};

/** What a guest sends to the host, or to whom that routes. */
export function send(host: PfHost, { bridge, member }: Guest, sent: Packet): Journey {
  return host.fromGuest(bridge, member, sent);
}

/** What became of it. */
export function told({ delivered, to, stoppedAt, rule, packet: seen }: Journey): string {
  const where = delivered ? `came to ${to}` : `stopped ${stoppedAt}`;
  return `${describePacket(seen)} ${where}: ${rule}`;
}

/** Undefined when it came there, with this source and to this address; else what became of it. */
export function arrives(
  journey: Journey,
  to: string,
  from?: string,
  at?: string,
): string | undefined {
  const { packet: { source, destination } } = journey;
  const right = journey.delivered && journey.to === to &&
    (from === undefined || formatAddress(source) === from) &&
    (at === undefined || formatAddress(destination) === at);
  return right ? undefined : told(journey);
}

/** Undefined when it was stopped. */
export function refused(journey: Journey): string | undefined {
  return journey.delivered ? told(journey) : undefined;
}

function forAll(
  says: (probe: string) => string,
  look: (host: PfHost, probe: Probe) => string | undefined,
): readonly Claim[] {
  return Object.entries(PROBES).map(([name, probe]) => ({
    says: says(name),
    look: (host) => look(host, probe),
  }));
}

/** Out with the address that the outside sees, and the answer back to the guest. */
function leaves(name: string, guest: Guest, to: string, by: string, as: string): readonly Claim[] {
  return forAll(
    (probe) => `${name}: ${probe} leaves by ${by} as ${as}, and the answer comes back`,
    (
      host,
      probe,
    ) => {
      const out = send(host, guest, probe(guest.address, to));
      const back = host.fromOutside(by, replyTo(out.packet));
      return arrives(out, by, as) ?? arrives(back, guest.bridge, to, guest.address);
    },
  );
}

function stays(name: string, guest: Guest, to: string): readonly Claim[] {
  return forAll(
    (probe) => `${name}: ${probe} to ${to} is refused`,
    (host, probe) => refused(send(host, guest, probe(guest.address, to))),
  );
}

function keepsOut(name: string, by: string, from: string, guest: Guest): readonly Claim[] {
  return forAll(
    (probe) => `${name}: ${probe} from ${from} by ${by} is refused`,
    (host, probe) => refused(host.fromOutside(by, probe(from, guest.address))),
  );
}

function letsIn(name: string, by: string, from: string, guest: Guest): readonly Claim[] {
  return forAll(
    (probe) => `${name}: ${probe} from ${from} by ${by} comes in, and the answer goes back`,
    (host, probe) => {
      const into = host.fromOutside(by, probe(from, guest.address));
      return arrives(into, guest.bridge, from, guest.address) ??
        arrives(send(host, guest, replyTo(into.packet)), by, guest.address, from);
    },
  );
}

/** From one network to another: only where the one lets out and the other lets in. */
function crosses(one: Guest, other: Guest): readonly Claim[] {
  return forAll(
    (probe) => `${probe} from ${one.bridge} comes to ${other.bridge}, and the answer back`,
    (host, probe) => {
      const into = send(host, one, probe(one.address, other.address));
      return arrives(into, other.bridge, one.address) ??
        arrives(send(host, other, replyTo(into.packet)), one.bridge, other.address);
    },
  );
}

function parts(one: Guest, other: Guest): readonly Claim[] {
  return stays(`${one.bridge} to ${other.bridge}`, one, other.address);
}

const GUESTS_OF_NAT = [ALICE, NATNET, BY_EM1, TALKATIVE];

/** Packets among the guests of one bridge, and between them and the host. */
export const ON_BRIDGE: readonly Claim[] = [
  ...forAll(
    (probe) => `guest to guest: ${probe} passes, both ways`,
    (host, probe) => {
      const sent = probe(ALICE.address, BOB.address);
      return arrives(host.betweenGuests("virbr0", "tap0", "tap1", sent), "tap1") ??
        arrives(host.betweenGuests("virbr0", "tap1", "tap0", replyTo(sent)), "tap0");
    },
  ),
  ...forAll(
    (probe) => `isolated guest to guest: ${probe} passes`,
    (host, probe) =>
      arrives(
        host.betweenGuests("virbr2", "tap4", "tap5", probe(LONELY.address, "10.0.120.8")),
        "tap5",
      ),
  ),
  ...forAll(
    (probe) => `guest to host: ${probe} passes, and the answer comes back`,
    (host, probe) => {
      const sent = probe(LONELY.address, "10.0.120.1");
      return arrives(send(host, LONELY, sent), "host") ??
        arrives(host.fromHost(replyTo(sent)), "virbr2");
    },
  ),
  ...forAll(
    (probe) => `host to guest: ${probe} passes, and the answer comes back`,
    (host, probe) => {
      const sent = probe("192.168.122.1", ALICE.address);
      return arrives(host.fromHost(sent), "virbr0") ??
        arrives(send(host, ALICE, replyTo(sent)), "host");
    },
  ),
  {
    says: "in the middle of a TCP connection host and guest go on, whatever pf knows of it",
    look: (host) =>
      arrives(
        send(
          host,
          ALICE,
          packet("tcp", `${ALICE.address}:22`, "192.168.122.1:50000", { flags: "A" }),
        ),
        "host",
      ),
  },
  {
    says: "DHCP: a guest without address finds the host, and is answered",
    look: (host) => {
      const discover = packet("udp", "0.0.0.0:68", "255.255.255.255:67");
      const local = host.broadcast("virbr0", "tap0", discover).get("host");
      if (local === undefined) return "no copy for the host";
      return arrives(local, "host") ??
        arrives(host.fromHost(packet("udp", "192.168.122.1:67", "192.168.122.77:68")), "virbr0");
    },
  },
  {
    says: "DHCP: an address is asked for again, host to host",
    look: (host) =>
      arrives(send(host, ALICE, packet("udp", `${ALICE.address}:68`, "192.168.122.1:67")), "host"),
  },
  ...(["224.0.0.1", "224.0.0.251", "239.255.255.250", "255.255.255.255", "192.168.122.255"]
    .map((to): Claim => ({
      says: `what a guest sends to ${to} reaches the other guest, and the host`,
      look: (host) => {
        const sent = packet("udp", `${ALICE.address}:5353`, `${to}:5353`);
        const copies = host.broadcast("virbr0", "tap0", sent);
        return [...copies].filter(([at]) => at === "tap1" || at === "host")
          .map(([at, journey]) => arrives(journey, at)).find((problem) => problem !== undefined);
      },
    }))),
  {
    says: "a guest joins a multicast group: IGMP with its IP option gets to the other guest",
    look: (host) => {
      const report = packet("igmp", ALICE.address, "224.0.0.22", { ipOptions: true });
      const copy = host.broadcast("virbr0", "tap0", report).get("tap1");
      return copy === undefined ? "no copy" : arrives(copy, "tap1");
    },
  },
];

/** Packets between guests and everything beyond their bridge. */
export const BEYOND: readonly Claim[] = [
  ...leaves("nat", ALICE, OUTSIDE, "re0", "203.0.113.2"),
  ...leaves("nat", NATNET, OUTSIDE, "re0", "203.0.113.2"),
  ...leaves("nat by em1", BY_EM1, OUTSIDE_BY_EM1, "em1", "192.0.2.2"),
  ...leaves("routed", SERVER, OUTSIDE, "re0", SERVER.address),
  ...leaves("routed", SERVER, OUTSIDE_BY_EM1, "em1", SERVER.address),
  ...leaves("routed by em1", SERVER_BY_EM1, OUTSIDE_BY_EM1, "em1", SERVER_BY_EM1.address),
  ...letsIn("routed", "re0", OUTSIDE, SERVER),
  ...letsIn("routed", "em1", OUTSIDE_BY_EM1, SERVER),
  ...letsIn("routed by em1", "em1", OUTSIDE_BY_EM1, SERVER_BY_EM1),
  ...stays("nat, by an interface that it is not translated on", ALICE, OUTSIDE_BY_EM1),
  ...stays("nat by em1, by another interface", BY_EM1, OUTSIDE),
  ...stays("routed by em1, by another interface", SERVER_BY_EM1, OUTSIDE),
  ...stays("isolated", LONELY, OUTSIDE),
  ...stays("without addresses", STRANGER, OUTSIDE),
  ...[...GUESTS_OF_NAT, LONELY].flatMap((guest) => [
    ...keepsOut(`into ${guest.bridge}`, "re0", OUTSIDE, guest),
    ...keepsOut(`into ${guest.bridge}`, "em1", OUTSIDE_BY_EM1, guest),
  ]),
  ...keepsOut("routed by em1, from another interface", "re0", OUTSIDE, SERVER_BY_EM1),
  ...keepsOut("as if it were a guest", "re0", BOB.address, ALICE),
  ...keepsOut("as if it were the host", "re0", "192.168.122.1", ALICE),
  ...keepsOut("as if it were a routed guest", "re0", "198.51.100.8", SERVER),
];

/** A source that is none of the network's. */
export const SPOOFED: readonly Claim[] = [ALICE, LONELY, SERVER, BY_EM1, SERVER_BY_EM1].flatMap((
  guest,
) =>
  forAll(
    (probe) => `a guest on ${guest.bridge} that says to be somebody else is refused: ${probe}`,
    (host, probe) =>
      [OUTSIDE, OUTSIDE_BY_EM1, "203.0.113.2", NATNET.address].map((to) =>
        refused(send(host, guest, probe("172.16.9.9", to)))
      ).find((problem) => problem !== undefined),
  )
);

/** Between networks. */
export const ACROSS: readonly Claim[] = [
  ...parts(ALICE, NATNET),
  ...parts(NATNET, ALICE),
  ...parts(ALICE, LONELY),
  ...parts(LONELY, ALICE),
  ...parts(LONELY, SERVER),
  ...parts(SERVER, LONELY),
  ...parts(SERVER, ALICE),
  ...crosses(ALICE, SERVER),
  ...crosses(NATNET, SERVER),
  ...parts(BY_EM1, SERVER),
  ...parts(SERVER_BY_EM1, SERVER),
  ...parts(SERVER, SERVER_BY_EM1),
  ...parts(ALICE, SERVER_BY_EM1),
  ...parts(STRANGER, SERVER),
  ...parts(STRANGER, ALICE),
];

const V6 = { one: "fd00::a", other: "fd00::b", outside: "2001:db8:9::9" };

/** IPv6, which nobody forwards, and guests whose addresses nobody knows. */
export const STRANGERS: readonly Claim[] = [
  {
    says: "IPv6 of guests stays on the bridge, where they may speak it",
    look: (host) => {
      const sent = packet("tcp", `[${V6.one}]:1`, `[${V6.outside}]:80`);
      return [ALICE, LONELY, SERVER, STRANGER, TALKATIVE].map((guest) =>
        refused(send(host, guest, sent))
      ).find((problem) => problem !== undefined);
    },
  },
  ...forAll(
    (probe) => `${probe} from outside comes to no guest without addresses`,
    (host, probe) => {
      const { verdict, rule } = host.machine.hook(
        probe(OUTSIDE, STRANGER.address),
        "out",
        STRANGER.bridge,
      );
      return verdict === "pass" ? rule : undefined;
    },
  ),
  {
    says: "IPv6 from outside comes to no bridge",
    look: (host) =>
      [ALICE, STRANGER, TALKATIVE].map(({ bridge }) =>
        host.machine.hook(packet("tcp", `[${V6.outside}]:1`, `[${V6.one}]:80`), "out", bridge)
      ).find(({ verdict }) => verdict === "pass")?.rule,
  },
];

/** The same where pf does not see members: what the main ruleset says of those is not ours. */
export const STRANGERS_AMONG_THEMSELVES: readonly Claim[] = [
  {
    says:
      "guests without addresses in the definition talk among themselves, in whatever they speak",
    look: (host) =>
      [
        packet("tcp", "169.254.7.7:1", "169.254.7.8:2"),
        packet("udp", "172.16.0.1:1", "172.16.0.2:2"),
        packet("tcp", `[${V6.one}]:1`, `[${V6.other}]:80`),
        packet("icmp6", "[fe80::1]:1", "[fe80::2]:1"),
      ].map((sent) => arrives(host.betweenGuests("virbr6", "tap12", "tap13", sent), "tap13"))
        .find((problem) => problem !== undefined),
  },
  {
    says: "guests talk IPv6 among themselves where the definition says so",
    look: (host) =>
      arrives(
        host.betweenGuests(
          "virbr7",
          "tap14",
          "tap15",
          packet("tcp", `[${V6.one}]:1`, `[${V6.other}]:80`),
        ),
        "tap15",
      ),
  },
];

/** What must become of packets to published ports, for a host with the networks that publish. */
import type { PfHost } from "../../support/pf/pf_host.ts";
import {
  describePacket,
  packet,
  type PacketDetails,
  type ProtocolName,
  replyTo,
} from "../../support/packets/packet.ts";
import {
  ALICE,
  arrives,
  BOB,
  BY_EM1,
  type Claim,
  type Guest,
  LONELY,
  NATNET,
  OUTSIDE,
  OUTSIDE_BY_EM1,
  refused,
  send,
  SERVER,
  SERVER_BY_EM1,
  STRANGER,
  TALKATIVE,
  told,
} from "./claims.ts";

/** A port of the host, and where it leads. */
interface Port {
  readonly protocol: Extract<ProtocolName, "tcp" | "udp">;
  readonly port: number;
  readonly guest: Guest;
  readonly guestPort: number;
}

function port(
  guest: Guest,
  number: number,
  guestPort: number,
  protocol: Port["protocol"] = "tcp",
): Port {
  return { protocol, port: number, guest, guestPort };
}

const WEB = port(ALICE, 8080, 80);
const OF_ALL: readonly Port[] = [
  WEB,
  // A range that is somewhere else on the guest, its ends and its middle.
  port(BOB, 5060, 6060, "udp"),
  port(BOB, 5061, 6061, "udp"),
  port(BOB, 5062, 6062, "udp"),
  port(LONELY, 9090, 90),
  port(SERVER, 5050, 50),
  port(BY_EM1, 7070, 70),
  port(SERVER_BY_EM1, 6060, 60),
];

/** The host's address on the bridge of a guest. */
function gateway({ address }: Guest): string {
  return address.replace(/\d+$/, address === NATNET.address ? "129" : "1");
}

/** Where a packet is seen to come from: an interface that leads outside, or the bridge of a guest. */
interface Origin {
  readonly name: string;
  readonly at: string;
  readonly address: string;
  readonly send: (host: PfHost, sent: ReturnType<typeof packet>) => ReturnType<PfHost["fromHost"]>;
}

function outside(by: string, address: string): Origin {
  return {
    name: `${address} by ${by}`,
    at: by,
    address,
    send: (host, sent) => host.fromOutside(by, sent),
  };
}

function guest(one: Guest, address = one.address): Origin {
  return {
    name: `${address} on ${one.bridge}`,
    at: one.bridge,
    address,
    send: (host, sent) => send(host, one, sent),
  };
}

/** To a guest by a port of the host, and the answer back, as if it came from there. */
function reaches(
  origin: Origin,
  to: string,
  { protocol, port, guest: { bridge, member, address }, guestPort }: Port,
  as = origin.address,
): Claim {
  return {
    says: `${origin.name} reaches ${address} by ${protocol} port ${port} of ${to}, and is answered`,
    look: (host) => {
      const sent = packet(protocol, `${origin.address}:40000`, `${to}:${port}`);
      const into = origin.send(host, sent);
      const problem = arrives(into, bridge, as, address);
      if (problem !== undefined) return problem;
      if (into.packet.destinationPort !== guestPort) return told(into);
      const back = host.fromGuest(bridge, member, replyTo(into.packet));
      const isRight = back.delivered && back.to === origin.at &&
        describePacket(back.packet) === describePacket(replyTo(sent));
      return isRight ? undefined : `the answer: ${told(back)}`;
    },
  };
}

/** Nobody gets there. */
function isKeptFrom(
  origin: Origin,
  to: string,
  { protocol, port, guest: { address } }: Port,
  details: PacketDetails = {},
): Claim {
  return {
    says: `${origin.name} does not reach ${address} by port ${port} of ${to}`,
    look: (host) =>
      refused(
        origin.send(host, packet(protocol, `${origin.address}:40000`, `${to}:${port}`, details)),
      ),
  };
}

/** It goes where it was sent to. */
function isUntouched(
  origin: Origin,
  to: string,
  number: number,
  at: string,
  as?: string,
): Claim {
  return {
    says: `what ${origin.name} sends to port ${number} of ${to} goes there`,
    look: (host) => {
      const sent = packet("tcp", `${origin.address}:40000`, `${to}:${number}`);
      const journey = origin.send(host, sent);
      const problem = arrives(journey, at, as, to);
      return problem ?? (journey.packet.destinationPort === number ? undefined : told(journey));
    },
  };
}

const RE0 = outside("re0", OUTSIDE);
const EM1 = outside("em1", OUTSIDE_BY_EM1);
/** Addresses of the host beyond the bridges. */
const [AT_RE0, AT_EM1] = ["203.0.113.2", "192.0.2.2"];
const HOST: Origin = {
  name: "the host",
  at: "host",
  address: AT_RE0,
  send: (host, sent) => host.fromHost(sent),
};

const LOCAL_HTTPS = port(ALICE, 443, 443);
const LONELY_TOO = guest(LONELY, "10.0.120.8");

/** Whoever may ask. */
export const REACHED: readonly Claim[] = [
  ...OF_ALL.flatMap((one) => [
    reaches(RE0, AT_RE0, one),
    reaches(EM1, AT_EM1, one),
    // Any address of the host, by whatever interface it is asked for.
    reaches(EM1, AT_RE0, one),
    reaches(RE0, gateway(one.guest), one),
  ]),
  reaches(RE0, AT_RE0, LOCAL_HTTPS),
  reaches(EM1, AT_RE0, LOCAL_HTTPS),
  ...[AT_RE0, gateway(ALICE)].flatMap((to) => [
    // The neighbour, and the guest itself: else it would answer directly.
    reaches(guest(BOB), to, WEB, gateway(ALICE)),
    reaches(guest(ALICE), to, WEB, gateway(ALICE)),
    ...[NATNET, SERVER, TALKATIVE].map((other) => reaches(guest(other), to, WEB)),
  ]),
  reaches(LONELY_TOO, gateway(LONELY), port(LONELY, 9090, 90), gateway(LONELY)),
  reaches(LONELY_TOO, AT_RE0, port(LONELY, 9090, 90), gateway(LONELY)),
  reaches(guest(LONELY), gateway(LONELY), port(LONELY, 9090, 90), gateway(LONELY)),
  reaches(guest(NATNET), AT_RE0, port(LONELY, 9090, 90)),
  reaches(guest(SERVER), AT_RE0, port(BY_EM1, 7070, 70)),
  reaches(guest(BY_EM1), AT_EM1, port(BY_EM1, 7070, 70), gateway(BY_EM1)),
];

/** Who may not, and what is no published port. */
export const KEPT_FROM: readonly Claim[] = [
  // The network of a guest that asks decides, as for everything else.
  ...[LONELY, BY_EM1, SERVER_BY_EM1, STRANGER].flatMap((other) => [
    isKeptFrom(guest(other), AT_RE0, WEB),
    isKeptFrom(guest(other), gateway(ALICE), WEB),
  ]),
  isKeptFrom(guest(LONELY), gateway(LONELY), WEB),
  isKeptFrom(guest(LONELY), AT_RE0, port(SERVER, 5050, 50)),
  // False sources.
  ...[BOB, LONELY, NATNET, SERVER].map((one) => isKeptFrom(guest(one, "172.16.9.9"), AT_RE0, WEB)),
  isKeptFrom(guest(BOB, NATNET.address), AT_RE0, WEB),
  isKeptFrom(guest(BOB, gateway(BOB)), AT_RE0, WEB),
  isKeptFrom(outside("re0", BOB.address), AT_RE0, WEB),
  isKeptFrom(outside("em1", BOB.address), AT_EM1, WEB),
  isKeptFrom(outside("re0", NATNET.address), AT_RE0, WEB),
  // What begins no connection.
  isKeptFrom(RE0, AT_RE0, WEB, { flags: "A" }),
  isKeptFrom(guest(BOB), AT_RE0, WEB, { flags: "A" }),
  // Not by way of the host, but straight to the guest.
  ...OF_ALL.filter((one) => one.guest !== SERVER && one.guest !== SERVER_BY_EM1).flatMap((one) => [
    isKeptFrom(RE0, one.guest.address, { ...one, port: one.guestPort }),
    isKeptFrom(EM1, one.guest.address, { ...one, port: one.guestPort }),
    isKeptFrom(guest(SERVER), one.guest.address, { ...one, port: one.guestPort }),
  ]),
  isKeptFrom(RE0, SERVER_BY_EM1.address, port(SERVER_BY_EM1, 60, 60)),
  ...[ALICE, LONELY].map((one) => isKeptFrom(HOST, one.address, port(one, 80, 80))),
];

/** What goes on as if nothing were published. */
export const UNTOUCHED: readonly Claim[] = [
  isUntouched(guest(SERVER), OUTSIDE, 8080, "re0", SERVER.address),
  isUntouched(guest(SERVER), OUTSIDE_BY_EM1, 25, "em1", SERVER.address),
  isUntouched(guest(ALICE), OUTSIDE, 8080, "re0", AT_RE0),
  isUntouched(RE0, SERVER.address, 8080, SERVER.bridge, OUTSIDE),
  isUntouched(EM1, SERVER_BY_EM1.address, 6060, SERVER_BY_EM1.bridge, OUTSIDE_BY_EM1),
  isUntouched(guest(BOB), gateway(BOB), 8081, "host", BOB.address),
  isUntouched(guest(NATNET), AT_EM1, 443, "host", NATNET.address),
  isUntouched(guest(BY_EM1), AT_RE0, 22, "host", BY_EM1.address),
  isUntouched(guest(STRANGER), AT_RE0, 22, "host", STRANGER.address),
  {
    says: "IPv6 of guests gets to the host",
    look: (host) =>
      arrives(send(host, TALKATIVE, packet("tcp", "[fd00::a]:1", "[2001:db8::2]:22")), "host"),
  },
  {
    says: "another protocol with the same port goes to the host",
    look: (host) =>
      arrives(
        send(host, BOB, packet("udp", `${BOB.address}:1`, `${gateway(BOB)}:8080`)),
        "host",
        BOB.address,
        gateway(BOB),
      ),
  },
];

/** Where pf does not see what is delivered to the host's own programs. */
export const HOST_ALONE: readonly Claim[] = [
  isUntouched(HOST, AT_RE0, 8080, "host"),
  isUntouched({ ...HOST, address: "127.0.0.1" }, "127.0.0.1", 8080, "host"),
];

/** Where it does. */
export const HOST_TOO: readonly Claim[] = [
  reaches(HOST, AT_RE0, WEB),
  reaches({ ...HOST, address: gateway(ALICE) }, gateway(ALICE), WEB),
  reaches({ ...HOST, address: AT_EM1 }, AT_EM1, port(BOB, 5061, 6061, "udp")),
  reaches({ ...HOST, address: gateway(LONELY) }, gateway(LONELY), port(LONELY, 9090, 90)),
  reaches(HOST, AT_RE0, LOCAL_HTTPS),
  isUntouched(HOST, AT_RE0, 8081, "host"),
  isUntouched({ ...HOST, address: "127.0.0.1" }, "127.0.0.1", 8080, "host"),
];

/** The same with `localhost='yes'` for that port. */
export const LOCALHOST: readonly Claim[] = [
  reaches({ ...HOST, address: "127.0.0.1" }, "127.0.0.1", WEB, gateway(ALICE)),
  isUntouched({ ...HOST, address: "127.0.0.1" }, "127.0.0.1", 8081, "host"),
];

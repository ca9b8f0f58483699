/** Many ports at once: the first and the last lead there, and the ones beside them do not. */
import { assertEquals, assertMatch } from "@std/assert";
import { BACKENDS } from "./backends.ts";
import { openBridgewall } from "./bridgewall.ts";
import { NAT66 } from "./five_networks.ts";
import {
  answered,
  type PortClaim,
  PROTOCOLS,
  provePorts,
  publishing,
  startProtocols,
} from "./published_ports.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { SCTP_TOOLS } from "./sctp.ts";
import { bare } from "./test_network.ts";
import { makeTopology, type Topology } from "./topology.ts";
import { trustEveryone } from "./trust_everyone.ts";

/** Ports of the host, and the first one of the guest that they lead to. */
interface Range {
  readonly says: string;
  readonly first: number;
  readonly last: number;
  readonly guestFirst: number;
  readonly guest: "a" | "b";
  /** Published on one address alone. */
  readonly isBound?: true;
  /** firewalld leads at most 128 ports to other ones. */
  readonly isRefused?: true;
}

const RANGES: readonly Range[] = [
  { says: "the same ports", first: 20_000, last: 29_999, guestFirst: 20_000, guest: "a" },
  { says: "a few others", first: 5060, last: 5062, guestFirst: 6060, guest: "b" },
  {
    says: "many others",
    first: 31_000,
    last: 31_499,
    guestFirst: 41_000,
    guest: "a",
    isRefused: true,
  },
  { says: "overlapping others", first: 9100, last: 9104, guestFirst: 9102, guest: "a" },
  { says: "of one address", first: 9000, last: 9010, guestFirst: 9000, guest: "b", isBound: true },
];

/** Two ports of the host lead to this one. */
const [FIRST, SECOND, SHARED] = [8080, 8081, 7007];

/** The numbers in a range, from 0, that are asked for; those before and after are in none. */
function asked({ first, last }: Range): readonly number[] {
  return [0, Math.floor((last - first) / 2), last - first];
}

function beside({ first, last }: Range): readonly number[] {
  return [-1, last - first + 1];
}

/** Guests answer beside the ranges as well: there, nobody but us keeps a packet out. */
const LISTENING = [
  SHARED,
  ...new Set(
    RANGES.flatMap((range) =>
      [...asked(range), ...beside(range)].flatMap((index) => [range.guestFirst + index])
    ),
  ),
];

const [GUESTS_A, GUESTS_B] = ["a", "b"].map((one) => NAT66.guests[`${NAT66.name}-${one}`] ?? []);

function target(guest: Range["guest"], over: "v4" | "v6", port: number): string {
  const address = bare((guest === "a" ? GUESTS_A : GUESTS_B)?.[over === "v4" ? 0 : 1] ?? "");
  return over === "v4" ? `${address}:${port}` : `[${address}]:${port}`;
}

function rangesOf(
  { uplink: { host4, host6 } }: Topology,
  ranges: readonly Range[],
): ReturnType<typeof publishing> {
  const families = [["v4", host4], ["v6", host6]] as const;
  return publishing(
    NAT66,
    PROTOCOLS.flatMap((proto) =>
      families.flatMap(([over, address]) => [
        ...ranges.map(({ first, last, guestFirst, guest, isBound }) => ({
          proto,
          port: `${first}-${last}`,
          to: target(guest, over, guestFirst),
          ...(isBound ? { address } : {}),
        })),
        ...[FIRST, SECOND].map((port) => ({ proto, port, to: target("a", over, SHARED) })),
      ])
    ),
  );
}

function claimsOf(
  topology: Topology,
  ranges: readonly Range[],
  over: "v4" | "v6",
): readonly PortClaim[] {
  const { uplink, uplink: { outside }, secondUplink, secondUplink: { outside: second } } = topology;
  const at = over === "v4" ? uplink.host4 : uplink.host6;
  const elsewhere = over === "v4" ? secondUplink.host4 : secondUplink.host6;
  const from = outside;
  return ranges.flatMap((range) => {
    const { says, first, guestFirst, guest, isBound } = range;
    const by = `${NAT66.name}-${guest}`;
    return [
      ...asked(range).map((index): PortClaim => ({
        says: `${says}: ${first + index} leads to ${guestFirst + index}`,
        from,
        at,
        port: first + index,
        expect: answered(by, guestFirst + index, outside[over]),
      })),
      ...beside(range).map((index): PortClaim => ({
        says: `${says}: ${first + index} leads nowhere`,
        from,
        at,
        port: first + index,
        protocols: ["tcp", "udp"],
        expect: "refused",
      })),
      ...(isBound
        ? [
          {
            says: `${says}: another one has none of them`,
            from: second,
            at: elsewhere,
            port: first,
            protocols: ["tcp", "udp"],
            expect: "refused",
          } as const,
        ]
        : []),
    ];
  });
}

function sharedClaims(
  { uplink: { host4, host6, outside } }: Topology,
  first: "refused" | "answered",
): readonly PortClaim[] {
  return ([["v4", host4], ["v6", host6]] as const).flatMap(([over, at]): readonly PortClaim[] => {
    const expect = answered(`${NAT66.name}-a`, SHARED, outside[over]);
    const claim = { says: "the first of two ports", from: outside, at, port: FIRST, expect };
    return [
      first === "answered" ? claim : { ...claim, expect: first, protocols: ["tcp", "udp"] },
      { ...claim, says: "the second of two ports", port: SECOND },
    ];
  });
}

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: ranges of ports lead to guests, each port to its own`,
    tools: [...tools, ...SCTP_TOOLS],
    body: async (t) => {
      await using topology = await makeTopology([NAT66], LISTENING);
      const bridgewall = await openBridgewall(topology, backend);
      await trustEveryone(bridgewall);
      const before = await firewallState(topology.host);
      const ranges = RANGES.filter(({ isRefused }) =>
        !isRefused || backend.firewalld === undefined
      );
      if (ranges.length < RANGES.length) {
        await t.step("many other ports are refused", async () => {
          const path = await bridgewall.write(rangesOf(topology, RANGES));
          const { code, stderr } = await bridgewall.run(["up", path]);
          assertEquals(code, 4, stderr);
          assertMatch(stderr, /31000-31499.*at most 128/);
          assertEquals(await firewallState(topology.host), before);
        });
      }
      await bridgewall.up(rangesOf(topology, ranges));
      const guests = ["a", "b"].map((one) => topology.guest(`${NAT66.name}-${one}`));
      const protocols = await startProtocols(topology, guests, LISTENING);
      await provePorts(t, [
        ...claimsOf(topology, ranges, "v4"),
        ...claimsOf(topology, ranges, "v6"),
        ...sharedClaims(topology, "answered"),
      ], protocols);
      const specs = PROTOCOLS.map((proto) => `${FIRST}/${proto}`);
      await bridgewall.succeed(["unpublish", NAT66.name, ...specs]);
      await t.step("one of two ports is taken back, the other stays", async (step) => {
        await provePorts(step, sharedClaims(topology, "refused"), protocols);
        await bridgewall.succeed(["check"]);
      });
      await t.step("down leaves the firewall byte for byte as it was", async () => {
        await bridgewall.down(NAT66);
        assertEquals(await firewallState(topology.host), before);
      });
    },
  });
}

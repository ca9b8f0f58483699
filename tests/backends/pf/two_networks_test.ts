/**
 * Two networks with translation on one host, as everybody tries first: `default` on virbr0 with two guests,
 * `natnet` on virbr1, both by the uplink re0.
 */
import { assert, assertEquals } from "@std/assert";
import { formatAddress } from "../../../core/address.ts";
import { definitionOf } from "../../support/golden.ts";
import type { PfHost } from "../../support/pf/pf_host.ts";
import { type Packet, packet, replyTo } from "../../support/packets/packet.ts";
import { RELEASES } from "./releases.ts";
import { bareHost, BRIDGE_SETTINGS, loadInto, MAIN_RULESETS, upCommands } from "./scene.ts";

const DEFINITIONS = [definitionOf("bsd-default"), definitionOf("bsd-natnet")];

const GUESTS = [
  { bridge: "virbr0", member: "tap0", address: "192.168.122.50" },
  { bridge: "virbr0", member: "tap1", address: "192.168.122.51" },
  { bridge: "virbr1", member: "tap2", address: "10.0.100.150" },
] as const;

Deno.test("the translation of both networks has the form that libvirt's users know", () => {
  const lines = upCommands(DEFINITIONS).flatMap(({ args: [, path], stdin = "" }) =>
    stdin.split("\n").filter((line) => /^nat |<natdst> persist/.test(line))
      .map((line) => `${path}: ${line}`)
  );
  assertEquals(lines, [
    "bridgewall/default: table <natdst> persist " +
    "{ 0.0.0.0/0, !192.168.122.0/24, !224.0.0.0/24, !255.255.255.255 }",
    "bridgewall/default: nat pass on re0 inet from 192.168.122.0/24 to <natdst> -> (re0) " +
    "port 1024:65535",
    "bridgewall/natnet: table <natdst> persist " +
    "{ 0.0.0.0/0, !10.0.100.0/24, !224.0.0.0/24, !255.255.255.255 }",
    "bridgewall/natnet: nat pass on re0 inet from 10.0.100.0/24 to <natdst> -> (re0) " +
    "port 1024:65535",
  ]);
});

function reachesInternet(host: PfHost, sent: (from: string) => Packet): void {
  for (const { bridge, member, address } of GUESTS) {
    const out = host.fromGuest(bridge, member, sent(address));
    assertEquals([out.delivered, out.to, out.rule], [true, "re0", out.rule]);
    assertEquals(formatAddress(out.packet.source), "203.0.113.2");
    if (out.packet.icmp === undefined) assert(out.packet.sourcePort >= 1024);
    const back = host.fromOutside("re0", replyTo(out.packet));
    assertEquals(
      [back.delivered, back.to, formatAddress(back.packet.destination), back.rule],
      [true, bridge, address, back.rule],
    );
  }
}

function reachesNeighbour(host: PfHost): void {
  const ping = packet("icmp", `${GUESTS[0].address}:1`, `${GUESTS[1].address}:1`);
  for (const sent of [ping, packet("tcp", "192.168.122.50:1025", "192.168.122.51:22")]) {
    const there = host.betweenGuests("virbr0", "tap0", "tap1", sent);
    const back = host.betweenGuests("virbr0", "tap1", "tap0", replyTo(sent));
    assertEquals([there.delivered, there.rule, back.delivered], [true, there.rule, true]);
  }
}

function reachesAll(host: PfHost, sent: Packet): void {
  for (const [to, { delivered, rule }] of host.broadcast("virbr0", "tap0", sent)) {
    // What comes in by the member itself is for nobody: the member has no address.
    if (!to.includes(" by ")) assertEquals([to, delivered, rule], [to, true, rule]);
  }
}

const HOSTS = Object.entries(RELEASES).flatMap(([release, version]) =>
  Object.entries(MAIN_RULESETS).map(([where, main]) =>
    [`${release}, ${where}`, version, main] as const
  )
);

for (const [host, version, main] of HOSTS) {
  for (const [sees, bridges] of Object.entries(BRIDGE_SETTINGS)) {
    Deno.test(`two networks by one uplink do what they should, with ${host}, ${sees}`, () => {
      const setup = { ...bridges, ...version };
      const host = bareHost(main, setup);
      loadInto(host, upCommands(DEFINITIONS, setup));
      reachesInternet(host, (from) => packet("icmp", `${from}:7`, "192.0.9.9:7"));
      reachesInternet(host, (from) => packet("tcp", `${from}:40000`, "192.0.9.9:443"));
      reachesNeighbour(host);
      reachesAll(host, packet("udp", "192.168.122.50:5000", "224.0.0.1:5000"));
      reachesAll(host, packet("icmp", "192.168.122.50:9", "192.168.122.255:9"));
      reachesAll(host, packet("icmp", "192.168.122.50:9", "255.255.255.255:9"));
    });
  }
}

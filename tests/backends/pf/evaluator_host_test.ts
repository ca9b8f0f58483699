/** The ways through a host with bridges: which hooks a packet meets, and where it ends. */
import { assertEquals } from "@std/assert";
import { createHost, type HostSetup, type Journey, type PfHost } from "../../support/pf/pf_host.ts";
import { describePacket, type Packet, packet, replyTo } from "../../support/packets/packet.ts";

const SETUP: HostSetup = {
  interfaces: {
    re0: { addresses: ["203.0.113.5/24"] },
    virbr0: { addresses: ["192.168.122.1/24"], members: ["tap0", "tap1"] },
    virbr1: { addresses: ["192.168.123.1/24"], members: ["tap2"] },
    tap0: { addresses: [], groups: ["tap"] },
    tap1: { addresses: [], groups: ["tap"] },
    tap2: { addresses: [], groups: ["tap"] },
  },
  routes: { "0.0.0.0/0": "re0" },
};

/** What libvirt loads for a network with NAT. */
const LIBVIRT =
  `table <natdst> persist { 0.0.0.0/0, ! 192.168.122.0/24, ! 224.0.0.0/24, ! 255.255.255.255/32 }
nat pass on re0 from 192.168.122.0/24 to <natdst> -> (re0) port 1024:65535
pass quick on virbr0 from 192.168.122.0/24 to 192.168.122.0/24
pass quick on virbr0 from 192.168.122.0/24 to 224.0.0.0/24
pass quick on virbr0 from 192.168.122.0/24 to 255.255.255.255/32
block on virbr0
`;

const ANCHORS = 'nat-anchor "libvirt/*"\nrdr-anchor "libvirt/*"\nanchor "libvirt/*"\n';

function hostWith(main: string, network: string, setup: Partial<HostSetup> = {}): PfHost {
  const host = createHost({ ...SETUP, ...setup });
  host.machine.load("", main);
  host.machine.load("libvirt/default", network);
  return host;
}

/** `out on re0: block …` where it was stopped, else `to …`. */
function told({ delivered, to, stoppedAt, rule }: Journey): string {
  return delivered ? `to ${to}` : `${stoppedAt}: ${rule}`;
}

const BLOCK = 'block on virbr0 (anchor "libvirt/default")';
const OUTBOUND = packet("tcp", "192.168.122.2:1000", "192.0.2.1:80");
const DHCP = packet("udp", "0.0.0.0:68", "255.255.255.255:67");

Deno.test("pf host: the sample of libvirt blocks its guests without a last pass in main", () => {
  const host = hostWith(ANCHORS, LIBVIRT);
  assertEquals(told(host.fromGuest("virbr0", "tap0", OUTBOUND)), `in on virbr0: ${BLOCK}`);
  const copies = host.broadcast("virbr0", "tap0", DHCP);
  assertEquals(told(copies.get("host") ?? host.fromHost(DHCP)), `in on virbr0: ${BLOCK}`);
});

Deno.test("pf host: with that last pass guests get out, and the outside gets in", () => {
  const host = hostWith(`${ANCHORS}pass all\n`, LIBVIRT);
  const out = host.fromGuest("virbr0", "tap0", OUTBOUND);
  assertEquals(told(out), "to re0");
  assertEquals(describePacket(out.packet), "tcp 203.0.113.5:1024 > 192.0.2.1:80 S");
  const back = host.fromOutside("re0", replyTo(out.packet));
  assertEquals(describePacket(back.packet), "tcp 192.0.2.1:80 > 192.168.122.2:1000 SA");
  assertEquals(told(host.broadcast("virbr0", "tap0", DHCP).get("host") ?? out), "to host");
  const inward = packet("tcp", "192.0.2.1:9", "192.168.122.2:22");
  assertEquals(told(host.fromOutside("re0", inward)), "to virbr0");
});

Deno.test("pf host: rdr pass holds for the uplink, and the packet ends at the bridge", () => {
  const rdr = "rdr pass on re0 proto tcp to (re0) port 80 -> 192.168.122.2\n";
  const inward = packet("tcp", "192.0.2.1:9", "203.0.113.5:80");
  const nothing = hostWith(ANCHORS, LIBVIRT.replace("nat pass", `${rdr}nat pass`));
  const journey = nothing.fromOutside("re0", inward);
  assertEquals(told(journey), `out on virbr0: ${BLOCK}`);
  assertEquals(journey.hooks, ["in on re0"]);
  assertEquals(journey.packet.destination.value, 0xc0a87a02n);
  const own = "pass out quick on virbr0 inet proto tcp from any to 192.168.122.2 port 80\n";
  const published = hostWith(ANCHORS, `${rdr}${own}block drop on virbr0 all\n`);
  const arrived = published.fromOutside("re0", inward);
  assertEquals(told(arrived), "to virbr0");
  const back = published.fromGuest("virbr0", "tap0", replyTo(arrived.packet));
  assertEquals(describePacket(back.packet), "tcp 203.0.113.5:80 > 192.0.2.1:9 SA");
});

const QUICK = `table <natdst> persist { 0.0.0.0/0, !192.168.122.0/24 }
nat pass on re0 from 192.168.122.0/24 to <natdst> -> (re0)
pass in quick on virbr0 inet proto udp from any port 68 to { 255.255.255.255 192.168.122.1 } port 67
pass quick on virbr0 inet from 192.168.122.0/24 to 192.168.122.0/24
pass in quick on virbr0 inet from 192.168.122.0/24 to <natdst>
block drop quick on virbr0
`;

Deno.test("pf host: quick rules do not depend on what main says last", () => {
  for (const last of ["", "pass all\n", "block all\n"]) {
    const host = hostWith(`${ANCHORS}${last}`, QUICK);
    const out = host.fromGuest("virbr0", "tap0", OUTBOUND);
    assertEquals(told(out), "to re0");
    assertEquals(told(host.fromOutside("re0", replyTo(out.packet))), "to virbr0");
    assertEquals(told(host.broadcast("virbr0", "tap0", DHCP).get("host") ?? out), "to host");
    const inward = packet("tcp", "192.0.2.1:9", "192.168.122.2:22");
    assertEquals(host.fromOutside("re0", inward).delivered, false);
  }
});

Deno.test("pf host: guest, host and outside meet the hooks of the IP layer", () => {
  const host = hostWith("", "");
  const hooks = (journey: Journey): string => [...journey.hooks, told(journey)].join(", ");
  const gateway = packet("tcp", "192.168.122.2:1", "192.168.122.1:22");
  assertEquals(hooks(host.fromGuest("virbr0", "tap0", gateway)), "in on virbr0, to host");
  const uplink = packet("tcp", "192.168.122.2:1", "203.0.113.5:22");
  assertEquals(hooks(host.fromGuest("virbr0", "tap0", uplink)), "in on virbr0, to host");
  assertEquals(
    hooks(host.fromGuest("virbr0", "tap0", OUTBOUND)),
    "in on virbr0, out on re0, to re0",
  );
  const other = packet("tcp", "192.168.122.2:1", "192.168.123.2:22");
  assertEquals(
    hooks(host.fromGuest("virbr0", "tap0", other)),
    "in on virbr0, out on virbr1, to virbr1",
  );
  const inward = packet("tcp", "192.0.2.1:9", "192.168.122.2:22");
  assertEquals(hooks(host.fromOutside("re0", inward)), "in on re0, out on virbr0, to virbr0");
  assertEquals(hooks(host.fromHost(replyTo(gateway))), "out on virbr0, to virbr0");
  assertEquals(
    hooks(host.fromHost(packet("udp", "203.0.113.5:1", "192.0.2.1:53"))),
    "out on re0, to re0",
  );
});

Deno.test("pf host: what is not routed goes nowhere", () => {
  const host = hostWith("", "", { forwarding: false });
  assertEquals(told(host.fromGuest("virbr0", "tap0", OUTBOUND)), "routing: not forwarded");
  const lost = packet("tcp", "[fd00::2]:1", "[2001:db8::1]:80");
  assertEquals(told(hostWith("", "").fromGuest("virbr0", "tap0", lost)), "routing: no route");
  const local = packet("tcp", "[fe80::2]:1", "[2001:db8::1]:80");
  assertEquals(told(hostWith("", "").fromGuest("virbr0", "tap0", local)), "routing: not forwarded");
  const multicast = packet("udp", "192.168.122.2:1", "224.0.0.251:5353");
  assertEquals(told(hostWith("", "").fromGuest("virbr0", "tap0", multicast)), "to host");
});

Deno.test("pf host: pf sees guests of one bridge only where it is asked to", () => {
  const between: Packet = packet("tcp", "192.168.122.2:1", "192.168.122.3:22");
  const hooks = (setup: Partial<HostSetup>): readonly string[] =>
    hostWith("", "", setup).betweenGuests("virbr0", "tap0", "tap1", between).hooks;
  assertEquals(hooks({}), []);
  assertEquals(hooks({ pfilBridge: true }), ["in on virbr0", "out on virbr0"]);
  assertEquals(hooks({ pfilMember: true }), ["in on tap0", "out on tap1"]);
  assertEquals(hooks({ pfilMember: true, pfilBridge: true }), [
    "in on tap0",
    "in on virbr0",
    "out on virbr0",
    "out on tap1",
  ]);
  const blocked = hostWith("block on tap\n", "", { pfilMember: true });
  assertEquals(
    told(blocked.betweenGuests("virbr0", "tap0", "tap1", between)),
    "in on tap0: block on tap",
  );
});

Deno.test("pf host: the member of a packet for the host is asked with both sysctls", () => {
  const gateway = packet("tcp", "192.168.122.2:1", "192.168.122.1:22");
  const hooks = (setup: Partial<HostSetup>): readonly string[] =>
    hostWith("", "", setup).fromGuest("virbr0", "tap0", gateway).hooks;
  assertEquals(hooks({ pfilLocalPhys: true }), ["in on virbr0"]);
  assertEquals(hooks({ pfilMember: true }), ["in on virbr0"]);
  assertEquals(hooks({ pfilLocalPhys: true, pfilMember: true }), ["in on tap0", "in on virbr0"]);
});

Deno.test("pf host: a broadcast goes to the other members and twice to the host", () => {
  const host = hostWith("", "", { pfilMember: true, pfilBridge: true });
  const hooks = [...host.broadcast("virbr0", "tap0", DHCP)]
    .map(([to, journey]) => [to, journey.hooks.join(", ")]);
  assertEquals(hooks, [
    ["tap1", "in on tap0, in on virbr0, out on virbr0, out on tap1"],
    ["host", "in on virbr0"],
    ["host by tap0", "in on tap0"],
  ]);
});

Deno.test("pf host: with the defaults of FreeBSD 13, a floating state of the member serves the bridge", () => {
  const setup = { pfilMember: true, pfilBridge: true };
  const host = hostWith("block all\npass in on tap0\npass out on tap1\n", "", setup);
  const between = packet("tcp", "192.168.122.2:1", "192.168.122.3:22");
  const journey = host.betweenGuests("virbr0", "tap0", "tap1", between);
  assertEquals(journey.hooks, ["in on tap0", "in on virbr0"]);
  assertEquals(journey.stoppedAt, "out on virbr0");
  const bound = hostWith("set state-policy if-bound\nblock all\npass in on tap0\n", "", setup);
  assertEquals(bound.betweenGuests("virbr0", "tap0", "tap1", between).hooks, ["in on tap0"]);
});

const OWN_RDR = "rdr proto tcp from any to (self) port 80 -> 192.168.122.2 port 8080\n";

Deno.test("pf host: its own packets to itself go out and come in on lo0, where they can be redirected", () => {
  const interfaces = { ...SETUP.interfaces, lo0: { addresses: ["127.0.0.1/8"] } };
  const asked = packet("tcp", "203.0.113.5:1000", "203.0.113.5:80");
  const host = hostWith(OWN_RDR, "", { interfaces });
  const there = host.fromHost(asked);
  assertEquals([...there.hooks, told(there)], [
    "out on lo0",
    "in on lo0",
    "out on virbr0",
    "to virbr0",
  ]);
  const back = host.fromGuest("virbr0", "tap0", replyTo(there.packet));
  assertEquals(describePacket(back.packet), "tcp 192.168.122.2:8080 > 203.0.113.5:1000 SA", "lost");
  const seeing = hostWith(OWN_RDR, "", { interfaces, filterLocal: true });
  const answer = seeing.fromGuest("virbr0", "tap0", replyTo(seeing.fromHost(asked).packet));
  assertEquals(answer.hooks, ["in on virbr0", "out on lo0"]);
  assertEquals(describePacket(answer.packet), "tcp 203.0.113.5:80 > 203.0.113.5:1000 SA");
});

Deno.test("pf host: what it takes for itself goes out on lo0 where pf is told to look", () => {
  const host = hostWith("block out on lo0\n", "", { filterLocal: true });
  const gateway = packet("tcp", "192.168.122.2:1", "192.168.122.1:22");
  assertEquals(told(host.fromGuest("virbr0", "tap0", gateway)), "out on lo0: block out on lo0");
  assertEquals(told(host.fromGuest("virbr0", "tap0", OUTBOUND)), "to re0");
});

Deno.test("pf host: addresses of lo0 come and go on lo0 alone", () => {
  const interfaces = { ...SETUP.interfaces, lo0: { addresses: ["127.0.0.1/8"] } };
  const host = hostWith("rdr on lo0 from any to 127.0.0.1 -> 192.168.122.2\n", "", { interfaces });
  const forged = packet("tcp", "192.168.122.2:1", "127.0.0.1:22");
  assertEquals(
    told(host.fromGuest("virbr0", "tap0", forged)),
    "arrival on virbr0: an address of lo0",
  );
  const own = packet("tcp", "127.0.0.1:1", "127.0.0.1:22");
  assertEquals(told(host.fromHost(own)), "routing: an address of lo0");
});

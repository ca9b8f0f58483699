/** Guests that try to get past the rules of their bridge. */
import { assert, assertEquals } from "@std/assert";
import type { PfHost } from "../../support/pf/pf_host.ts";
import { describePacket, type Packet, packet, replyTo } from "../../support/packets/packet.ts";
import { RELEASES, type SceneSetup } from "./releases.ts";
import { BRIDGE_SETTINGS, hostWith as sceneWith, MAIN_RULESETS } from "./scene.ts";

const MEMBERS = BRIDGE_SETTINGS["pf on members"] ?? {};
const LOOSE = MAIN_RULESETS["pass all after them"] ?? "";
const BOUND = `set state-policy if-bound\n${LOOSE}`;

/** The host of the scene with this main ruleset. */
type HostWith = (main: string, setup?: SceneSetup) => PfHost;

function test(says: string, look: (hostWith: HostWith) => void): void {
  for (const [release, version] of Object.entries(RELEASES)) {
    Deno.test(`${says} (${release})`, () => {
      look((main, setup) => sceneWith(main, { ...setup, ...version }));
    });
  }
}

/**
 * A guest sends a packet for the outside to another guest first. Where pf sees members, a main ruleset that
 * passes all makes a state there, and states float: then it sends the same to the host.
 */
function sendTwice(host: PfHost, sent: Packet): boolean {
  host.betweenGuests("virbr2", "tap4", "tap5", sent);
  return host.fromGuest("virbr2", "tap4", sent).delivered;
}

const OWN = packet("udp", "10.0.120.7:1000", "192.0.9.9:53");
const FALSE = packet("udp", "172.16.9.9:1000", "192.0.9.9:53");

test("a state from a member interface takes no isolated guest outside", (hostWith) => {
  for (const main of [LOOSE, BOUND]) assertEquals(sendTwice(hostWith(main, MEMBERS), OWN), false);
});

test("with a false source it would, which is warned of, unless states are bound", (hostWith) => {
  assertEquals(sendTwice(hostWith(LOOSE, MEMBERS), FALSE), true);
  assertEquals(sendTwice(hostWith(BOUND, MEMBERS), FALSE), false);
  assertEquals(sendTwice(hostWith(LOOSE), FALSE), false);
});

test("where pf sees guests' packets on members first, bound states keep the rules of bridges", (hostWith) => {
  const setup = { ...MEMBERS, pfilLocalPhys: true };
  for (const sent of [OWN, FALSE]) {
    assertEquals(hostWith(BOUND, setup).fromGuest("virbr2", "tap4", sent).delivered, false);
  }
  assert(hostWith(LOOSE, setup).fromGuest("virbr2", "tap4", FALSE).delivered, "warned of");
});

test("protocols without ports leave no network untranslated", (hostWith) => {
  for (const protocol of ["gre", "esp"] as const) {
    const host = hostWith(LOOSE);
    const { packet: seen, delivered } = host.fromGuest(
      "virbr0",
      "tap0",
      packet(protocol, "192.168.122.50", "192.0.9.9"),
    );
    assert(
      !delivered || seen.source.value !== packet("gre", "192.168.122.50", "192.0.9.9").source.value,
    );
  }
});

test("where pf has no address to give, packets are stopped, by any FreeBSD", (hostWith) => {
  for (const untranslatable of ["drop", "pass"] as const) {
    const host = hostWith(LOOSE, { untranslatable });
    host.machine.setInterface("re0", { addresses: ["2001:db8::2/64"] });
    const { delivered } = host.fromGuest(
      "virbr0",
      "tap0",
      packet("tcp", "192.168.122.50:1", "192.0.9.9:2"),
    );
    assertEquals(delivered, false);
  }
});

const ALICE = "192.168.122.10";
const NATNET = "10.0.100.130";

test("guests of two networks that help each other do not get through to each other", (hostWith) => {
  for (const main of Object.values(MAIN_RULESETS)) {
    for (const protocol of ["udp", "tcp", "gre"] as const) {
      const host = hostWith(main);
      const one = packet(protocol, `${ALICE}:500`, `${NATNET}:500`);
      const other = packet(protocol, `${NATNET}:500`, `${ALICE}:500`);
      for (let round = 0; round < 2; round++) {
        assertEquals(host.fromGuest("virbr0", "tap0", one).delivered, false);
        assertEquals(host.fromGuest("virbr1", "tap2", other).delivered, false);
      }
    }
  }
});

test("guests without addresses get nowhere with those of others", (hostWith) => {
  const host = hostWith(LOOSE);
  for (const source of [ALICE, "10.0.120.77", "198.51.100.77", "198.51.101.77", "10.0.130.77"]) {
    for (const to of ["192.0.9.9", "192.0.3.9", ALICE, "10.0.120.7", "198.51.100.7", NATNET]) {
      const { delivered } = host.fromGuest(
        "virbr6",
        "tap12",
        packet("udp", `${source}:1`, `${to}:53`),
      );
      assertEquals([source, to, delivered], [source, to, false]);
    }
  }
});

test("a neighbour makes no way out for an isolated guest, whatever pf sees of members", (hostWith) => {
  for (const main of Object.values(MAIN_RULESETS)) {
    const host = hostWith(main, MEMBERS);
    const sent = packet("udp", "10.0.120.7:1", "198.51.100.7:53");
    host.betweenGuests("virbr3", "tap7", "tap6", sent);
    assertEquals(host.fromGuest("virbr2", "tap4", sent).delivered, false);
  }
});

test("a guest that says to be the host goes no other way than a guest", (hostWith) => {
  const host = hostWith(LOOSE);
  const ways = [
    ["virbr4", "tap8", "10.0.130.1", "192.0.9.9"],
    ["virbr0", "tap0", "192.168.122.1", "192.0.3.9"],
    ["virbr5", "tap10", "198.51.101.1", "192.0.9.9"],
  ] as const;
  for (const [bridge, member, source, to] of ways) {
    const { delivered } = host.fromGuest(bridge, member, packet("udp", `${source}:1`, `${to}:53`));
    assertEquals([source, delivered], [source, false]);
  }
});

test("what is refused from outside opens no way for the answer, translated or not", (hostWith) => {
  const host = hostWith(LOOSE);
  const asked = packet("udp", "192.0.9.9:53", `${ALICE}:1`);
  assertEquals(host.fromOutside("re0", asked).delivered, false);
  const { packet: seen } = host.fromGuest(
    "virbr0",
    "tap0",
    packet("udp", `${ALICE}:1`, "192.0.9.9:53"),
  );
  assertEquals(describePacket(seen).includes(ALICE), false);
});

test("who comes by another interface with the address of a guest is no guest", (hostWith) => {
  const forged = [
    ["em1", "10.0.120.8", "10.0.120.7"],
    ["em1", "192.168.122.11", ALICE],
    ["re0", "10.0.130.8", "10.0.130.7"],
    ["re0", "198.51.101.8", "198.51.101.7"],
    ["re0", "192.168.122.11", ALICE],
  ] as const;
  for (const setup of Object.values(BRIDGE_SETTINGS)) {
    for (const [by, source, to] of forged) {
      const host = hostWith(LOOSE, setup);
      const { delivered } = host.fromOutside(by, packet("udp", `${source}:1`, `${to}:53`));
      assertEquals([by, source, delivered], [by, source, false]);
    }
  }
});

test("a reply that a guest of another network forges comes through, as the manual says", (hostWith) => {
  const host = hostWith(`set state-policy if-bound\n${LOOSE}`);
  const out = host.fromGuest("virbr0", "tap0", packet("udp", `${ALICE}:5000`, "192.0.9.9:53"));
  assert(host.fromGuest("virbr2", "tap4", replyTo(out.packet)).delivered);
});

test("a helper outside makes no way out for an isolated guest, whatever pf sees of members", (hostWith) => {
  const host = hostWith(LOOSE, MEMBERS);
  const asked = packet("udp", "192.0.9.9:53", "10.0.120.7:1000");
  assertEquals(host.fromOutside("re0", asked).delivered, false);
  assertEquals(sendTwice(host, OWN), false);
});

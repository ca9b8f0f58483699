/** Guests that try to get past the rules of their bridge. */
import { assert, assertEquals } from "@std/assert";
import type { PfHost } from "../../support/pf/pf_host.ts";
import { type Packet, packet } from "../../support/pf/pf_packet.ts";
import { BRIDGE_SETTINGS, hostWith, MAIN_RULESETS } from "./scene.ts";

const MEMBERS = BRIDGE_SETTINGS["pf on members"] ?? {};
const LOOSE = MAIN_RULESETS["pass all after them"] ?? "";
const BOUND = `set state-policy if-bound\n${LOOSE}`;

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

Deno.test("a state from a member interface takes no isolated guest outside", () => {
  for (const main of [LOOSE, BOUND]) assertEquals(sendTwice(hostWith(main, MEMBERS), OWN), false);
});

Deno.test("with a false source it would, which is warned of, unless states are bound", () => {
  assertEquals(sendTwice(hostWith(LOOSE, MEMBERS), FALSE), true);
  assertEquals(sendTwice(hostWith(BOUND, MEMBERS), FALSE), false);
  assertEquals(sendTwice(hostWith(LOOSE), FALSE), false);
});

Deno.test("where pf sees guests' packets on members first, bound states keep the rules of bridges", () => {
  const setup = { ...MEMBERS, pfilLocalPhys: true };
  for (const sent of [OWN, FALSE]) {
    assertEquals(hostWith(BOUND, setup).fromGuest("virbr2", "tap4", sent).delivered, false);
  }
  assert(hostWith(LOOSE, setup).fromGuest("virbr2", "tap4", FALSE).delivered, "warned of");
});

Deno.test("protocols without ports leave no network untranslated", () => {
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

Deno.test("where pf has no address to give, packets are stopped, by any FreeBSD", () => {
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

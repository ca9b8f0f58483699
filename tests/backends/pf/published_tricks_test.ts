/** Those who try to get more by a published port than it gives. */
import { assert, assertEquals } from "@std/assert";
import type { PfHost } from "../../support/pf/pf_host.ts";
import { type Packet, packet, replyTo } from "../../support/packets/packet.ts";
import { RELEASES, type SceneSetup } from "./releases.ts";
import { BRIDGE_SETTINGS, hostWith, MAIN_RULESETS, PUBLISHING } from "./scene.ts";

const PUBLIC = "203.0.113.2:8080";
const ALICE = "192.168.122.10";
const BOB = "192.168.122.11";
const CLIENT = "192.0.9.9:40000";

function eachHost(
  look: (host: PfHost) => void,
  setups: readonly SceneSetup[] = Object.values(BRIDGE_SETTINGS),
): void {
  for (const version of Object.values(RELEASES)) {
    for (const main of Object.values(MAIN_RULESETS)) {
      for (const setup of setups) look(hostWith(main, { ...setup, ...version }, PUBLISHING));
    }
  }
}

function send(host: PfHost, bridge: string, member: string, sent: Packet): boolean {
  return host.fromGuest(bridge, member, sent).delivered;
}

Deno.test("what begins no connection leaves no state that others could use", () => {
  eachHost((host) => {
    const stray = packet("tcp", CLIENT, PUBLIC, { flags: "A" });
    assertEquals(host.fromOutside("re0", stray).delivered, false);
    assertEquals(host.fromOutside("em1", stray).delivered, false);
    assertEquals(send(host, "virbr0", "tap1", { ...stray }), false);
    assertEquals(host.machine.states(), []);
  });
});

Deno.test("the state of a client lets nobody else in, by the same words on another interface", () => {
  eachHost((host) => {
    const asked = packet("tcp", CLIENT, PUBLIC);
    assert(host.fromOutside("re0", asked).delivered);
    for (const [bridge, member] of [["virbr0", "tap1"], ["virbr1", "tap2"], ["virbr2", "tap4"]]) {
      for (const flags of ["S", "A"]) {
        const forged = { ...asked, flags };
        assertEquals([bridge, send(host, bridge ?? "", member ?? "", forged)], [bridge, false]);
      }
    }
  });
});

Deno.test("a guest that was asked does not get out by that to anybody else", () => {
  eachHost((host) => {
    const into = host.fromOutside("re0", packet("tcp", "192.0.9.9:40000", "203.0.113.2:9090"));
    assert(into.delivered);
    const answer = replyTo(into.packet);
    assert(host.fromGuest("virbr2", "tap4", answer).delivered, "the answer itself");
    for (
      const other of [
        { ...answer, destinationPort: 40001 },
        { ...answer, sourcePort: 91 },
        packet("tcp", "10.0.120.7:90", "192.0.9.8:40000"),
        packet("tcp", "10.0.120.8:90", CLIENT, { flags: "SA" }),
      ]
    ) {
      assertEquals(host.fromGuest("virbr2", "tap4", other).delivered, false);
    }
  });
});

Deno.test("to be asked opens no other port of the guest, and no other guest", () => {
  eachHost((host) => {
    assert(host.fromOutside("re0", packet("tcp", CLIENT, PUBLIC)).delivered);
    for (const to of [`${ALICE}:80`, `${ALICE}:22`, `${ALICE}:8080`, `${BOB}:80`]) {
      for (const flags of ["S", "A"]) {
        const direct = packet("tcp", CLIENT, to, { flags });
        assertEquals([to, host.fromOutside("re0", direct).delivered], [to, false]);
      }
    }
  });
});

Deno.test("an isolated guest reaches nothing published by a state that a neighbour made", () => {
  eachHost((host) => {
    const sent = packet("tcp", "10.0.120.7:40000", PUBLIC);
    host.betweenGuests("virbr2", "tap4", "tap5", sent);
    assertEquals(host.fromGuest("virbr2", "tap4", sent).delivered, false);
  }, [{ pfilMember: true }]);
});

Deno.test("where pf sees guests on members first, their own network's ports are refused to them", () => {
  eachHost((host) => {
    const sent = packet("tcp", `${BOB}:40000`, PUBLIC);
    assertEquals(host.fromGuest("virbr0", "tap1", sent).delivered, false, "warned of");
    assert(host.fromOutside("re0", packet("tcp", CLIENT, PUBLIC)).delivered);
  }, [{ pfilMember: true, pfilBridge: true, pfilLocalPhys: true }]);
});

Deno.test("what the host sends from a port that it publishes gets no answer, as the manual says", () => {
  eachHost((host) => {
    for (const port of [8080, 8081]) {
      const asked = packet("tcp", `192.168.122.1:${port}`, `${BOB}:22`);
      assert(host.fromHost(asked).delivered);
      assertEquals([port, send(host, "virbr0", "tap1", replyTo(asked))], [port, port !== 8080]);
    }
  });
});

/** Tables of networks with hardly any addresses: what is in them, and what that does to packets. */
import { assertEquals } from "@std/assert";
import { networkAnchors } from "../../../backends/pf/ruleset.ts";
import type { Anchor } from "../../../backends/pf/rules.ts";
import { formatAnchor } from "../../../backends/pf/script.ts";
import { filtered } from "../../support/definitions.ts";
import { packet } from "../../support/packets/packet.ts";
import { bringUp, drift, freebsdWorld, run } from "./host.ts";
import { bareHost, loadInto, MAIN_RULESETS, upCommands } from "./scene.ts";

const MODES = ["", "<forward mode='nat'/>", "<forward mode='route'/>"];
const DEVICES = ["<forward mode='nat' dev='re0'/>", "<forward mode='route' dev='em1'/>"];

/** One `<ip>` each. */
function ips(...texts: readonly string[]): string {
  return texts.map((text) => text.split("/"))
    .map(([address, prefix]) => `<ip address='${address}' prefix='${prefix}'/>`).join("");
}

function anchorsOf(elements: string): readonly Anchor[] {
  return networkAnchors(filtered(elements), {
    root: "bridgewall",
    defaultInterface: "re0",
    seesLocal: true,
  });
}

/** The tables of guests that are loaded, each once. */
function guests(elements: string): readonly string[] {
  const lines = anchorsOf(elements).flatMap((anchor) => formatAnchor(anchor).split("\n"));
  return [...new Set(lines.filter((line) => line.startsWith("table <guests>")))];
}

Deno.test("an address of the host is no guest's, though there is no other in its subnet", () => {
  for (const mode of [...MODES, ...DEVICES]) {
    const both = guests(`${mode}${ips("10.9.0.1/32", "10.8.0.1/24")}`);
    assertEquals(both, ["table <guests> { 10.8.0.0/24, !10.8.0.1 }"]);
    const behind = "<route address='10.7.0.0' prefix='24' gateway='10.9.0.1'/>";
    assertEquals(guests(`${mode}${ips("10.9.0.1/32")}${behind}`), [
      "table <guests> { 10.7.0.0/24 }",
    ]);
    const pair = guests(`${mode}${ips("10.9.0.0/31")}`);
    assertEquals(pair, ["table <guests> { 10.9.0.0/31, !10.9.0.0 }"]);
  }
});

Deno.test("where there is no address for guests, no rule asks for one", () => {
  for (const mode of [...MODES, ...DEVICES]) {
    for (const all of [ips("10.9.0.1/32"), ips("10.9.0.1/32", "10.9.0.2/32", "10.8.0.1/32")]) {
      assertEquals(
        anchorsOf(mode + all).filter((one) => formatAnchor(one).includes("<guests>")),
        [],
      );
    }
  }
});

const ALONE = "<network><name>alone</name><bridge name='virbr0'/><forward mode='nat'/>" +
  `${ips("192.168.122.1/32")}</network>`;

Deno.test("a host that is alone in its subnet is there, and nobody leaves by its address", () => {
  for (const main of Object.values(MAIN_RULESETS)) {
    const host = bareHost(main);
    loadInto(host, upCommands([ALONE]));
    const ask = (from: string, to: string): boolean =>
      host.fromGuest("virbr0", "tap0", packet("udp", `${from}:1`, `${to}:53`)).delivered;
    assertEquals(ask("192.168.122.1", "192.0.9.9"), false);
    assertEquals(ask("192.168.122.2", "192.0.9.9"), false);
    assertEquals(ask("192.168.122.2", "192.168.122.1"), false);
  }
});

Deno.test("what pf makes of such tables is as it should be", async () => {
  const pair = ALONE.replace("<ip ", `${ips("10.9.0.0/31", "10.8.0.1/24")}<ip `);
  for (const definition of [ALONE, pair]) {
    const world = freebsdWorld();
    assertEquals((await run(world, { alone: definition }, bringUp("alone"))).error, undefined);
    assertEquals(await drift(world), []);
  }
});

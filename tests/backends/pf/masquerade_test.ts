/** Prefixes that belong to no network: what becomes of their packets, in every version of FreeBSD. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { masqueradeAnchor } from "../../../backends/pf/masquerade.ts";
import { formatAnchor } from "../../../backends/pf/script.ts";
import { formatAddress, formatSubnet } from "../../../core/address.ts";
import { masqueradePolicy } from "../../../core/policy/masquerade.ts";
import { subnetsOf } from "../../support/arbitrary.ts";
import { subnet } from "../../support/definitions.ts";
import type { World } from "../../support/model_host.ts";
import { equalRules } from "../../support/pf/pf_equal_rules.ts";
import type { PfHost } from "../../support/pf/pf_host.ts";
import { parseRuleset, undefinedTables } from "../../support/pf/pf_grammar.ts";
import { describePacket, packet, replyTo } from "../../support/packets/packet.ts";
import { ACROSS, BEYOND, ON_BRIDGE, SPOOFED } from "./claims.ts";
import { freebsdWorld, masquerading, type Ran, run } from "./host.ts";
import { RELEASES } from "./releases.ts";
import {
  BRIDGE_SETTINGS,
  endConnections,
  hostWith as sceneWith,
  MAIN_RULESETS,
  NETWORKS,
} from "./scene.ts";

const PATH = "bridgewall/~+masquerade";

async function loaded(...prefixes: readonly string[]): Promise<string> {
  const world = freebsdWorld();
  await add(world, ...prefixes);
  return world.anchors.get(PATH) ?? "";
}

async function add(world: World, ...prefixes: readonly string[]): Promise<Ran> {
  const ran = await run(world, {}, masquerading("add", ...prefixes));
  assertEquals(ran.error, undefined);
  return ran;
}

Deno.test("a prefix is translated by one rule, and a table says to where", async () => {
  const world = freebsdWorld();
  const { changes, said } = await add(world, "10.8.0.0/16");
  assertEquals(changes, [`-a ${PATH} -f -`, "-i re0 -k 10.8.0.0/16"]);
  assertEquals(
    world.anchors.get(PATH),
    "table <natdst-10.8.0.0-16> " +
      "{ 0.0.0.0/0, !10.8.0.0/16, !224.0.0.0/24, !255.255.255.255 }\n" +
      "nat on re0 inet from 10.8.0.0/16 to <natdst-10.8.0.0-16> -> (re0)\n",
  );
  assertMatch(said.join("\n"), /Masqueraded prefixes are translated on "re0" alone/);
});

Deno.test("whatever the prefixes are, pf takes the rules, has all tables, and none has an entry twice", () => {
  const prefixes = fc.array(subnetsOf("ipv4"), { minLength: 1, maxLength: 5 });
  const odd = ["224.0.0.0/24", "255.255.255.255/32", "192.168.122.128/25"].map(subnet);
  fc.assert(fc.property(fc.oneof(prefixes, fc.constant(odd)), (some) => {
    const anchor = masqueradeAnchor(masqueradePolicy(some), {
      root: "bridgewall",
      defaultInterface: "re0",
    });
    const text = formatAnchor(anchor);
    assertEquals(undefinedTables(parseRuleset(text)), [], text);
    for (const table of anchor.tables) {
      const entries = table.entries.map((entry) => formatSubnet(entry.subnet));
      assertEquals([...new Set(entries)], entries);
    }
    assertEquals(equalRules(text), [], text);
    assert(!text.includes("no nat"));
  }));
});

/** The host of the scene with this main ruleset. */
type HostWith = (main: string, networks?: Readonly<Record<string, string>>) => PfHost;

/** In every version of FreeBSD. */
function test(says: string, look: (hostWith: HostWith) => Promise<void>): void {
  for (const [release, version] of Object.entries(RELEASES)) {
    const setup = { ...BRIDGE_SETTINGS["pf on bridges"], ...version };
    Deno.test(`${says} (${release})`, () =>
      look((main, networks) => sceneWith(main, setup, networks)));
  }
}

/** A jail's address on the host, and a machine behind `em1`. */
const PREFIXES = ["10.8.0.0/16", "192.0.3.0/24"];

test("what leaves a prefix by the default route is translated, from the host and routed", async (hostWith) => {
  const text = await loaded(...PREFIXES);
  const passing = Object.entries(MAIN_RULESETS).filter(([where]) =>
    !where.startsWith("block all") && where !== "a careful ruleset"
  );
  for (const [where, main] of passing) {
    const host = hostWith(main);
    host.machine.load(PATH, text);
    const jail = host.fromHost(packet("udp", "10.8.0.5:1000", "192.0.9.9:53"));
    assertEquals([where, formatAddress(jail.packet.source)], [where, "203.0.113.2"]);
    const behind = packet("tcp", "192.0.3.9:1000", "192.0.9.9:80");
    const out = host.fromOutside("em1", behind);
    assertEquals([where, formatAddress(out.packet.source), out.to], [where, "203.0.113.2", "re0"]);
    const back = host.fromOutside("re0", replyTo(out.packet));
    assertEquals([describePacket(back.packet), back.to], [describePacket(replyTo(behind)), "em1"]);
  }
});

test("what stays in the prefix, on the link, or leaves by another interface, is as it was", async (hostWith) => {
  const text = await loaded("10.8.0.0/16", "192.0.0.0/20");
  const host = hostWith(MAIN_RULESETS["the anchors alone"] ?? "");
  host.machine.load(PATH, text);
  const seen = (from: string, to: string): string => {
    const { packet: { source } } = host.machine.hook(packet("udp", from, to), "out", "re0");
    return formatAddress(source);
  };
  assertEquals(seen("192.0.3.9:1", "192.0.9.9:53"), "192.0.3.9");
  assertEquals(seen("192.0.3.9:1", "10.8.0.5:53"), "203.0.113.2", "another prefix is elsewhere");
  assertEquals(seen("192.0.3.9:1", "224.0.0.251:53"), "192.0.3.9");
  assertEquals(seen("192.0.3.9:1", "255.255.255.255:53"), "192.0.3.9");
  assertEquals(seen("192.0.16.9:1", "192.0.9.9:53"), "192.0.16.9");
  const other = host.machine.hook(packet("udp", "192.0.9.9:1", "10.9.9.9:53"), "out", "em1");
  assertEquals(formatAddress(other.packet.source), "192.0.9.9");
});

test("the main ruleset decides what gets out, whether it is translated or not", async (hostWith) => {
  const text = await loaded("10.8.0.0/16");
  for (const where of ["block all after them", "block all before them"]) {
    const host = hostWith(MAIN_RULESETS[where] ?? "");
    host.machine.load(PATH, text);
    const sent = packet("udp", "10.8.0.5:1000", "192.0.9.9:53");
    assertEquals([where, host.fromHost(sent).delivered], [where, false]);
  }
});

test("what was sent before is translated as well, and what goes elsewhere is not ended", async (hostWith) => {
  const host = hostWith(MAIN_RULESETS["pass all after them"] ?? "");
  const [out, inward] = [packet("udp", "10.8.0.5:1000", "192.0.9.9:53"), "192.0.3.9:53"];
  assertEquals(formatAddress(host.fromHost(out).packet.source), "10.8.0.5");
  host.fromHost(packet("udp", "10.8.0.5:1000", inward));
  const before = host.machine.states();
  const world = freebsdWorld();
  const { changes } = await add(world, "10.8.0.0/16");
  host.machine.load(PATH, world.anchors.get(PATH) ?? "");
  endConnections(host, changes);
  assertEquals(formatAddress(host.fromHost(out).packet.source), "203.0.113.2");
  assertEquals([before.length, host.machine.states().length], [2, 2]);
  assert(host.machine.states().some((state) => state.includes(inward)));
});

test("networks keep their own rules, whatever prefix is beside them or around", async (hostWith) => {
  // Not those of a network with a forward device, which is refused.
  const text = await loaded("10.8.0.0/16", "192.168.0.0/16", "10.0.100.0/22", "10.0.120.0/24");
  const claims = [...ON_BRIDGE, ...BEYOND, ...SPOOFED, ...ACROSS];
  for (const main of Object.values(MAIN_RULESETS)) {
    const wrong = claims.flatMap(({ says, look }) => {
      const host = hostWith(main);
      host.machine.load(PATH, text);
      const problem = look(host);
      return problem === undefined ? [] : [`${says}: ${problem}`];
    });
    assertEquals(wrong, []);
  }
});

const RANGE = "<address start='203.0.113.9' end='203.0.113.9'/><port start='2000' end='2009'/>";

test("a network has the addresses and ports of its definition, in a prefix around", async (hostWith) => {
  const definition = (NETWORKS["default"] ?? "").replace(
    "<forward mode='nat'/>",
    `<forward mode='nat'><nat>${RANGE}</nat></forward>`,
  );
  const networks = { ...NETWORKS, default: definition };
  const host = hostWith(MAIN_RULESETS["block all before them"] ?? "", networks);
  host.machine.load(PATH, await loaded("192.168.0.0/16"));
  const out = host.fromGuest("virbr0", "tap0", packet("udp", "192.168.122.9:1", "192.0.9.9:53"));
  assertEquals(describePacket(out.packet), "udp 203.0.113.9:2000 > 192.0.9.9:53");
  assertEquals(out.to, "re0");
});

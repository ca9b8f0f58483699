/** Prefixes that belong to no network: what becomes of their packets, and how they come and go. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { masqueradeAnchor } from "../../../backends/pf/masquerade.ts";
import { formatAnchor } from "../../../backends/pf/script.ts";
import { formatAddress, formatSubnet } from "../../../core/address.ts";
import type { Context } from "../../../core/commands/context.ts";
import { masquerade } from "../../../core/commands/masquerade.ts";
import { UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { HostError } from "../../../core/host.ts";
import { masqueradePolicy } from "../../../core/policy/masquerade.ts";
import { subnetsOf } from "../../support/arbitrary.ts";
import { subnet } from "../../support/definitions.ts";
import { definitionOf } from "../../support/golden.ts";
import { describeWorld, type World } from "../../support/model_host.ts";
import { parseRuleset, undefinedTables } from "../../support/pf/pf_grammar.ts";
import type { PfHost } from "../../support/pf/pf_host.ts";
import { describePacket, packet, replyTo } from "../../support/pf/pf_packet.ts";
import { ACROSS, BEYOND, ON_BRIDGE, SPOOFED } from "./claims.ts";
import { bringUp, defaultRoute, drift, freebsdWorld, type Ran, reloadAll, run } from "./host.ts";
import { BRIDGE_SETTINGS, endConnections, hostWith, MAIN_RULESETS, NETWORKS } from "./scene.ts";

const PATH = "bridgewall/~=masquerade";
const DEFINITIONS = {
  default: definitionOf("bsd-default"),
  em1: NETWORKS["natByEm1"] ?? "",
  routed: NETWORKS["routed"] ?? "",
};

function work(...operands: readonly string[]): (context: Context) => Promise<unknown> {
  return (context) => masquerade(context, operands);
}

async function done(world: World, what: (context: Context) => Promise<unknown>): Promise<Ran> {
  const ran = await run(world, DEFINITIONS, what);
  assertEquals(ran.error, undefined);
  return ran;
}

async function loaded(...prefixes: readonly string[]): Promise<string> {
  const world = freebsdWorld();
  await done(world, work("add", ...prefixes));
  return world.anchors.get(PATH) ?? "";
}

Deno.test("a prefix is translated by one rule, and a table says to where", async () => {
  const world = freebsdWorld();
  const { changes, said } = await done(world, work("add", "10.8.0.0/16"));
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
    assert(!text.includes("no nat"));
  }));
});

/** A jail's address on the host, and a machine behind `em1`. */
const PREFIXES = ["10.8.0.0/16", "192.0.3.0/24"];

Deno.test("what leaves a prefix by the default route is translated, from the host and routed", async () => {
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

Deno.test("what stays in the prefix, on the link, or leaves by another interface, is as it was", async () => {
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

Deno.test("the main ruleset decides what gets out, whether it is translated or not", async () => {
  const text = await loaded("10.8.0.0/16");
  for (const where of ["block all after them", "block all before them"]) {
    const host = hostWith(MAIN_RULESETS[where] ?? "");
    host.machine.load(PATH, text);
    const sent = packet("udp", "10.8.0.5:1000", "192.0.9.9:53");
    assertEquals([where, host.fromHost(sent).delivered], [where, false]);
  }
});

Deno.test("what was sent before is translated as well, and what goes elsewhere is not ended", async () => {
  const host = hostWith(MAIN_RULESETS["pass all after them"] ?? "");
  const [out, inward] = [packet("udp", "10.8.0.5:1000", "192.0.9.9:53"), "192.0.3.9:53"];
  assertEquals(formatAddress(host.fromHost(out).packet.source), "10.8.0.5");
  host.fromHost(packet("udp", "10.8.0.5:1000", inward));
  const before = host.machine.states();
  const world = freebsdWorld();
  const { changes } = await done(world, work("add", "10.8.0.0/16"));
  host.machine.load(PATH, world.anchors.get(PATH) ?? "");
  endConnections(host, changes);
  assertEquals(formatAddress(host.fromHost(out).packet.source), "203.0.113.2");
  assertEquals([before.length, host.machine.states().length], [2, 2]);
  assert(host.machine.states().some((state) => state.includes(inward)));
});

Deno.test("networks keep their own rules, whatever prefix is beside them or around", async () => {
  // Not those of a network with a forward device: see below.
  const text = await loaded("10.8.0.0/16", "192.168.0.0/16", "10.0.100.0/22", "10.0.120.0/24");
  const claims = [...ON_BRIDGE, ...BEYOND, ...SPOOFED, ...ACROSS];
  for (const main of Object.values(MAIN_RULESETS)) {
    const host = (): PfHost => {
      const made = hostWith(main, BRIDGE_SETTINGS["pf on bridges"]);
      made.machine.load(PATH, text);
      return made;
    };
    const wrong = claims.flatMap(({ says, look }) => {
      const problem = look(host());
      return problem === undefined ? [] : [`${says}: ${problem}`];
    });
    assertEquals(wrong, []);
  }
});

Deno.test("prefixes come and go in one load, and what stands is not loaded again", async () => {
  const world = freebsdWorld();
  await done(world, bringUp("default"));
  const before = describeWorld(world);
  await done(world, work("add", "10.8.0.0/16"));
  assertEquals((await done(world, work("add", "10.8.0.0/16"))).changes, []);
  assertEquals((await done(world, reloadAll)).changes, []);
  assertEquals((await done(world, bringUp("default"))).changes, []);
  assertEquals((await done(world, work("add", "10.9.0.0/16"))).changes, [
    `-a ${PATH} -f -`,
    "-i re0 -k 10.9.0.0/16",
  ]);
  assertEquals((await done(world, work("remove", "10.8.0.0/16"))).changes, [`-a ${PATH} -f -`]);
  assert(!(world.anchors.get(PATH) ?? "").includes("10.8."));
  assertEquals((await done(world, work("remove", "10.9.0.0/16"))).changes, [`-a ${PATH} -F all`]);
  assertEquals(describeWorld(world), before);
});

Deno.test("check names what is not as it was loaded, the tables of prefixes too", async () => {
  const world = freebsdWorld();
  await done(world, work("add", "10.8.0.0/16", "10.9.0.0/16"));
  assertEquals(await drift(world), []);
  const text = world.anchors.get(PATH) ?? "";
  const changed = async (from: RegExp | string, to: string): Promise<readonly string[]> => {
    world.anchors = new Map([...world.anchors, [PATH, text.replace(from, to)]]);
    return await drift(world);
  };
  assertEquals(await changed(/^nat on re0 inet from 10\.9\..*\n/m, ""), [
    `Masqueraded prefixes: Rule is missing from anchor "${PATH}": ` +
    "nat on re0 inet from 10.9.0.0/16 to <natdst-10.9.0.0-16> -> (re0) round-robin",
  ]);
  assertEquals(await changed("!10.9.0.0/16, ", ""), [
    `Masqueraded prefixes: Table <natdst-10.9.0.0-16> of anchor "${PATH}" holds 0.0.0.0/0, ` +
    "!224.0.0.0/24, !255.255.255.255 instead of !10.9.0.0/16, !224.0.0.0/24, !255.255.255.255, " +
    "0.0.0.0/0",
  ]);
  assertEquals((await done(world, reloadAll)).changes, [`-a ${PATH} -f -`]);
  assertEquals([await drift(world), world.anchors.get(PATH)], [[], text]);
});

Deno.test("reload follows the default route, and keeps the way that there was", async () => {
  const world = freebsdWorld();
  await done(world, work("add", "10.8.0.0/16"));
  const moved = { ...world, facts: { ...world.facts, routes: [defaultRoute("wlan0")] } };
  await done(moved, reloadAll);
  assertMatch(moved.anchors.get(PATH) ?? "", /^nat on wlan0 .* -> \(wlan0\)$/m);
  const lost = { ...world, facts: { ...world.facts, routes: [] } };
  const { changes, said } = await done(lost, reloadAll);
  assertEquals(changes, []);
  assertMatch(said.join("\n"), /translated on "re0", as before, until it has one/);
});

Deno.test("without a default route prefixes are refused, and nothing is changed", async () => {
  const world = freebsdWorld();
  const lost = { ...world, facts: { ...world.facts, routes: [] } };
  const { error, changes } = await run(lost, DEFINITIONS, work("add", "10.8.0.0/16"));
  assert(error instanceof HostError, String(error));
  assertMatch(error.message, /^Cannot translate the packets of masqueraded prefixes: /);
  assertEquals([changes, lost.files.size], [[], 0]);
});

Deno.test("IPv6 prefixes are refused: exit code 4", async () => {
  const world = freebsdWorld();
  const { error } = await run(world, DEFINITIONS, work("add", "10.8.0.0/16", "fd00:8::/64"));
  assert(error instanceof UnsupportedNetworkError, String(error));
  assertMatch(error.message, /^Cannot masquerade fd00:8::\/64: .* IPv4 only$/);
  assertEquals(describeWorld(world), "");
});

Deno.test("a prefix around guests with a forward device would let them out elsewhere, and is refused", async () => {
  const world = freebsdWorld();
  await done(world, bringUp("em1", "default"));
  const before = describeWorld(world);
  const { error } = await run(world, DEFINITIONS, work("add", "10.0.0.0/8"));
  assert(error instanceof UnsupportedNetworkError, String(error));
  assertEquals(
    error.message,
    'Cannot keep masqueraded 10.0.0.0/8 apart from 10.0.130.0/24 of network "nat-by-em1": its ' +
      'guests would leave by "re0" as well, although they may only by "em1"',
  );
  assertEquals(describeWorld(world), before);
  await done(world, work("add", "192.168.0.0/16"));
});

Deno.test("so is such a network in a prefix that stands; what stood together is warned of", async () => {
  const world = freebsdWorld();
  await done(world, work("add", "10.0.0.0/8"));
  const { error } = await run(world, DEFINITIONS, bringUp("em1"));
  assert(error instanceof UnsupportedNetworkError, String(error));
  const em1 = { ...freebsdWorld() };
  em1.facts = { ...em1.facts, routes: [defaultRoute("em1")] };
  await done(em1, work("add", "10.0.0.0/8"));
  await done(em1, bringUp("em1"));
  const moved = { ...em1, facts: { ...em1.facts, routes: [defaultRoute("re0")] } };
  const { said } = await done(moved, reloadAll);
  assertMatch(
    said.join("\n"),
    /pf cannot keep masqueraded 10\.0\.0\.0\/8 apart from 10\.0\.130\.0\/24/,
  );
});

/** Prefixes that belong to no network: how they come and go, and what is refused. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Context } from "../../../core/commands/context.ts";
import { UnsupportedNetworkError } from "../../../core/firewall_backend.ts";
import { HostError } from "../../../core/host.ts";
import { definitionOf } from "../../support/golden.ts";
import { describeWorld, type World } from "../../support/model_host.ts";
import {
  bringUp,
  defaultRoute,
  drift,
  freebsdWorld,
  masquerading,
  type Ran,
  reloadAll,
  run,
} from "./host.ts";
import { NETWORKS } from "./scene.ts";

const PATH = "bridgewall/~+masquerade";
const DEFINITIONS = {
  default: definitionOf("bsd-default"),
  em1: NETWORKS["natByEm1"] ?? "",
  routed: NETWORKS["routed"] ?? "",
};

async function done(world: World, what: (context: Context) => Promise<unknown>): Promise<Ran> {
  const ran = await run(world, DEFINITIONS, what);
  assertEquals(ran.error, undefined);
  return ran;
}

Deno.test("prefixes come and go in one load, and what stands is not loaded again", async () => {
  const world = freebsdWorld();
  await done(world, bringUp("default"));
  const before = describeWorld(world);
  await done(world, masquerading("add", "10.8.0.0/16"));
  assertEquals((await done(world, masquerading("add", "10.8.0.0/16"))).changes, []);
  assertEquals((await done(world, reloadAll)).changes, []);
  assertEquals((await done(world, bringUp("default"))).changes, []);
  assertEquals((await done(world, masquerading("add", "10.9.0.0/16"))).changes, [
    `-a ${PATH} -f -`,
    "-i re0 -k 10.9.0.0/16",
  ]);
  assertEquals((await done(world, masquerading("remove", "10.8.0.0/16"))).changes, [
    `-a ${PATH} -f -`,
  ]);
  assert(!(world.anchors.get(PATH) ?? "").includes("10.8."));
  assertEquals((await done(world, masquerading("remove", "10.9.0.0/16"))).changes, [
    `-a ${PATH} -F all`,
  ]);
  assertEquals(describeWorld(world), before);
});

Deno.test("check names what is not as it was loaded, the tables of prefixes too", async () => {
  const world = freebsdWorld();
  await done(world, masquerading("add", "10.8.0.0/16", "10.9.0.0/16"));
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
  await done(world, masquerading("add", "10.8.0.0/16"));
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
  const { error, changes } = await run(lost, DEFINITIONS, masquerading("add", "10.8.0.0/16"));
  assert(error instanceof HostError, String(error));
  assertMatch(error.message, /^Cannot translate the packets of masqueraded prefixes: /);
  assertEquals([changes, lost.files.size], [[], 0]);
});

Deno.test("IPv6 prefixes are refused: exit code 4", async () => {
  const world = freebsdWorld();
  const { error } = await run(
    world,
    DEFINITIONS,
    masquerading("add", "10.8.0.0/16", "fd00:8::/64"),
  );
  assert(error instanceof UnsupportedNetworkError, String(error));
  assertMatch(error.message, /^Cannot masquerade fd00:8::\/64: .* IPv4 only$/);
  assertEquals(describeWorld(world), "");
});

Deno.test("a prefix around guests with a forward device would let them out elsewhere, and is refused", async () => {
  const world = freebsdWorld();
  await done(world, bringUp("em1", "default"));
  const before = describeWorld(world);
  const { error } = await run(world, DEFINITIONS, masquerading("add", "10.0.0.0/8"));
  assert(error instanceof UnsupportedNetworkError, String(error));
  assertEquals(
    error.message,
    'Cannot keep masqueraded 10.0.0.0/8 apart from 10.0.130.0/24 of network "nat-by-em1": its ' +
      'guests would leave by "re0" as well, although they may only by "em1"',
  );
  assertEquals(describeWorld(world), before);
  await done(world, masquerading("add", "192.168.0.0/16"));
});

Deno.test("so is such a network in a prefix that stands; what stood together is warned of", async () => {
  const world = freebsdWorld();
  await done(world, masquerading("add", "10.0.0.0/8"));
  const { error } = await run(world, DEFINITIONS, bringUp("em1"));
  assert(error instanceof UnsupportedNetworkError, String(error));
  const em1 = { ...freebsdWorld() };
  em1.facts = { ...em1.facts, routes: [defaultRoute("em1")] };
  await done(em1, masquerading("add", "10.0.0.0/8"));
  await done(em1, bringUp("em1"));
  const moved = { ...em1, facts: { ...em1.facts, routes: [defaultRoute("re0")] } };
  const { said } = await done(moved, reloadAll);
  assertMatch(
    said.join("\n"),
    /pf cannot keep masqueraded 10\.0\.0\.0\/8 apart from 10\.0\.130\.0\/24/,
  );
});

import { assert, assertEquals, assertMatch } from "@std/assert";
import { HostError } from "../../../core/host.ts";
import { definitionOf } from "../../support/golden.ts";
import type { World } from "../../support/model_host.ts";
import { bringUp, defaultRoute, freebsdWorld, reloadAll, run, takeDownAll } from "./host.ts";

const IP = "<ip address='192.168.122.1' netmask='255.255.255.0'/>";
const DEFINITIONS = {
  default: definitionOf("bsd-default"),
  natnet: definitionOf("bsd-natnet"),
  isolated: `<network><name>default</name><bridge name='virbr0'/>${IP}</network>`,
  routed: definitionOf("bsd-default").replace("mode='nat'", "mode='route'"),
  moved: definitionOf("bsd-default").replaceAll("192.168.122.", "192.168.99."),
};

async function worldWith(...names: readonly (keyof typeof DEFINITIONS)[]): Promise<World> {
  const world = freebsdWorld();
  const { error } = await run(world, DEFINITIONS, bringUp(...names));
  assertEquals(error, undefined);
  return world;
}

const ANCHORS_OF_DEFAULT = ["bridgewall/default", "bridgewall/+default", "bridgewall/~default"];
const LOADS_OF_DEFAULT = ANCHORS_OF_DEFAULT.map((path) => `-a ${path} -f -`);
const FLUSHES_OF_DEFAULT = ANCHORS_OF_DEFAULT.map((path) => `-a ${path} -F all`);

function ends(subnet: string): readonly string[] {
  return [`-M -k ${subnet}`, `-M -k 0.0.0.0/0 -k ${subnet}`];
}

Deno.test("a network that comes up is loaded by one run for each anchor, and old connections end", async () => {
  const world = freebsdWorld();
  const { changes } = await run(world, DEFINITIONS, bringUp("default"));
  assertEquals(changes, [...LOADS_OF_DEFAULT, ...ends("192.168.122.0/24")]);
});

Deno.test("up again and reload load nothing that stands, and no connection ends", async () => {
  const world = await worldWith("default", "natnet");
  assertEquals((await run(world, DEFINITIONS, bringUp("default"))).changes, []);
  assertEquals((await run(world, DEFINITIONS, reloadAll)).changes, []);
  const { changes } = await run(world, DEFINITIONS, bringUp("default", "natnet"));
  assertEquals(changes, []);
});

Deno.test("beside a network that stands another comes up without touching it", async () => {
  const world = await worldWith("default");
  const { changes } = await run(world, DEFINITIONS, bringUp("natnet"));
  assertEquals(changes.filter((line) => /default|192\.168/.test(line)), []);
});

Deno.test("rules that somebody flushed are loaded again, and what began meanwhile ends", async () => {
  const world = await worldWith("default", "natnet");
  world.anchors = new Map([...world.anchors].filter(([path]) => path !== "bridgewall/default"));
  const { changes } = await run(world, DEFINITIONS, reloadAll);
  assertEquals(changes, ["-a bridgewall/default -f -", ...ends("192.168.122.0/24")]);
});

Deno.test("rules that somebody changed are loaded again, and what they let through ends", async () => {
  const world = await worldWith("default");
  const changed = (world.anchors.get("bridgewall/default") ?? "").replace(/^block .*\n/gm, "");
  world.anchors = new Map([...world.anchors, ["bridgewall/default", changed]]);
  const { changes } = await run(world, DEFINITIONS, reloadAll);
  assertEquals(changes, ["-a bridgewall/default -f -", ...ends("192.168.122.0/24")]);
});

Deno.test("a network that gets another mode has its anchors replaced, and connections end", async () => {
  const world = await worldWith("default", "natnet");
  const { changes } = await run(world, DEFINITIONS, bringUp("isolated"));
  assertEquals(changes, [
    "-a bridgewall/default -f -",
    "-a bridgewall/default -t natdst -T kill",
    ...ends("192.168.122.0/24"),
  ]);
  assert(!(world.anchors.get("bridgewall/default") ?? "").includes("natdst"));
});

Deno.test("a network that others may reach now has no guard any more", async () => {
  const world = await worldWith("default");
  const { changes } = await run(world, DEFINITIONS, bringUp("routed"));
  assertEquals(changes.filter((line) => /\/\+default/.test(line)), [
    "-a bridgewall/+default -F all",
  ]);
  assertEquals([...world.anchors.keys()], ["bridgewall/default", "bridgewall/~default"]);
});

Deno.test("a network that gets other addresses ends the connections of the old ones as well", async () => {
  const world = await worldWith("default");
  const { changes } = await run(world, DEFINITIONS, bringUp("moved"));
  assertEquals(changes.slice(0, 3), LOADS_OF_DEFAULT);
  assertEquals(
    changes.slice(3).toSorted(),
    [...ends("192.168.99.0/24"), ...ends("192.168.122.0/24")].toSorted(),
  );
});

Deno.test("reload follows a default route that has changed", async () => {
  const world = await worldWith("default");
  const moved = { ...world, facts: { ...world.facts, routes: [defaultRoute("wlan0")] } };
  const { changes } = await run(moved, DEFINITIONS, reloadAll);
  assertEquals(changes[0], "-a bridgewall/default -f -");
  assertMatch(
    moved.anchors.get("bridgewall/default") ?? "",
    /^nat pass on wlan0 .*\(wlan0\) port/m,
  );
});

Deno.test("without a default route nothing is changed, and it is said what to do", async () => {
  const world = freebsdWorld();
  const lost = { ...world, facts: { ...world.facts, routes: [] } };
  const { changes, error } = await run(lost, DEFINITIONS, bringUp("default"));
  assert(error instanceof HostError);
  assertMatch(error.message, /"default": the host has no default route for IPv4/);
  assertMatch(error.hint ?? "", /Set a default route, or name the interface/);
  assertEquals([changes, lost.files.size], [[], 0]);
});

Deno.test("a network that stands keeps its way while there is no default route, and it is said", async () => {
  const world = await worldWith("default", "natnet");
  const lost = { ...world, facts: { ...world.facts, routes: [] } };
  for (const work of [reloadAll, bringUp("default", "natnet")]) {
    const { changes, error, said } = await run(lost, DEFINITIONS, work);
    assertEquals([changes, error], [[], undefined]);
    assertMatch(
      said.join("\n"),
      /no default route .* translated on "re0", as before until it has one/,
    );
  }
});

Deno.test("an isolated network is not touched when the default route is gone", async () => {
  const world = await worldWith("isolated");
  const lost = { ...world, facts: { ...world.facts, routes: [] } };
  const { changes, said } = await run(lost, DEFINITIONS, reloadAll);
  assertEquals([changes, said], [[], ['Network "default" is up again']]);
});

Deno.test("with its rules gone as well, its guests have no way out until there is a default route", async () => {
  const world = await worldWith("default");
  const lost = { ...world, anchors: new Map(), facts: { ...world.facts, routes: [] } };
  const { error, said } = await run(lost, DEFINITIONS, reloadAll);
  assertEquals(error, undefined);
  assertMatch(said.join("\n"), /its guests reach nothing outside until it has one/);
  const text = lost.anchors.get("bridgewall/default") ?? "";
  assert(!/nat pass|guests-out/.test(text), text);
  assertMatch(text, /\nblock return quick on virbr0 all label "default rejected"\n$/);
  const back = { ...lost, facts: world.facts };
  await run(back, DEFINITIONS, reloadAll);
  assertMatch(back.anchors.get("bridgewall/default") ?? "", /^nat pass on re0 /m);
});

Deno.test("an interrupted command is put right without a default route", async () => {
  const world = await worldWith("default");
  const text = world.files.get("default") ?? "";
  world.files = new Map([["default", text.replace('state="active"', 'state="removing"')]]);
  const lost = { ...world, facts: { ...world.facts, routes: [] } };
  const { error } = await run(lost, DEFINITIONS, bringUp("isolated"));
  assertEquals(error, undefined);
  assertEquals([...lost.anchors.keys()], ANCHORS_OF_DEFAULT);
});

Deno.test("a network that goes takes its rules, tables and connections along, and no others", async () => {
  const world = await worldWith("default", "natnet");
  const before = [...world.anchors].filter(([path]) => path.includes("natnet"));
  const { changes } = await run(world, DEFINITIONS, async (context) => {
    const { down } = await import("../../../core/commands/down.ts");
    return await down(context, { names: ["default"], all: false });
  });
  assertEquals(changes, [...FLUSHES_OF_DEFAULT, ...ends("192.168.122.0/24")]);
  assertEquals([...world.anchors], before);
});

Deno.test("what is gone already is no error on the way down", async () => {
  const world = await worldWith("default", "natnet");
  world.anchors = new Map();
  const { error } = await run(world, DEFINITIONS, takeDownAll);
  assertEquals([error, world.files.size], [undefined, 0]);
});

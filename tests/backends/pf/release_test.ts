/** Commands on FreeBSD 15, where what networks translate stands on both sides of masqueraded prefixes. */
import { assert, assertEquals } from "@std/assert";
import type { Context } from "../../../core/commands/context.ts";
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
  takeDownAll,
} from "./host.ts";

const DEFINITIONS = {
  default: definitionOf("bsd-default"),
  isolated: definitionOf("bsd-default").replace("<forward mode='nat'/>", ""),
};

async function done(world: World, what: (context: Context) => Promise<unknown>): Promise<Ran> {
  const ran = await run(world, DEFINITIONS, what);
  assertEquals(ran.error, undefined);
  return ran;
}

/** The anchors that translate, in the order in which pf visits them, and what they take. */
function translating({ anchors }: World): readonly string[] {
  return [...anchors].toSorted(([one], [other]) => one < other ? -1 : 1)
    .flatMap(([path, text]) =>
      text.split("\n").filter((line) => /^(no )?nat /.test(line))
        .map((line) => `${path}: ${line.split(" -> ")[0]}`)
    );
}

async function worldWith(kernel: string): Promise<World> {
  const world = freebsdWorld(kernel);
  await done(world, bringUp("default"));
  await done(world, masquerading("add", "192.168.0.0/16"));
  return world;
}

const NETWORK = "nat pass on re0 inet from 192.168.122.0/24 to <natdst>";
const PREFIX = "nat on re0 inet from 192.168.0.0/16 to <natdst-192.168.0.0-16>";

Deno.test("a network comes before a prefix around it, where the last decides behind it as well", async () => {
  const once = [`bridgewall/default: ${NETWORK}`, `bridgewall/~+masquerade: ${PREFIX}`];
  assertEquals(translating(await worldWith("14.3-RELEASE")), once);
  assertEquals(translating(await worldWith("15.0-RELEASE")), [
    ...once,
    `bridgewall/~default: ${NETWORK}`,
  ]);
});

Deno.test("what stands on FreeBSD 15 is as it should be, and not loaded again", async () => {
  const world = await worldWith("15.0-RELEASE");
  assertEquals(await drift(world), []);
  assertEquals((await done(world, bringUp("default"))).changes, []);
  assertEquals((await done(world, reloadAll)).changes, []);
});

Deno.test("both translations follow the default route, and go with the mode and the network", async () => {
  const before = await worldWith("15.0-RELEASE");
  const world = { ...before, facts: { ...before.facts, routes: [defaultRoute("wlan0")] } };
  await done(world, reloadAll);
  assert(translating(world).every((line) => line.includes(" on wlan0 ")));
  assertEquals(translating(world).length, 3);
  const { changes } = await done(world, bringUp("isolated"));
  assertEquals(changes.filter((line) => line.includes("-T kill")), [
    "-a bridgewall/default -t natdst -T kill",
  ]);
  assertEquals([translating(world).length, await drift(world)], [1, []]);
  await done(world, takeDownAll);
  await done(world, masquerading("remove", "192.168.0.0/16"));
  assertEquals(describeWorld(world), describeWorld(freebsdWorld("15.0-RELEASE")));
});

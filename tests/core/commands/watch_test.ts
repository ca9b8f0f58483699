import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describeRules, emptyWorld, type Fate, type World } from "../../support/model_host.ts";
import { bridgewall } from "../../support/one_command.ts";
import { watchHost } from "../../support/watched_host.ts";

const MONITOR = "nft monitor";
const FLUSHED = ["delete table inet bridgewall", "# new generation 9 by process 42 (nft)"];

/** Two networks are up, in nftables. */
async function standing(): Promise<World> {
  const world = emptyWorld();
  await bridgewall(world, "--backend=nftables up lan lab");
  return world;
}

function flush(world: World): () => void {
  return () => void (world.ruleset = new Map());
}

Deno.test("what somebody flushes is back at once, and it is said who it was", async () => {
  const world = await standing();
  const before = describeRules(world);
  const host = watchHost(world);
  await host.passes(2);
  await host.passes(0.9, flush(world), FLUSHED);
  assertEquals(describeRules(world), before);
  await host.end();
  assertEquals(host.said, [
    "0.0 Watching",
    '2.0 Put all rules back in 0 ms: Table "inet bridgewall" is missing: nothing is filtered ' +
    "(nft, process 42)",
    "2.9 Stopped",
  ]);
});

Deno.test("what others do to other tables is no reason to look, and a minute is", async () => {
  const world = await standing();
  const host = watchHost(world);
  await host.passes(31);
  await host.passes(50, flush(world), ["delete table inet filter", "add table ip nat"]);
  assertEquals(world.ruleset.size, 0);
  await host.passes(11);
  assert(world.ruleset.size > 0);
  await host.end();
});

Deno.test("what the kernel could not tell is looked for", async () => {
  const world = await standing();
  const host = watchHost(world);
  await host.passes(31);
  await host.passes(1, flush(world), ["# ERROR: We lost some netlink events!"]);
  assert(world.ruleset.size > 0);
  await host.end();
});

Deno.test("what was flushed before a program listens is back all the same", async () => {
  const world = await standing();
  const host = watchHost(world);
  await host.passes(0.1);
  await host.passes(2, flush(world));
  assert(world.ruleset.size > 0);
  await host.end();
});

Deno.test("a program that ends is started again, and what happened meanwhile is found", async () => {
  const world = await standing();
  const host = watchHost(world);
  await host.passes(31);
  host.followed.get(MONITOR)?.(undefined);
  await host.passes(0.1, flush(world));
  assertEquals(world.ruleset.size, 0);
  await host.passes(3);
  assert(host.followed.has(MONITOR));
  assert(world.ruleset.size > 0);
  await host.end();
});

Deno.test("what is followed is what is on record", async () => {
  const world = emptyWorld();
  const host = watchHost(world);
  await host.passes(1);
  assertEquals([...host.followed.keys()], []);
  await bridgewall(world, "--backend=nftables up lan");
  host.recordsChange();
  await host.passes(1);
  assert(host.followed.has(MONITOR));
  await host.passes(1, flush(world), FLUSHED);
  assert(world.ruleset.size > 0);
  await bridgewall(world, "down lan");
  host.recordsChange();
  await host.passes(1);
  assertEquals([...host.followed.keys()], []);
  assertEquals(world.ruleset.size, 0);
  await host.end();
  assertEquals(host.said.length, 3);
});

Deno.test("an interrupted command is put right without waiting for the next one", async () => {
  const world = await standing();
  const before = describeRules(world);
  const [[name = "", text = ""] = []] = world.files;
  world.files.set(name, text.replace('state="active"', 'state="removing"'));
  const host = watchHost(world);
  await host.passes(1);
  assertEquals([...world.files.keys()].length, 1);
  assert(describeRules(world) !== before);
  await host.end();
});

Deno.test("who removes them again and again is told so once, and pauses come before they are back", async () => {
  const world = await standing();
  const host = watchHost(world);
  await host.passes(2);
  for (let round = 0; round < 30; round++) await host.passes(0.05, flush(world), FLUSHED);
  await host.passes(2);
  assert(world.ruleset.size > 0);
  assertEquals(host.said.filter((text) => text.includes("again and again")).length, 1);
  const restored = host.said.filter((text) => text.includes("Put all rules back"));
  assert(restored.length >= 11 && restored.length <= 15, restored.join("\n"));
  await host.passes(30);
  assertEquals(host.said.filter((text) => text.includes("any more")).length, 1);
  await host.end();
});

Deno.test("what the host refuses is told once, and tried again until it works", async () => {
  const world = await standing();
  let isRefused = false;
  const fateOf = (): Fate => isRefused ? "fails" : "works";
  const host = watchHost(world, fateOf);
  await host.passes(2);
  isRefused = true;
  await host.passes(30, flush(world), FLUSHED);
  const failures = host.said.filter((text) => text.includes("Cannot"));
  assertEquals(failures.length, 1, failures.join("\n"));
  isRefused = false;
  await host.passes(61);
  assert(world.ruleset.size > 0);
  await host.end();
});

const LEFT = '<firewall name="fwLeft" backend="iptables"><group><action program=' +
  '"iptables-nft-restore"><args><item>--noflush</item></args><stdin>*filter\nCOMMIT\n</stdin>' +
  "</action></group></firewall>";

Deno.test("what cannot be put back is told once, and what can be is put back all the same", async () => {
  const world = await standing();
  world.missing = new Set(["iptables", "iptables-nft-restore", "iptables-nft-save"]);
  const text = world.files.get("lan") ?? "";
  world.files.set("lan", text.replace("</networkstatus>", `${LEFT}</networkstatus>`));
  const host = watchHost(world);
  await host.passes(2);
  await host.passes(600, flush(world), FLUSHED);
  assert(world.ruleset.size > 0);
  const told = (words: string): number => host.said.filter((one) => one.includes(words)).length;
  assertEquals(told("Cannot put all back"), 1, host.said.join("\n"));
  assertEquals(told("Put rules back"), 1, host.said.join("\n"));
  assertEquals(told("were left behind, because the program"), 1, host.said.join("\n"));
  world.missing = new Set();
  await host.passes(3600);
  assertEquals(told("Put all rules back"), 1, host.said.join("\n"));
  assert(!world.files.get("lan")?.includes("fwLeft"));
  await host.end();
});

Deno.test("who waits for nothing does nothing, whatever there was before", async () => {
  const world = await standing();
  world.missing = new Set(["iptables", "iptables-nft-restore", "iptables-nft-save"]);
  const text = world.files.get("lan") ?? "";
  world.files.set("lan", text.replace("</networkstatus>", `${LEFT}</networkstatus>`));
  let effects = 0;
  const host = watchHost(world, () => {
    effects++;
    return "works";
  });
  await host.passes(31);
  // Somebody else has found a way.
  world.files.set("lan", text);
  await host.passes(600);
  effects = 0;
  await host.passes(600);
  // A look a minute.
  assert(effects <= 11 * 6, `${effects} effects`);
  await host.end();
});

Deno.test("another command that is at work is not waited for with everything else", async () => {
  const world = await standing();
  const host = watchHost(world);
  await host.passes(31);
  const unlock = host.lock();
  await host.passes(5, flush(world), FLUSHED);
  assertEquals(world.ruleset.size, 0);
  unlock();
  await host.passes(0.5);
  assert(world.ruleset.size > 0);
  host.lock();
  await host.passes(1, flush(world), FLUSHED);
  await host.end();
  assertEquals(world.ruleset.size, 0);
  assertEquals(host.said.filter((one) => one.includes("Cannot")), []);
});

Deno.test("a configuration that is not valid leaves all as it was", async () => {
  const world = await standing();
  const host = watchHost(world);
  await host.passes(1);
  host.reload(false);
  await host.passes(1);
  host.reload(true);
  await host.passes(1, flush(world), FLUSHED);
  assert(world.ruleset.size > 0);
  await host.end();
  const [, refused = "", read = ""] = host.said;
  assertStringIncludes(refused, "It is not valid");
  assertStringIncludes(read, "Read the configuration again");
});

import { assertEquals } from "@std/assert";
import { reload } from "../../../core/commands/reload.ts";
import { up } from "../../../core/commands/up.ts";
import { describeRules, emptyWorld, startProcess, type World } from "../../support/model_host.ts";
import { describeRuleset } from "../../support/model_nft.ts";
import {
  bringUp,
  type Ground,
  GROUNDS,
  recordOf,
  reloadAgain,
  takeTurn,
  worldAfter,
} from "../../support/turns.ts";

const [NFTABLES, IPTABLES, LEGACY] = GROUNDS as readonly [Ground, Ground, Ground];

const SIX = "<network><name>six</name><forward mode='route'/><bridge name='virbr0'/>" +
  "<ip family='ipv6' address='fd00::1' prefix='64'/></network>";

Deno.test("reload brings the rules back even where forwarding cannot be switched on", async () => {
  const world = emptyWorld();
  await up(startProcess(world, { six: SIX }).context, { names: ["six"], all: false });
  const rules = describeRuleset(world.ruleset);
  const flushed = {
    ...world,
    ruleset: new Map(),
    facts: {
      ...world.facts,
      forwarding: { ipv4: true, ipv6: false },
      advertised: [{ device: "eth0", acceptRa: 1 }],
    },
  };
  const process = startProcess(flushed, {});
  await reload(process.context, { names: [], all: true });
  assertEquals(describeRuleset(flushed.ruleset), rules);
  const [refused, ...others] = process.said;
  assertEquals(refused?.startsWith("Cannot switch on IPv6 forwarding"), true);
  assertEquals(others, ['Network "six" is up again']);
});

/** What `reload` of all says, and its JSON. */
async function reloaded(
  world: World,
  { backend, variant }: Ground,
): Promise<{ readonly said: readonly string[]; readonly json: unknown }> {
  world.variant = variant ?? world.variant;
  const { context, said } = startProcess(world, {}, undefined, backend);
  const { json } = await reload(context, { names: [], all: true });
  return { said, json };
}

Deno.test("networks that stay in their backend are up again, and nothing more is said", async () => {
  for (const ground of GROUNDS) {
    const world = await worldAfter([{ ground, work: bringUp("nat", "third") }]);
    const { said, json } = await reloaded(world, ground);
    assertEquals(said, ['Network "one" is up again', 'Network "three" is up again']);
    assertEquals(json, { reloaded: ["one", "three"], moved: [], masquerade: false });
  }
});

Deno.test("networks move to the backend that is asked for, and both are told", async () => {
  const world = await worldAfter([
    { ground: NFTABLES, work: bringUp("nat") },
    { ground: IPTABLES, work: bringUp("second") },
  ]);
  const { said, json } = await reloaded(world, IPTABLES);
  assertEquals(said, [
    'Network "one" is up again, and has moved from nftables to iptables',
    'Network "two" is up again',
  ]);
  assertEquals(json, {
    reloaded: ["one", "two"],
    moved: [{ name: "one", from: "nftables", to: "iptables" }],
    masquerade: false,
  });
  const wanted = await worldAfter([{ ground: IPTABLES, work: bringUp("nat", "second") }]);
  assertEquals(describeRules(world), describeRules(wanted));
});

Deno.test("a network without rules moves nowhere", async () => {
  const world = await worldAfter([{ ground: NFTABLES, work: bringUp("open") }]);
  const { said, json } = await reloaded(world, IPTABLES);
  assertEquals(said, ['Network "one" is up again']);
  assertEquals(json, { reloaded: ["one"], moved: [], masquerade: false });
  assertEquals(recordOf(world, "one")?.backend, undefined);
});

Deno.test("when the host's iptables becomes the other variant, reload moves the rules there", async () => {
  for (const [from, to] of [[IPTABLES, LEGACY], [LEGACY, IPTABLES]] as const) {
    const world = await worldAfter([{ ground: from, work: bringUp("nat", "second", "third") }]);
    const { said } = await reloaded(world, to);
    assertEquals(said, ["one", "three", "two"].map((name) => `Network "${name}" is up again`));
    const wanted = await worldAfter([{ ground: to, work: bringUp("nat", "second", "third") }]);
    assertEquals(describeRules(world), describeRules(wanted));
  }
});

Deno.test("a network moves alone, and comes back, without a trace in either backend", async () => {
  for (const from of GROUNDS) {
    const start = await worldAfter([{ ground: from, work: bringUp("nat", "second", "third") }]);
    for (const to of GROUNDS) {
      const world = { ...start, files: new Map(start.files) };
      await takeTurn(world, { ground: to, work: reloadAgain("one") });
      await takeTurn(world, { ground: from, work: reloadAgain("one") });
      assertEquals(describeRules(world), describeRules(start), `${from.name} ${to.name}`);
      assertEquals(world.files, start.files);
    }
  }
});

Deno.test("a reload that asks for no backend moves networks to the first that can be used", async () => {
  const world = await worldAfter([{ ground: IPTABLES, work: bringUp("nat") }]);
  const { context, said } = startProcess(world, {});
  await reload(context, { names: [], all: true });
  assertEquals(said, ['Network "one" is up again, and has moved from iptables to nftables']);
});

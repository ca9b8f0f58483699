import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Program } from "../../../core/command.ts";
import {
  copyWorld,
  describeRules,
  describeWorld,
  type FateOf,
  type World,
} from "../../support/model_host.ts";
import {
  bringUp,
  type Ground,
  GROUNDS,
  recordOf,
  reloadAgain,
  takeDown,
  takeTurn,
  type Turn,
  worldAfter,
} from "../../support/turns.ts";

const [NFTABLES, IPTABLES, LEGACY] = GROUNDS as readonly [Ground, Ground, Ground];

const NAMES = ["one", "two", "three"];
const THREE = bringUp("nat", "second", "third");

/** Every world that a command leaves when it is killed, as far as a record tells of it. */
async function* interruptions(before: readonly Turn[], turn: Turn): AsyncGenerator<World> {
  const start = await worldAfter(before);
  for (let effect = 0;; effect++) {
    const world = copyWorld(start);
    const { effects } = await takeTurn(
      world,
      turn,
      (one) => one === effect ? "dies before" : "works",
    );
    if (effects <= effect) return;
    if (interrupted(world).length > 0) yield world;
  }
}

/** The networks whose record is not as it should be. */
function interrupted(world: World): readonly string[] {
  return NAMES.filter((name) => (recordOf(world, name)?.state ?? "active") !== "active");
}

/** The next command, which has nothing to do itself. */
async function next(world: World, ground: Ground): Promise<readonly string[]> {
  const { said } = await takeTurn(world, { ground, work: takeDown("nobody") });
  assertEquals(interrupted(world), []);
  // Scripts of iptables do not say "if it is not there yet", so a part that stands is in the way.
  return said.filter((text) =>
    text !== 'Network "nobody" was not active' &&
    (world.tables.size === 0 || !text.startsWith("All rules were made anew"))
  );
}

function sentences(names: readonly string[], text: string): readonly string[] {
  return names.toSorted().map((name) => text.replace("NAME", `network "${name}"`));
}

const MOVES: readonly (readonly [Ground, Ground])[] = [
  [NFTABLES, IPTABLES],
  [NFTABLES, LEGACY],
  [IPTABLES, NFTABLES],
  [IPTABLES, LEGACY],
  [LEGACY, IPTABLES],
];

for (const [from, to] of MOVES) {
  Deno.test(`a move from ${from.name} to ${to.name} that was interrupted is finished`, async () => {
    const before = [{ ground: from, work: THREE }];
    const turn = { ground: to, work: reloadAgain() };
    let count = 0;
    for await (const world of interruptions(before, turn)) {
      count++;
      const names = interrupted(world);
      assertEquals(
        await next(world, to),
        sentences(
          names,
          `Finished moving NAME to the backend ${to.backend}: an earlier command was interrupted`,
        ),
      );
      for (const name of names) assertEquals(recordOf(world, name)?.backend, to.backend);
    }
    assert(count > 2, `only ${count} interruptions`);
  });
}

/** What is missing when the move is to be finished. */
const MISSING: Readonly<Record<string, readonly Program[]>> = {
  "the program that takes its rules is gone": ["iptables-nft-restore"],
  "all of its programs are gone": [
    ...["iptables", "iptables-nft-restore", "iptables-nft-save"] as const,
    ...["ip6tables-nft-restore", "ip6tables-nft-save"] as const,
  ],
};

for (const [says, missing] of Object.entries(MISSING)) {
  Deno.test(`a move to a backend that cannot be used any more is taken back: ${says}`, async () => {
    const before = [{ ground: NFTABLES, work: THREE }];
    const start = await worldAfter(before);
    const turn = { ground: IPTABLES, work: reloadAgain() };
    for await (const world of interruptions(before, turn)) {
      const names = interrupted(world);
      world.missing = new Set(missing);
      const said = await next(world, NFTABLES);
      assertStringIncludes(said.join("\n"), "So the move to another backend is taken back");
      assertEquals(
        said.filter((text) => text.startsWith("Took back")),
        sentences(names, "Took back an interrupted change of NAME"),
      );
      for (const name of names) {
        assertEquals(recordOf(world, name)?.backend, "nftables");
        assert(describeRules(world).includes(`"${name}: replies to guests"`) || name === "three");
      }
      if (names.length < NAMES.length) continue;
      assertEquals(describeRules({ ...world, tables: new Map() }), describeRules(start));
    }
  });
}

for (const ground of GROUNDS) {
  Deno.test(`networks of ${ground.name} that were being taken down are gone`, async () => {
    const before = [{ ground, work: THREE }];
    for await (const world of interruptions(before, { ground, work: takeDown() })) {
      const names = interrupted(world);
      assertEquals(
        await next(world, ground),
        sentences(names, "Finished taking down NAME: an earlier command was interrupted"),
      );
      for (const name of names) assertEquals(recordOf(world, name), undefined);
    }
  });

  Deno.test(`a network of ${ground.name} that was being brought up again is as before`, async () => {
    const before = [{ ground, work: THREE }];
    const start = await worldAfter(before);
    for await (const world of interruptions(before, { ground, work: bringUp("route") })) {
      assertEquals(await next(world, ground), ['Took back an interrupted change of network "one"']);
      assertEquals(describeWorld(world), describeWorld(start));
    }
  });

  Deno.test(`a network of ${ground.name} that was being brought up is gone`, async () => {
    const before = [{ ground, work: bringUp("second") }];
    const start = await worldAfter(before);
    for await (const world of interruptions(before, { ground, work: bringUp("nat") })) {
      assertEquals(await next(world, ground), ['Took back an interrupted change of network "one"']);
      assertEquals(describeWorld(world), describeWorld(start));
    }
  });
}

/** To ask a firewalld that does not run counts for nothing. */
function diesAfter(last: number): FateOf {
  let count = -1;
  return (_, command) => {
    if (command?.program !== "busctl") count++;
    return count > last ? "dies before" : "works";
  };
}

Deno.test("a move and other changes that were interrupted one after the other are all put right", async () => {
  const world = await worldAfter([
    { ground: NFTABLES, work: bringUp("nat", "second") },
    { ground: IPTABLES, work: bringUp("third") },
  ]);
  const moved = await worldAfter([
    { ground: NFTABLES, work: bringUp("second") },
    { ground: IPTABLES, work: bringUp("nat", "third") },
  ]);
  const move = { ground: IPTABLES, work: reloadAgain("one") };
  await takeTurn(world, move, diesAfter(6));
  const down = copyWorld(world);
  await takeTurn(down, { ground: IPTABLES, work: takeDown("two") }, diesAfter(10));
  for (const one of [world, down]) {
    await next(one, IPTABLES);
    assertEquals(describeRules(one), describeRules(moved));
  }
});

Deno.test("where somebody has edited the tables meanwhile, the next command still puts all right", async () => {
  for (const ground of [IPTABLES, LEGACY]) {
    const before = [{ ground, work: bringUp("nat", "second") }];
    const wanted = await worldAfter([{ ground, work: bringUp("second") }]);
    for await (const world of interruptions(before, { ground, work: takeDown("one") })) {
      world.tables = new Map([...world.tables].map(([program, tables]) => [
        program,
        new Map([...tables].filter(([table]) => table !== "nat")),
      ]));
      await next(world, ground);
      assertEquals(describeWorld(world), describeWorld(wanted));
    }
  }
});

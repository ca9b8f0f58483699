import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { check } from "../../../core/commands/check.ts";
import type { Context } from "../../../core/commands/context.ts";
import type { Program } from "../../../core/command.ts";
import { type Leftover, RecordError } from "../../../core/record/record.ts";
import { copyWorld, describeRules, startProcess, type World } from "../../support/model_host.ts";
import {
  bringUp,
  type Ground,
  GROUNDS,
  recordOf,
  reloadAgain,
  takeDown,
  takeTurn,
  worldAfter,
} from "../../support/turns.ts";

const [NFTABLES, IPTABLES] = GROUNDS as readonly [Ground, Ground];

/** What goes with the package. */
const PACKAGE: readonly Program[] = [
  "iptables",
  ...["nft", "legacy"].flatMap((variant) =>
    ["iptables", "ip6tables"].flatMap((name) =>
      ["save", "restore"].map((what) => `${name}-${variant}-${what}` as Program)
    )
  ),
];

/** Two networks came up with iptables, and were reloaded with nftables once iptables was gone. */
async function movedWorld(...names: readonly string[]): Promise<World> {
  const world = await worldAfter([{ ground: IPTABLES, work: bringUp("nat", "second") }]);
  world.missing = new Set(PACKAGE);
  await takeTurn(world, { ground: NFTABLES, work: reloadAgain(...names) });
  return world;
}

function leftOf(world: World, name: string): readonly Leftover[] {
  return recordOf(world, name)?.left ?? [];
}

/** All that the model holds of iptables, as text. */
function rulesOfIptables(world: World): string {
  return describeRules({ ...world, ruleset: new Map() }).trim();
}

/** What `check` says of a world in which the backends find nothing else. */
async function checked(world: World): Promise<readonly string[]> {
  const { context } = startProcess(world, {});
  const quiet: Context = {
    ...context,
    backends: context.backends.map((backend) => ({
      ...backend,
      inspect: () => Promise.resolve({ networks: [], drift: [] }),
    })),
  };
  const { text, exitCode } = await check(quiet, { names: [], all: true });
  assertEquals(exitCode, text.length === 0 ? 0 : 3);
  return text;
}

Deno.test("networks leave a backend whose program is gone, and are told what stays behind", async () => {
  const world = await worldAfter([{ ground: IPTABLES, work: bringUp("nat", "second") }]);
  const before = rulesOfIptables(world);
  world.missing = new Set(PACKAGE);
  const { said } = await takeTurn(world, { ground: NFTABLES, work: reloadAgain() });
  const [ip6tables = "", iptables = "", ...notes] = said;
  for (const [warning, program] of [[ip6tables, "ip6tables"], [iptables, "iptables"]] as const) {
    const [first, ...script] = warning.split("\n");
    assertEquals(
      first,
      `Rules were left behind, because the program "${program}-nft-restore" is not installed. To ` +
        `remove them, install it and run \`${program}-nft-restore --noflush --wait=60\` with this ` +
        "input:",
    );
    assertEquals([script[0], script.at(-1)], ["  *filter", "  COMMIT"]);
    assert(script.includes("  -X BWALL_FROM_virbr0"), warning);
    assert(script.includes("  -X BRIDGEWALL_FROM"), warning);
  }
  assertEquals(
    notes,
    ["one", "two"].map((name) =>
      `Network "${name}" is up again, and has moved from iptables to nftables`
    ),
  );
  assertEquals(rulesOfIptables(world), before);
  assert(describeRules(world).includes("chain from-virbr0"));
});

Deno.test("the script that was told takes away what was left behind", async () => {
  const world = await worldAfter([{ ground: IPTABLES, work: bringUp("nat", "second") }]);
  world.missing = new Set(PACKAGE);
  const { said } = await takeTurn(world, { ground: NFTABLES, work: reloadAgain() });
  world.missing = new Set();
  const { host } = startProcess(world, {}).context;
  for (const warning of said.filter((text) => text.startsWith("Rules were left"))) {
    const [first = "", ...script] = warning.split("\n");
    const [program = "", ...args] = /`([^`]*)`/.exec(first)?.[1]?.split(" ") ?? [];
    const stdin = script.map((line) => `${line.slice(2)}\n`).join("");
    const { status, stderr } = await host.run({ program: program as Program, args, stdin });
    assertEquals([status, stderr], [0, ""]);
  }
  assertEquals(rulesOfIptables(world), "");
});

Deno.test("what was left behind is on record, and a drift until it is gone", async () => {
  const world = await movedWorld();
  for (const name of ["one", "two"]) {
    assertEquals(recordOf(world, name)?.backend, "nftables");
    assertEquals(leftOf(world, name).map(({ backend }) => backend), ["iptables"]);
  }
  assertEquals(
    await checked(world),
    ["one", "two"].map((name) =>
      `Network "${name}": Rules of the backend "iptables" were left behind, because its program ` +
      "was gone"
    ),
  );
});

Deno.test("each reload tries again, and keeps in mind what does not go", async () => {
  const world = await movedWorld();
  const [one, two] = [leftOf(world, "one"), leftOf(world, "two")];
  const { said } = await takeTurn(world, { ground: NFTABLES, work: reloadAgain() });
  assertEquals(said.filter((text) => text.startsWith("Rules were left behind")).length, 2);
  assertEquals([leftOf(world, "one"), leftOf(world, "two")], [one, two]);
});

Deno.test("once the program is back, a reload takes away what was left behind, and forgets it", async () => {
  const world = await movedWorld();
  world.missing = new Set();
  const { said } = await takeTurn(world, { ground: NFTABLES, work: reloadAgain() });
  assertEquals(said, ["one", "two"].map((name) => `Network "${name}" is up again`));
  assertEquals([rulesOfIptables(world), leftOf(world, "one"), leftOf(world, "two")], ["", [], []]);
  assertEquals(await checked(world), []);
});

Deno.test("what two networks left behind goes with each of them, and what they shared with the last", async () => {
  const world = await movedWorld();
  world.missing = new Set();
  await takeTurn(world, { ground: NFTABLES, work: reloadAgain("one") });
  assertEquals([leftOf(world, "one").length, leftOf(world, "two").length], [0, 1]);
  const rest = rulesOfIptables(world);
  assertEquals([rest.includes("virbr0"), rest.includes("virbr1")], [false, true]);
  await takeTurn(world, { ground: NFTABLES, work: takeDown("two") });
  assertEquals(rulesOfIptables(world), "");
});

Deno.test("a network that goes for good says what it leaves behind", async () => {
  const world = await movedWorld();
  const { said } = await takeTurn(world, { ground: NFTABLES, work: takeDown() });
  assertEquals(world.files.size, 0);
  assertStringIncludes(said.join("\n"), 'the program "iptables-nft-restore" is not installed');
});

Deno.test("a record that cannot be written forgets nothing of what was left behind", async () => {
  const start = await movedWorld();
  for (let effect = 0;; effect++) {
    const world = copyWorld(start);
    const { error, effects } = await takeTurn(
      world,
      { ground: NFTABLES, work: reloadAgain("one") },
      (one) => one === effect ? "fails" : "works",
    );
    if (effects <= effect) break;
    if (!(error instanceof RecordError)) continue;
    assertEquals(leftOf(world, "one"), leftOf(start, "one"), `effect ${effect}`);
  }
});

Deno.test("when all rules are made anew, nothing of what was left behind is forgotten", async () => {
  const world = await movedWorld();
  const left = [leftOf(world, "one"), leftOf(world, "two")];
  // Somebody has sent the packets of one network elsewhere.
  const elsewhere = ['"virbr0" : jump to-virbr0'];
  world.ruleset = new Map([...world.ruleset, ["map from_bridge", elsewhere]]);
  const { said } = await takeTurn(world, { ground: NFTABLES, work: reloadAgain("one") });
  assertStringIncludes(said.join("\n"), "All rules were made anew");
  assertEquals([leftOf(world, "one"), leftOf(world, "two")], left);
});

Deno.test("a network that comes back to a program keeps its rules, whoever took away the old ones", async () => {
  const wanted = await worldAfter([{ ground: IPTABLES, work: bringUp("nat", "second") }]);
  for (const byHand of [false, true]) {
    const world = await movedWorld();
    world.missing = new Set();
    if (byHand) world.tables = new Map();
    await takeTurn(world, { ground: IPTABLES, work: reloadAgain() });
    assertEquals(describeRules(world), describeRules(wanted), byHand ? "by hand" : "by nobody");
    assertEquals([leftOf(world, "one"), leftOf(world, "two")], [[], []]);
  }
});

Deno.test("what a network shares that stays with the program is not left behind", async () => {
  const world = await movedWorld("one");
  world.missing = new Set();
  const { said } = await takeTurn(world, { ground: NFTABLES, work: reloadAgain("one") });
  assertEquals(said, ['Network "one" is up again']);
  const rest = rulesOfIptables(world);
  assertEquals([rest.includes("virbr0"), rest.includes("virbr1")], [false, true]);
  const alone = await worldAfter([{ ground: IPTABLES, work: bringUp("second") }]);
  assertEquals(rest, rulesOfIptables(alone));
});

Deno.test("rules are left behind knowingly also when all others are made anew", async () => {
  const world = await worldAfter([
    { ground: IPTABLES, work: bringUp("nat") },
    { ground: NFTABLES, work: bringUp("second") },
  ]);
  const elsewhere = ['"virbr1" : jump to-virbr1'];
  world.ruleset = new Map([...world.ruleset, ["map from_bridge", elsewhere]]);
  world.missing = new Set(PACKAGE);
  const { said } = await takeTurn(world, { ground: NFTABLES, work: reloadAgain() });
  assertStringIncludes(said.join("\n"), "All rules were made anew");
  assertStringIncludes(said.join("\n"), "Rules were left behind");
  assertEquals(leftOf(world, "one").map(({ backend }) => backend), ["iptables"]);
});

import { assert, assertEquals } from "@std/assert";
import type { Context } from "../../../core/commands/context.ts";
import { down } from "../../../core/commands/down.ts";
import { reload } from "../../../core/commands/reload.ts";
import { up } from "../../../core/commands/up.ts";
import { HostError } from "../../../core/host.ts";
import { RecordError } from "../../../core/record/record.ts";
import {
  emptyWorld,
  type Fate,
  Killed,
  startProcess,
  type World,
} from "../../support/model_host.ts";
import { describeRuleset } from "../../support/model_nft.ts";

const DEFINITIONS = {
  nat: definition("one", "nat", 0),
  route: definition("one", "route", 0),
  macvtap: "<network><name>one</name><forward mode='bridge'/><bridge name='br9'/></network>",
  second: definition("two", "nat", 1),
  third: definition("three", "isolated", 2),
};

function definition(name: string, mode: string, number: number): string {
  const forward = mode === "isolated" ? "" : `<forward mode='${mode}'/>`;
  return `<network><name>${name}</name>${forward}<bridge name='virbr${number}'/>` +
    `<ip address='10.0.${number}.1' prefix='24'><dhcp>` +
    `<range start='10.0.${number}.9' end='10.0.${number}.99'/></dhcp></ip></network>`;
}

type Work = (context: Context) => Promise<unknown>;

/** What stands before, and the command that is disturbed. */
const CASES: readonly { readonly says: string; readonly before: Work[]; readonly work: Work }[] = [
  { says: "up of the first network", before: [], work: bringUp("nat") },
  { says: "up of three networks", before: [], work: bringUp("nat", "second", "third") },
  { says: "up beside another", before: [bringUp("second")], work: bringUp("nat") },
  { says: "up again", before: [bringUp("nat", "second")], work: bringUp("nat") },
  { says: "up with a new mode", before: [bringUp("nat", "third")], work: bringUp("route") },
  { says: "up without rules", before: [bringUp("nat", "third")], work: bringUp("macvtap") },
  { says: "down of one of two", before: [bringUp("nat", "second")], work: takeDown("one") },
  { says: "down of the last", before: [bringUp("nat")], work: takeDown("one") },
  { says: "down of all", before: [bringUp("nat", "second", "third")], work: takeDown() },
  {
    says: "reload",
    before: [bringUp("nat", "second", "third")],
    work: (context) => reload(context, { names: [], all: true }),
  },
];

function bringUp(...names: (keyof typeof DEFINITIONS)[]): Work {
  return (context) => up(context, { names, all: false });
}

function takeDown(...names: string[]): Work {
  return (context) => down(context, { names, all: names.length === 0 });
}

async function worldAfter(works: readonly Work[]): Promise<World> {
  const world = emptyWorld();
  for (const work of works) await work(startProcess(world, DEFINITIONS).context);
  return world;
}

function copy(world: World): World {
  return { ...world, files: new Map(world.files) };
}

/** Rules and records as text. */
function describe({ ruleset, files }: World): string {
  const records = [...files].toSorted(([one], [other]) => one < other ? -1 : 1).flat();
  return [describeRuleset(ruleset), ...records].join("\n");
}

/** Runs the command once for every effect that it has, each of them meeting that fate. */
async function disturb(
  { before, work }: (typeof CASES)[number],
  fate: Fate,
  afterwards: (world: World, error: unknown) => Promise<void>,
  lasting = false,
): Promise<number> {
  const start = await worldAfter(before);
  for (let effect = 0;; effect++) {
    const world = copy(start);
    const process = startProcess(
      world,
      DEFINITIONS,
      (one) => one === effect || (lasting && one > effect) ? fate : "works",
    );
    const error = await work(process.context).then(() => undefined, (thrown) => thrown);
    if (process.effects() <= effect) return effect;
    await afterwards(world, error);
  }
}

/** The next command puts things right; then every network is as before or as wanted, and its rules are. */
async function assertWhole(world: World, start: World, end: World): Promise<void> {
  await takeDown("nobody")(startProcess(world, DEFINITIONS).context);
  for (const name of ["one", "two", "three"]) {
    const record = world.files.get(name);
    assert(record === start.files.get(name) || record === end.files.get(name), record);
  }
  assertEquals(describeRuleset(world.ruleset), await promised(world));
}

/** The rules that the records of the world promise, made from nothing. */
async function promised({ files, facts }: World): Promise<string> {
  const world = { ...emptyWorld(facts), files: new Map(files) };
  await reload(startProcess(world, DEFINITIONS).context, { names: [], all: true });
  return describeRuleset(world.ruleset);
}

for (const one of CASES) {
  for (const fate of ["dies before", "dies after"] as const) {
    Deno.test(`a process that ${fate} any effect of ${one.says} leaves nothing half-done`, async () => {
      const [start, end] = [
        await worldAfter(one.before),
        await worldAfter([...one.before, one.work]),
      ];
      const effects = await disturb(one, fate, async (world, error) => {
        assert(error instanceof Killed, String(error));
        await assertWhole(world, start, end);
      });
      assert(effects > 2, `only ${effects} effects`);
    });
  }

  Deno.test(`a failure of any effect of ${one.says} leaves the host as before, or as wanted`, async () => {
    const [start, end] = [
      await worldAfter(one.before),
      await worldAfter([...one.before, one.work]),
    ];
    await disturb(one, "fails", (world, error) => {
      assert(
        error === undefined || error instanceof HostError || error instanceof RecordError,
        String(error),
      );
      const outcome = describe(world);
      // Without its optional step, a network has nothing that would take that step back.
      const essential = (text: string): string =>
        text.replace(/ *<group ignoreErrors="yes">[^]*?<\/group>\n/g, "");
      if (error === undefined) assertEquals(essential(outcome), essential(describe(end)));
      else assertEquals(outcome, describe(start));
      return Promise.resolve();
    });
  });
}

for (const one of CASES) {
  Deno.test(`when nothing works any more during ${one.says}, the next command mends it`, async () => {
    const [start, end] = [
      await worldAfter(one.before),
      await worldAfter([...one.before, one.work]),
    ];
    await disturb(one, "fails", async (world, error) => {
      assert(error instanceof HostError || error instanceof RecordError, String(error));
      await assertWhole(world, start, end);
    }, true);
  });
}

Deno.test("a process killed twice while putting things right still leaves nothing half-done", async () => {
  const start = await worldAfter([bringUp("nat", "second")]);
  const world = copy(start);
  const dying = startProcess(world, DEFINITIONS, (effect) => effect === 1 ? "dies after" : "works");
  await bringUp("route")(dying.context).catch(() => {});
  for (const fate of ["dies before", "dies after"] as const) {
    const helper = startProcess(world, DEFINITIONS, (effect) => effect === 0 ? fate : "works");
    await takeDown("nobody")(helper.context).catch(() => {});
  }
  await takeDown("nobody")(startProcess(world, DEFINITIONS).context);
  assertEquals(describe(world), describe(start));
});

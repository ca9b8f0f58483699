/** Commands in a world in memory that are disturbed at every one of their effects. */
import { assert, assertEquals } from "@std/assert";
import { stringify } from "@std/xml";
import type { RemovalGroup } from "../../core/change/change.ts";
import { NoBackendError } from "../../core/firewall_backend.ts";
import { HostError } from "../../core/host.ts";
import { RecordError } from "../../core/record/record.ts";
import { formatRecord, parseRecord } from "../../core/record/record_xml.ts";
import {
  copyWorld,
  describeRules,
  describeWorld,
  emptyWorld,
  type Fate,
  type FateOf,
  type World,
} from "./model_host.ts";
import {
  type Ground,
  GROUNDS,
  PF,
  recordOf,
  reloadAgain,
  takeDown,
  takeTurn,
  type Turn,
  worldAfter,
} from "./turns.ts";

/** What stands before, and the command that is disturbed. */
export interface Case {
  readonly says: string;
  readonly before: readonly Turn[];
  readonly turn: Turn;
}

/** Before and after a command that works. */
export interface Frame extends Case {
  readonly start: World;
  readonly end: World;
}

const FRAMES = new Map<Case, Promise<Frame>>();

/** The frame of a case. */
export function frameOf(one: Case): Promise<Frame> {
  const frame = FRAMES.get(one) ?? makeFrame(one);
  FRAMES.set(one, frame);
  return frame;
}

async function makeFrame(one: Case): Promise<Frame> {
  const [start, end] = [await worldAfter(one.before), await worldAfter([...one.before, one.turn])];
  return { ...one, start, end };
}

/** What becomes of a run that is disturbed at the effect with this number. */
export type Disturbance = (effect: number) => FateOf;

/** One effect meets that fate. */
export function once(fate: Fate): Disturbance {
  return (effect) => (one) => one === effect ? fate : "works";
}

/** One effect and all that come after it meet that fate. */
export function lasting(fate: Fate): Disturbance {
  return (effect) => (one) => one >= effect ? fate : "works";
}

/**
 * Runs the command once for every effect that it has, each of them disturbed. What comes to the same as
 * before is not judged again: most effects are questions.
 */
export async function disturb(
  { start, turn }: Frame,
  disturbance: Disturbance,
  afterwards: (world: World, error: unknown) => Promise<void>,
): Promise<number> {
  const judged = new Set<string>();
  for (let effect = 0;; effect++) {
    const world = copyWorld(start);
    const { error, effects } = await takeTurn(world, turn, disturbance(effect));
    if (effects <= effect) return effect;
    const kind = error instanceof Error ? error.constructor.name : String(error);
    const outcome = `${kind}\n${describeWorld(world)}`;
    if (!judged.has(outcome)) await afterwards(world, error);
    judged.add(outcome);
  }
}

/** What a command may end with when the host does not let it go on. */
export function isRefusal(error: unknown): boolean {
  return [HostError, RecordError, NoBackendError].some((kind) => error instanceof kind);
}

/** The next command puts things right. */
export async function assertMended(world: World, frame: Frame): Promise<void> {
  await takeTurn(world, { ground: frame.turn.ground, work: takeDown("nobody") });
  await assertWhole(world, frame);
}

/** Every network is as before or as wanted, its rules are there, and no others. */
export async function assertWhole(world: World, frame: Frame): Promise<void> {
  assertRecords(world, frame, [frame.start, frame.end]);
  assertEquals(describeRules(world), describeRules(await promised(world)));
}

/** The same, but for what networks can do without; of that, too, no rule is unknown. */
export async function assertUsable(world: World, frame: Frame): Promise<void> {
  assertRecords(essentials(world), frame, [frame.start, frame.end].map(essentials));
  const right = essentials(await promised(world));
  assertEquals(describeRules(essentials(world)), describeRules(right));
  const bare = copyWorld(world);
  const { said } = await takeTurn(bare, { ground: frame.turn.ground, work: takeDown() });
  assertEquals(said.filter((text) => !/^Network "\w+" is down$/.test(text)), []);
  assertEquals(describeWorld(bare), "");
}

/** Every network is as wanted, but for what it can do without. */
export async function assertDone(world: World, frame: Frame): Promise<void> {
  await assertUsable(world, frame);
  assertRecords(essentials(world), frame, [essentials(frame.end)]);
  for (const name of NAMES) {
    const [before, after, now] = [frame.start, frame.end, world].map((one) => placeIn(one, name));
    if (after !== before) assertEquals(now, after);
  }
}

function assertRecords(world: World, frame: Frame, right: readonly World[]): void {
  for (const name of NAMES) {
    const record = recordIn(world, name, frame);
    assert(right.some((one) => recordIn(one, name, frame) === record), record);
  }
}

const NAMES = ["one", "two", "three"];

/** The record as text; where networks move, without the place that they have moved to. */
function recordIn(world: World, name: string, { before, turn }: Frame): string {
  const record = recordOf(world, name);
  const moves = before.some(({ ground }) => ground !== turn.ground);
  if (record === undefined || !moves) return world.files.get(name) ?? "";
  const { state, network, previous, left } = record;
  return [state, stringify(network), previous ?? "", left ?? ""].join(" ");
}

/** Where a record says that its rules are. */
function placeIn(world: World, name: string): Ground | undefined {
  const { backend, removal = [] } = recordOf(world, name) ?? {};
  const programs = removal.flatMap(({ commands }) => commands).map(({ program }) => program);
  return [...GROUNDS, PF].find(({ backend: own, variant }) =>
    own === backend &&
    (variant === undefined || programs.some((program) => program.includes(`-${variant}-`)))
  );
}

/** The world without what networks can do without: the repair of checksums, IPv6 that nobody uses. */
function essentials(world: World): World {
  const tables = [...world.tables].filter(([program]) => !program.startsWith("ip6"))
    .map(([program, own]) =>
      [program, new Map([...own].filter(([table]) => table !== "mangle"))] as const
    );
  const isEssential = ({ commands, ignoreErrors }: RemovalGroup): boolean =>
    !ignoreErrors &&
    commands.some(({ program, stdin }) =>
      !program.startsWith("ip6") && stdin?.startsWith("*mangle") !== true
    );
  const files = [...world.files].map(([name, text]) => {
    const record = parseRecord(text, name);
    return [
      name,
      formatRecord({ ...record, removal: record.removal.filter(isEssential) }),
    ] as const;
  });
  return { ...world, tables: new Map(tables), files: new Map(files) };
}

const PROMISES = new Map<string, Promise<World>>();

/** The world with the rules that its records promise, made from nothing. */
function promised({ files }: World): Promise<World> {
  const key = [...files].toSorted().flat().join("\0");
  const promise = PROMISES.get(key) ?? makePromised(files);
  PROMISES.set(key, promise);
  return promise;
}

async function makePromised(files: World["files"]): Promise<World> {
  const made = { ...emptyWorld(), files };
  for (const ground of [...GROUNDS, PF]) {
    const own = [...files].filter(([name]) => placeIn(made, name) === ground);
    const world = { ...emptyWorld(), files: new Map(own) };
    await takeTurn(world, { ground, work: reloadAgain() });
    if (ground === PF) made.anchors = world.anchors;
    else if (ground.variant === undefined) made.ruleset = world.ruleset;
    made.tables = new Map([...made.tables, ...world.tables]);
  }
  return made;
}

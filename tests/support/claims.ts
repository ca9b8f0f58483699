/** What must be true of a world in memory after a command that was disturbed. */
import { assert, assertEquals } from "@std/assert";
import { stringify } from "@std/xml";
import type { RemovalGroup } from "../../core/change/change.ts";
import { formatSubnet } from "../../core/address.ts";
import { recordedPrefixes } from "../../core/policy/masquerade.ts";
import { MASQUERADE } from "../../core/policy/policy.ts";
import { formatRecord, parseRecord } from "../../core/record/record_xml.ts";
import type { Frame } from "./disturbance.ts";
import { describeFirewalld } from "./firewalld_listing.ts";
import {
  type Firewalld,
  installedFirewalld,
  startFirewalld,
  stopFirewalld,
} from "./model_firewalld.ts";
import { copyWorld, describeRules, describeWorld, emptyWorld, type World } from "./model_host.ts";
import { assertRightPorts, STILL_OPEN } from "./port_claims.ts";
import {
  FIREWALLD,
  type Ground,
  GROUNDS,
  masqueradeAgain,
  PF,
  recordOf,
  reloadAgain,
  takeDown,
  takeTurn,
} from "./turns.ts";

/** The next command puts things right. */
export async function assertMended(world: World, frame: Frame): Promise<void> {
  await takeTurn(world, { ground: frame.turn.ground, work: takeDown("nobody") });
  await assertWhole(world, frame);
  if (!world.firewalld.running) return;
  const { bare, said } = await takeAllDown(world, frame);
  assertEquals(said, []);
  assertEquals(describeWorld(bare), describeWorld(originOf(frame, bare)));
}

/** Every network is as before or as wanted, its rules are there, and no others. */
export async function assertWhole(world: World, frame: Frame): Promise<void> {
  assertRecords(world, frame, [frame.start, frame.end]);
  assertRightPorts(world);
  assertEquals(describeRules(world), describeRules(await promised(world, frame)));
}

/** The same, but for what networks can do without; of that, too, no rule is unknown. */
export async function assertUsable(
  world: World,
  frame: Frame,
  warnings: readonly string[] = [],
): Promise<void> {
  assertRecords(essentials(world), frame, [frame.start, frame.end].map(essentials));
  assertRightPorts(world, warnings);
  const wanted = essentials(await promised(world, frame));
  assertEquals(describeRules(essentials(world)), describeRules(wanted));
  const { bare, said } = await takeAllDown(world, frame);
  assertEquals(said, []);
  // Only then something may stay as it is.
  const isWarned = warnings.some((text) =>
    text.startsWith("A bridge could not be put back") || text.startsWith(STILL_OPEN)
  );
  const [left, right] = [bare, originOf(frame, bare)].map((one) =>
    isWarned ? essentials(one) : one
  );
  assertEquals(left && describeWorld(left), right && describeWorld(right));
}

/** The world without any network, and what was said beside that. */
async function takeAllDown(
  world: World,
  { turn: { ground } }: Frame,
): Promise<{ readonly bare: World; readonly said: readonly string[] }> {
  const bare = copyWorld(world);
  const { said } = await takeTurn(bare, { ground, work: takeDown() });
  const more = await forgetPrefixes(bare, ground);
  return {
    bare,
    said: [...said, ...more].filter((text) => !USUAL.test(text)),
  };
}

/** Prefixes are removed where they are, whatever else would be used. */
async function forgetPrefixes(world: World, ground: Ground): Promise<readonly string[]> {
  const record = recordOf(world, MASQUERADE);
  if (record === undefined) return [];
  const held = [...GROUNDS, FIREWALLD, PF].find(({ backend }) => backend === record.backend);
  const prefixes = recordedPrefixes(record).map(formatSubnet);
  const { said } = await takeTurn(world, {
    ground: { ...ground, backend: held?.backend ?? ground.backend },
    work: masqueradeAgain("remove", ...prefixes),
  });
  return said;
}

const USUAL = /^(Network "\w+" is down$|Put back what|\S+ is not masqueraded any more$)/;

/** The host as it was before any command. */
function originOf({ origin = emptyWorld() }: Frame, { firewalld: { running } }: World): World {
  const { firewalld } = origin;
  const now = running ? startFirewalld(firewalld) : stopFirewalld(firewalld);
  return { ...origin, firewalld: now };
}

/** Every network is as wanted, but for what it can do without. */
export async function assertDone(
  world: World,
  frame: Frame,
  said: readonly string[] = [],
): Promise<void> {
  await assertUsable(world, frame, said);
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

const NAMES = ["one", "two", "three", MASQUERADE];

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
  return [FIREWALLD, ...GROUNDS, PF].find(({ backend: own, variant }) =>
    own === backend &&
    (variant === undefined || programs.some((program) => program.includes(`-${variant}-`)))
  );
}

/**
 * The world without what networks can do without: the repair of checksums, IPv6 that nobody uses, and the
 * zones of bridges that belong to nobody any more.
 */
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
  const bridges = [...world.files.values()].flatMap((text) =>
    /<bridge name="(\w+)"/.exec(text)?.[1] ?? []
  );
  const zones = (members: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
    new Map([...members].filter(([name]) => bridges.includes(name)));
  const { permanent, bindings } = world.firewalld;
  return {
    ...world,
    firewalld: { ...world.firewalld, permanent: zones(permanent), bindings: zones(bindings) },
    localRouting: new Set(),
    queues: new Set(),
    tables: new Map(tables),
    files: new Map(files),
  };
}

const PROMISES = new Map<string, Promise<World>>();

/** The world with the rules that its records promise, made from nothing. */
function promised({ files, firewalld }: World, { origin }: Frame): Promise<World> {
  const known = origin?.firewalld ?? installedFirewalld();
  const key = [describeFirewalld(known), String(firewalld.running), ...[...files].toSorted().flat()]
    .join("\0");
  const promise = PROMISES.get(key) ?? makePromised(files, known, firewalld.running);
  PROMISES.set(key, promise);
  return promise;
}

/** firewalld comes first: when it reads its files it empties the tables of iptables. */
async function makePromised(
  files: World["files"],
  firewalld: Firewalld,
  isRunning: boolean,
): Promise<World> {
  const made = {
    ...emptyWorld(),
    files,
    firewalld: isRunning ? startFirewalld(firewalld) : firewalld,
  };
  for (const ground of [FIREWALLD, ...GROUNDS, PF]) {
    const own = [...files].filter(([name]) => placeIn(made, name) === ground);
    if (own.length === 0) continue;
    const world = { ...emptyWorld(), files: new Map(own), firewalld: made.firewalld };
    await takeTurn(world, { ground, work: reloadAgain() });
    if (ground === PF) made.anchors = world.anchors;
    else if (ground.backend === "nftables") made.ruleset = world.ruleset;
    made.tables = new Map([...made.tables, ...world.tables]);
    made.firewalld = isRunning ? world.firewalld : stopFirewalld(world.firewalld);
    made.localRouting = new Set([...made.localRouting, ...world.localRouting]);
  }
  return made;
}

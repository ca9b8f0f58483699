/** Commands in a world in memory that are disturbed at every one of their effects. */
import { NoBackendError, UnsupportedNetworkError } from "../../core/firewall_backend.ts";
import { HostError } from "../../core/host.ts";
import { RecordError } from "../../core/record/record.ts";
import { copyWorld, describeWorld, type Fate, type FateOf, type World } from "./model_host.ts";
import { takeTurn, type Turn, worldAfter } from "./turns.ts";

/** What stands before, and the command that is disturbed. */
export interface Case {
  readonly says: string;
  readonly before: readonly Turn[];
  readonly turn: Turn;
  /** What the host is before all that; absent: one on which nothing has been done. */
  readonly origin?: World;
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
  const { before, turn, origin } = one;
  const start = await worldAfter(before, origin);
  return { ...one, start, end: await worldAfter([turn], start) };
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
 * before is not judged again: most effects are questions. To die beside one of them need not even be tried.
 */
export async function disturb(
  frame: Frame,
  disturbance: Disturbance,
  afterwards: (world: World, error: unknown, said: readonly string[]) => Promise<void>,
): Promise<number> {
  const { start, turn } = frame;
  const judged = new Set<string>();
  const fate = disturbance(0)(0);
  const idle = fate.startsWith("dies") ? await idleEffects(frame) : [];
  for (let effect = 0;; effect++) {
    if (idle.includes(fate === "dies after" ? effect : effect - 1)) continue;
    const world = copyWorld(start);
    const fateOf = disturbance(effect);
    let met = "a record";
    const { error, effects, said } = await takeTurn(world, turn, (one, command) => {
      if (one === effect && command !== undefined) {
        met = [command.program, ...command.args].join(" ");
      }
      return fateOf(one, command);
    });
    if (effects <= effect) return effect;
    const kind = error instanceof Error ? error.constructor.name : String(error);
    const outcome = `${kind}\n${describeWorld(world)}`;
    if (judged.has(outcome)) continue;
    judged.add(outcome);
    await afterwards(world, error, said).catch((problem: unknown) => {
      const message = problem instanceof Error ? problem.message : String(problem);
      throw new Error(`Effect ${effect} (${met}): ${message}`, { cause: problem });
    });
  }
}

/** Effects after which the world is as it was before them. */
async function idleEffects({ start, turn }: Frame): Promise<readonly number[]> {
  const world = copyWorld(start);
  const idle: number[] = [];
  let before: readonly unknown[] = [];
  await takeTurn(world, turn, (effect) => {
    const { ruleset, tables, anchors, firewalld, localRouting, connections, files } = world;
    const rules = [ruleset, tables, anchors, firewalld, localRouting, connections];
    const now = [...rules, ...[...files].flat()];
    const isSame = now.length === before.length && now.every((one, index) => one === before[index]);
    if (isSame) idle.push(effect - 1);
    before = now;
    return "works";
  });
  return idle;
}

/** What a command may end with when the host does not let it go on. */
export function isRefusal(error: unknown): boolean {
  return [HostError, RecordError, NoBackendError, UnsupportedNetworkError]
    .some((kind) => error instanceof kind);
}

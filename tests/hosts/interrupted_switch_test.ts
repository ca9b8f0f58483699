/** A move to another backend killed anywhere: the next command leaves no network in two of them. */
import { assert, assertEquals } from "@std/assert";
import { type BackendUnderTest, IPTABLES_LEGACY, IPTABLES_NFT, NFTABLES } from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { FIVE, proveAlone } from "./five_networks.ts";
import { listRuns, NEVER, type ProgramRun, runKilled, turningPoints } from "./killed_command.ts";
import { hostTest } from "./requirements.ts";
import { type FirewallParts, firewallParts, firewallState } from "./ruleset.ts";
import { type Case, proveSideBySide } from "./side_by_side.ts";
import { makeHost } from "./topology.ts";

/** A move of all networks, by `reload`. */
interface Move {
  readonly from: BackendUnderTest;
  readonly to: BackendUnderTest;
}

const MOVES: readonly Move[] = [
  { from: NFTABLES, to: IPTABLES_LEGACY },
  { from: IPTABLES_NFT, to: NFTABLES },
  { from: IPTABLES_LEGACY, to: IPTABLES_NFT },
];

/** What the move left. */
interface Remains {
  readonly host: string;
  /** With the backend that the networks were moving to. */
  readonly bridgewall: Bridgewall;
  readonly files: readonly string[];
  readonly runs: readonly ProgramRun[];
}

async function kill(
  { from, to }: Move,
  nth: number,
  then: (remains: Remains) => Promise<void>,
): Promise<void> {
  await using place = await makeHost(FIVE);
  const { host } = place;
  const older = await openBridgewall(place, from);
  const bridgewall = await older.under(to);
  const files = await Promise.all(FIVE.map(bridgewall.write));
  await older.succeed(["up", ...files]);
  const programs = [...from.tools, ...to.tools];
  const runs = await runKilled({ bridgewall, host, programs }, ["reload"], nth);
  await then({ host, bridgewall, files, runs });
}

/** A move that nobody disturbs. */
interface Undisturbed {
  /** What stood before the networks. */
  readonly before: FirewallParts;
  /** All that stands while the networks are up with the one backend and with the other. */
  readonly older: string;
  readonly newer: string;
  readonly runs: readonly ProgramRun[];
}

async function undisturbed(move: Move): Promise<Undisturbed> {
  await using place = await makeHost(FIVE);
  const { host } = place;
  const older = await openBridgewall(place, move.from);
  await older.under(move.to);
  const before = await firewallParts(host);
  await older.up(...FIVE);
  const seen = { before, older: await firewallState(host), newer: "", runs: [] as const };
  let runs: readonly ProgramRun[] = [];
  await kill(move, NEVER, async (remains) => {
    seen.newer = await firewallState(remains.host);
    runs = remains.runs;
  });
  return { ...seen, runs };
}

/** `up` moves them all the same; a command that has nothing to do with them brings back one whole. */
async function proveOrderly(
  { from, to }: Move,
  { before, older, newer }: Undisturbed,
  { host, bridgewall, files, runs }: Remains,
  next: Kill["next"],
): Promise<void> {
  await bridgewall.succeed(next === "up" ? ["up", ...files] : ["down", "nobody"]);
  const state = await firewallState(host);
  if (next === "up" || state !== older) assertEquals(state, newer, listRuns(runs));
  await proveAlone(host, before, state === newer ? to : from);
  await bridgewall.succeed(["check"]);
  await bridgewall.succeed(["down", "--all"]);
  assertEquals(await firewallParts(host), before, listRuns(runs));
}

/** Where a move is killed, and what comes next. */
interface Kill {
  readonly nth: number;
  readonly next: "up" | "down nobody";
}

/** Both commands where something was changed; else the one that must not change anything either. */
function kills(runs: readonly ProgramRun[]): readonly Kill[] {
  return turningPoints(runs).flatMap(({ nth, changes }): readonly Kill[] => [
    ...(changes ? [{ nth, next: "up" } as const] : []),
    { nth, next: "down nobody" },
  ]);
}

for (const move of MOVES) {
  const { from, to } = move;
  hostTest({
    name: `${from.name}: a killed move to another backend is put right by the next command`,
    tools: [...from.tools, ...to.tools, "unshare", "mount", "tc"],
    body: async (t) => {
      const usual = await undisturbed(move);
      assert(usual.runs.filter(({ changes }) => changes).length > 2, listRuns(usual.runs));
      await proveSideBySide(
        t,
        kills(usual.runs).map(({ nth, next }): Case => ({
          says: `killed after program ${nth} of the move to ${to.name}, then ${next}`,
          prove: () => kill(move, nth, (remains) => proveOrderly(move, usual, remains, next)),
        })),
      );
    },
  });
}

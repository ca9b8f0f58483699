import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Fight, fightAt, pauseIn, PEACE, putBackAt } from "../../../core/commands/patience.ts";

/** Rules that are removed every so many milliseconds, as soon as they are back. */
function fought(times: number, every: number): { readonly pauses: readonly number[]; end: Fight } {
  let [fight, now] = [PEACE, 1_000_000];
  const pauses: number[] = [];
  for (let round = 0; round < times; round++) {
    fight = fightAt(fight, now);
    pauses.push(pauseIn(fight));
    now += pauseIn(fight);
    fight = putBackAt(fight, now);
    now += every;
  }
  return { pauses, end: fight };
}

Deno.test("what is removed now and then comes back at once", () => {
  assertEquals(new Set(fought(100, 2000).pauses), new Set([0]));
  assertEquals(fought(100, 2000).end.isOn, false);
});

Deno.test("who removes rules again and again meets longer and longer pauses, up to a second", () => {
  const { pauses, end } = fought(40, 10);
  assertEquals(pauses.slice(0, 15), [...Array(10).fill(0), 100, 200, 400, 800, 1000]);
  assertEquals(Math.max(...pauses), 1000);
  assert(end.isOn);
});

Deno.test("a fight is over when nobody has removed anything for ten seconds", () => {
  const { end } = fought(20, 10);
  const last = Math.max(...end.times);
  assert(fightAt(end, last + 9_999).isOn);
  assertEquals(fightAt(end, last + 10_000), PEACE);
});

Deno.test("however often rules are removed, they come back no more than 35 times in ten seconds", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 900 }), (every) => {
    let [fight, now] = [PEACE, 0];
    const times: number[] = [];
    while (now < 60_000) {
      fight = fightAt(fight, now);
      now += pauseIn(fight);
      times.push(now);
      fight = putBackAt(fight, now);
      now += every;
    }
    const most = Math.max(
      ...times.map((from) => times.filter((at) => at >= from && at < from + 10_000).length),
    );
    assert(most <= 35, `${most}`);
  }));
});

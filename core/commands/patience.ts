/** How often rules are put back when somebody removes them again and again. Pure. */

/** What was put back within so many milliseconds counts as one fight. */
export const FIGHT = 10_000;

/** So often at once, and then in turns with whoever it is. */
const AT_ONCE = 10;

/** The longest pause before a turn, in milliseconds: rules are noticed to be gone within a second. */
const LONGEST = 1000;

/** The state of a fight. */
export interface Fight {
  /** When rules were put back of late, in milliseconds by the host's clock. */
  readonly times: readonly number[];
  /** True once there are pauses, until nobody has removed anything for a while. */
  readonly isOn: boolean;
}

/** Nobody has done anything so far. */
export const PEACE: Fight = { times: [], isOn: false };

/** The fight as it is now: what is long ago is forgotten. */
export function fightAt({ times, isOn }: Fight, now: number): Fight {
  const recent = times.filter((time) => now - time < FIGHT);
  return { times: recent, isOn: isOn && recent.length > 0 };
}

/** Milliseconds to wait before rules are put back once more. */
export function pauseIn({ times }: Fight): number {
  const more = times.length - AT_ONCE;
  return more < 0 ? 0 : Math.min(LONGEST, 100 * 2 ** Math.min(more, 10));
}

/** The fight after rules were put back. */
export function putBackAt({ times }: Fight, now: number): Fight {
  const fight = { times: [...times, now], isOn: false };
  return { ...fight, isOn: pauseIn(fight) > 0 };
}

/** Whether what commands told that ran at the same time could be told by commands one after the other. */

/** What one command told. */
export interface Told<State> {
  /** For messages. */
  readonly says: string;
  /**
   * Done: it was so. Looked: and it changes nothing, in whatever state. Killed: it may have done all of its
   * work or nothing.
   */
  readonly kind: "done" | "looked" | "killed";
  /** What it makes of a state; undefined: in that state it would have told something else. */
  readonly after: (state: State) => State | undefined;
}

/** More places than that are not looked at: nobody would wait for it. */
const PLACES = 100_000;

/**
 * Looks for an order in which each command finds what it told, and the last one leaves the end.
 *
 * @param keyOf The same text for the same state.
 * @returns What the commands of that order say; undefined: there is none.
 * @throws {Error} When it was looked for too long.
 */
export function serialOrder<State>(
  told: readonly Told<State>[],
  [beginning, end]: readonly [State, State],
  keyOf: (state: State) => string,
): readonly string[] | undefined {
  const visited = new Set<string>();
  // Those that say the same are the same.
  const numbers = new Map(told.map(({ says }, index) => [says, index]));
  const search = (
    state: State,
    left: readonly Told<State>[],
  ): readonly string[] | undefined => {
    // Who only looks is in nobody's way: as soon as it fits it can as well be next.
    const looks = left.filter((one) => one.kind === "looked" && one.after(state) !== undefined);
    const rest = left.filter((one) => !looks.includes(one));
    const says = looks.map((one) => one.says);
    const key = keyOf(state);
    if (key === keyOf(end) && rest.every(({ kind }) => kind === "killed")) return says;
    const place = `${rest.map((one) => numbers.get(one.says)).toSorted()} ${key}`;
    if (visited.has(place)) return undefined;
    visited.add(place);
    if (visited.size > PLACES) throw new Error("so many commands have too many orders");
    for (const one of new Map(rest.map((each) => [each.says, each])).values()) {
      const next = one.kind === "looked" ? undefined : one.after(state);
      if (next === undefined) continue;
      const found = search(next, rest.filter((other) => other !== one));
      if (found !== undefined) return [...says, one.says, ...found];
    }
    return undefined;
  };
  return search(beginning, told);
}

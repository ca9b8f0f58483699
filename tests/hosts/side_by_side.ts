/** Cases that do not meet, proven at the same time: two processors do not wait for one another. */

/** One case. */
export interface Case {
  /** The sentence. */
  readonly says: string;
  readonly prove: () => Promise<void>;
}

/** As many as keep two processors busy, each with a host of its own. */
const AT_ONCE = 3;

/** Proves all of them, some at a time; each is a step of its own. */
export async function proveSideBySide(
  t: Deno.TestContext,
  cases: readonly Case[],
): Promise<void> {
  const results = new Map<Case, PromiseSettledResult<void>>();
  const waiting = [...cases];
  const work = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const [result] = await Promise.allSettled([one.prove()]);
      results.set(one, result);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  for (const one of cases) {
    await t.step(one.says, () => {
      const result = results.get(one);
      if (result?.status === "rejected") throw result.reason;
    });
  }
}

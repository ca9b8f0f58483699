/** What pf does with packets, by the rules that the backend compiles, whatever the main ruleset says. */
import { assertEquals } from "@std/assert";
import {
  ACROSS,
  BEYOND,
  type Claim,
  ON_BRIDGE,
  SPOOFED,
  STRANGERS,
  STRANGERS_AMONG_THEMSELVES,
} from "./claims.ts";
import { RELEASES, type SceneSetup } from "./releases.ts";
import { BRIDGE_SETTINGS, hostWith, MAIN_RULESETS } from "./scene.ts";

const CLAIMS: Readonly<Record<string, readonly Claim[]>> = {
  "on a bridge": ON_BRIDGE,
  "to and from the outside": BEYOND,
  "with a false source": SPOOFED,
  "between networks": ACROSS,
  "of guests nobody knows": STRANGERS,
};

for (const [release, version] of Object.entries(RELEASES)) {
  for (const [where, main] of Object.entries(MAIN_RULESETS)) {
    for (const [sees, bridges] of Object.entries(BRIDGE_SETTINGS)) {
      const setup = { ...bridges, ...version };
      const host = `${release}, ${where}, ${sees}`;
      for (const [which, claims] of Object.entries(CLAIMS)) {
        Deno.test(`pf: packets ${which} go where they should, with ${host}`, () => {
          assertEquals(problems(claims, main, setup), []);
        });
      }
    }

    for (const sees of ["pf off bridges", "pf on bridges"]) {
      const setup = { ...BRIDGE_SETTINGS[sees], ...version };
      Deno.test(`pf: guests nobody knows have one another, with ${release}, ${where}, ${sees}`, () => {
        assertEquals(problems(STRANGERS_AMONG_THEMSELVES, main, setup), []);
      });
    }
  }
}

function problems(claims: readonly Claim[], main: string, setup: SceneSetup): readonly string[] {
  return claims.flatMap(({ says, look }) => {
    const problem = look(hostWith(main, setup));
    return problem === undefined ? [] : [`${says}: ${problem}`];
  });
}

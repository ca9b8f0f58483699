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
import { BRIDGE_SETTINGS, hostWith, MAIN_RULESETS } from "./scene.ts";

const CLAIMS: Readonly<Record<string, readonly Claim[]>> = {
  "on a bridge": ON_BRIDGE,
  "to and from the outside": BEYOND,
  "with a false source": SPOOFED,
  "between networks": ACROSS,
  "of guests nobody knows": STRANGERS,
};

for (const [where, main] of Object.entries(MAIN_RULESETS)) {
  for (const [sees, setup] of Object.entries(BRIDGE_SETTINGS)) {
    for (const [which, claims] of Object.entries(CLAIMS)) {
      Deno.test(`pf: packets ${which} go where they should, with ${where}, ${sees}`, () => {
        const wrong = claims.flatMap(({ says, look }) => {
          const problem = look(hostWith(main, setup));
          return problem === undefined ? [] : [`${says}: ${problem}`];
        });
        assertEquals(wrong, []);
      });
    }
  }
}

for (const [where, main] of Object.entries(MAIN_RULESETS)) {
  for (const sees of ["pf off bridges", "pf on bridges"]) {
    Deno.test(`pf: guests nobody knows have one another, with ${where}, ${sees}`, () => {
      const wrong = STRANGERS_AMONG_THEMSELVES.flatMap(({ says, look }) => {
        const problem = look(hostWith(main, BRIDGE_SETTINGS[sees]));
        return problem === undefined ? [] : [`${says}: ${problem}`];
      });
      assertEquals(wrong, []);
    });
  }
}

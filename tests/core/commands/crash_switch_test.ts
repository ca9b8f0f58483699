import { movesBetween } from "../../support/crash_cases.ts";
import { testEveryEffectOfMove } from "../../support/crash_tests.ts";
import { GROUNDS } from "../../support/turns.ts";

for (const from of GROUNDS) {
  for (const to of GROUNDS.filter((one) => one !== from)) {
    movesBetween(from, to).forEach(testEveryEffectOfMove);
  }
}

import { movesBetween } from "../../support/crash_cases.ts";
import { testEveryEffectOfMove } from "../../support/crash_tests.ts";
import { BESIDE, FIREWALLD, type Ground } from "../../support/turns.ts";

const STOPPED: Ground = {
  name: "nftables after firewalld stopped",
  backend: "nftables",
  firewalld: "stops",
};

for (const other of BESIDE) {
  movesBetween(other, FIREWALLD).forEach(testEveryEffectOfMove);
  movesBetween(FIREWALLD, other).forEach(testEveryEffectOfMove);
}
movesBetween(FIREWALLD, STOPPED).forEach(testEveryEffectOfMove);

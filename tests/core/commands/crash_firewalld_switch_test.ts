import { movesBetween } from "../../support/crash_cases.ts";
import { testEveryEffectOfMove } from "../../support/crash_tests.ts";
import { BESIDE, FIREWALLD, type Ground } from "../../support/turns.ts";

const PLAIN: Ground = { name: "nftables", backend: "nftables" };
const STOPPED: Ground = { ...PLAIN, name: "nftables after firewalld stopped", firewalld: "stops" };

for (const other of BESIDE) {
  movesBetween(other, FIREWALLD).forEach(testEveryEffectOfMove);
  movesBetween(FIREWALLD, other).forEach(testEveryEffectOfMove);
}
movesBetween(FIREWALLD, STOPPED).forEach(testEveryEffectOfMove);
// What stays with nftables is in no zone of a firewalld that came later.
movesBetween(PLAIN, FIREWALLD).slice(0, 1).forEach(testEveryEffectOfMove);

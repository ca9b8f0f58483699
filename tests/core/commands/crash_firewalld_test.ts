import { besideOthers, casesOn, originCases, zoneCases } from "../../support/crash_cases.ts";
import { testEveryEffect } from "../../support/crash_tests.ts";
import { BESIDE, FIREWALLD } from "../../support/turns.ts";

for (const ground of [FIREWALLD, ...BESIDE]) casesOn(ground).forEach(testEveryEffect);
for (const ground of [FIREWALLD, ...BESIDE.slice(0, 1)]) {
  [...zoneCases(ground), ...originCases(ground)].forEach(testEveryEffect);
}
BESIDE.slice(1).flatMap(besideOthers).forEach(testEveryEffect);

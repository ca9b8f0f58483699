import { casesOn } from "../../support/crash_cases.ts";
import { testEveryEffect } from "../../support/crash_tests.ts";
import { BESIDE, FIREWALLD } from "../../support/turns.ts";

for (const one of [FIREWALLD, ...BESIDE].flatMap(casesOn)) testEveryEffect(one);

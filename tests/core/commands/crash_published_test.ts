import { masqueradeCases, portCases } from "../../support/crash_cases.ts";
import { testEveryEffect } from "../../support/crash_tests.ts";
import { GROUNDS } from "../../support/turns.ts";

/** Where a model knows what the backend makes of ports and prefixes; the others come here as theirs do. */
const READY = GROUNDS.filter(({ backend }) => backend === "nftables");

for (const ground of READY) {
  [...portCases(ground), ...masqueradeCases(ground)].forEach(testEveryEffect);
}

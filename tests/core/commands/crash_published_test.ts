import {
  localPortCases,
  masqueradeCases,
  portCases,
  portMoves,
} from "../../support/crash_cases.ts";
import { testEveryEffect, testEveryEffectOfMove } from "../../support/crash_tests.ts";
import { FIREWALLD, type Ground, GROUNDS, PF } from "../../support/turns.ts";

const [NFTABLES, IPTABLES, LEGACY] = GROUNDS as readonly [Ground, Ground, Ground];

for (const ground of [NFTABLES, IPTABLES, FIREWALLD, PF]) {
  [...portCases(ground), ...masqueradeCases(ground)].forEach(testEveryEffect);
}

for (const ground of GROUNDS) localPortCases(ground).forEach(testEveryEffect);

const MOVES = [[NFTABLES, IPTABLES], [IPTABLES, NFTABLES], [IPTABLES, LEGACY]] as const;
for (const [from, to] of MOVES) portMoves(from, to).forEach(testEveryEffectOfMove);

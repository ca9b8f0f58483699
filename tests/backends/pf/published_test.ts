/** Published ports, by what pf does with packets; and what else it does while there are some. */
import { assertEquals } from "@std/assert";
import type { HostSetup } from "../../support/pf/pf_host.ts";
import { ACROSS, BEYOND, type Claim, ON_BRIDGE, SPOOFED, STRANGERS } from "./claims.ts";
import {
  HOST_ALONE,
  HOST_TOO,
  KEPT_FROM,
  LOCALHOST,
  REACHED,
  UNTOUCHED,
} from "./published_claims.ts";
import {
  BRIDGE_SETTINGS,
  hostWith,
  MAIN_RULESETS,
  NETWORKS,
  PUBLISHING,
  publishing,
} from "./scene.ts";

const CLAIMS: Readonly<Record<string, readonly Claim[]>> = {
  "reach guests": REACHED,
  "are kept from those who may not": KEPT_FROM,
  "leave other traffic as it is": [...UNTOUCHED, ...HOST_ALONE],
  "change nothing else": [...ON_BRIDGE, ...BEYOND, ...SPOOFED, ...ACROSS, ...STRANGERS],
};

function problems(
  claims: readonly Claim[],
  main: string,
  setup: Partial<HostSetup>,
  networks = PUBLISHING,
): readonly string[] {
  return claims.flatMap(({ says, look }) => {
    const problem = look(hostWith(main, setup, networks));
    return problem === undefined ? [] : [`${says}: ${problem}`];
  });
}

/** Whether the main ruleset lets the host talk to itself where pf looks at it. */
function letsHostTalk(where: string): boolean {
  return !where.startsWith("block all");
}

function isSkipped(main: string): boolean {
  return main.includes("set skip on lo0");
}

for (const [where, main] of Object.entries(MAIN_RULESETS)) {
  for (const [sees, setup] of Object.entries(BRIDGE_SETTINGS)) {
    for (const [what, claims] of Object.entries(CLAIMS)) {
      const possible = letsHostTalk(where)
        ? claims
        : claims.filter((claim) => !HOST_ALONE.includes(claim));
      Deno.test(`pf: published ports ${what}, with ${where}, ${sees}`, () => {
        assertEquals(problems(possible, main, setup), []);
      });
    }
  }
}

const LOCALLY_TOO = publishing(
  NETWORKS["default"] ?? "",
  "proto='tcp' port='8080' to='192.168.122.10:80' localhost='yes'",
);

for (const [where, main] of Object.entries(MAIN_RULESETS)) {
  const hosts = letsHostTalk(where) ? isSkipped(main) ? HOST_ALONE : HOST_TOO : [];
  Deno.test(`pf: where pf sees what the host takes, all is the same, with ${where}`, () => {
    const claims = Object.values(CLAIMS).flat().filter((claim) => !HOST_ALONE.includes(claim));
    assertEquals(problems([...claims, ...hosts], main, { filterLocal: true }), []);
  });

  if (hosts !== HOST_TOO) continue;
  Deno.test(`pf: 127.0.0.1 leads to a guest, where pf sees what the host takes, with ${where}`, () => {
    const networks = { ...PUBLISHING, default: LOCALLY_TOO };
    assertEquals(problems(LOCALHOST, main, { filterLocal: true }, networks), []);
    const web = [...REACHED, ...KEPT_FROM].filter(({ says }) => says.includes("port 8080 "));
    assertEquals(problems(web, main, { filterLocal: true }, networks), []);
  });
}

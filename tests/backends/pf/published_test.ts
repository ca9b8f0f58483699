/** Published ports, by what pf does with packets; and what else it does while there are some. */
import { assertEquals, assertThrows } from "@std/assert";
import { ACROSS, BEYOND, type Claim, ON_BRIDGE, SPOOFED, STRANGERS } from "./claims.ts";
import {
  HOST_ALONE,
  HOST_TOO,
  KEPT_FROM,
  LOCALHOST,
  REACHED,
  UNTOUCHED,
} from "./published_claims.ts";
import { type Release, RELEASES, type SceneSetup } from "./releases.ts";
import {
  BRIDGE_SETTINGS,
  hostWith,
  MAIN_RULESETS,
  NETWORKS,
  PUBLISHING,
  publishing,
  upCommands,
} from "./scene.ts";

/** A guest of each. */
const GUESTS: Readonly<Record<string, string>> = {
  default: "192.168.122.10",
  natnet: "10.0.100.130",
};

const CLAIMS: Readonly<Record<string, readonly Claim[]>> = {
  "reach guests": REACHED,
  "are kept from those who may not": KEPT_FROM,
  "leave other traffic as it is": [...UNTOUCHED, ...HOST_ALONE],
  "change nothing else": [...ON_BRIDGE, ...BEYOND, ...SPOOFED, ...ACROSS, ...STRANGERS],
};

function problems(
  claims: readonly Claim[],
  main: string,
  setup: SceneSetup,
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

const LOCALLY_TOO = publishing(
  NETWORKS["default"] ?? "",
  "proto='tcp' port='8080' to='192.168.122.10:80' localhost='yes'",
);

for (const [release, version] of Object.entries(RELEASES)) {
  for (const [where, main] of Object.entries(MAIN_RULESETS)) {
    testOutside(`${release}, ${where}`, main, version, letsHostTalk(where));
    testItself(`${release}, ${where}`, main, version, letsHostTalk(where));
  }
}

function testOutside(host: string, main: string, version: Release, talks: boolean): void {
  for (const [sees, setup] of Object.entries(BRIDGE_SETTINGS)) {
    for (const [what, claims] of Object.entries(CLAIMS)) {
      const possible = talks ? claims : claims.filter((claim) => !HOST_ALONE.includes(claim));
      Deno.test(`pf: published ports ${what}, with ${host}, ${sees}`, () => {
        assertEquals(problems(possible, main, { ...setup, ...version }), []);
      });
    }
  }
}

function testItself(host: string, main: string, version: Release, talks: boolean): void {
  const setup = { filterLocal: true, ...version };
  const hosts = talks ? isSkipped(main) ? HOST_ALONE : HOST_TOO : [];
  Deno.test(`pf: where pf sees what the host takes, all is the same, with ${host}`, () => {
    const claims = Object.values(CLAIMS).flat().filter((claim) => !HOST_ALONE.includes(claim));
    assertEquals(problems([...claims, ...hosts], main, setup), []);
  });

  if (hosts !== HOST_TOO) return;
  Deno.test(`pf: 127.0.0.1 leads to a guest, where pf sees what the host takes, with ${host}`, () => {
    const networks = { ...PUBLISHING, default: LOCALLY_TOO };
    assertEquals(problems(LOCALHOST, main, setup, networks), []);
    const web = [...REACHED, ...KEPT_FROM].filter(({ says }) => says.includes("port 8080 "));
    assertEquals(problems(web, main, setup, networks), []);
  });
}

Deno.test("pf: no port has two redirections in different anchors, of which only one could count", () => {
  const both = (one: string, other: string): readonly string[] => {
    const networks = { default: one, natnet: other };
    const all = Object.entries(networks).map(([name, port]) =>
      publishing(NETWORKS[name] ?? "", `proto='tcp' ${port} to='${GUESTS[name]}'`)
    );
    return upCommands(all).flatMap(({ args: [, path], stdin = "" }) =>
      stdin.split("\n").filter((line) => line.startsWith("rdr ")).map(() => path ?? "")
    );
  };
  const everywhere = "port='80'";
  for (
    const taken of [
      everywhere,
      "port='80' address='192.0.2.1'",
      "port='79-81' address='203.0.113.2'",
      "port='22-80'",
    ]
  ) {
    for (const [one, other] of [[everywhere, taken], [taken, everywhere]] as const) {
      assertThrows(() => both(one, other), Error, "publish");
    }
  }
  const anchors = ["bridgewall/default/=rdr", "bridgewall/natnet/=rdr"];
  assertEquals(both(everywhere, "port='81' address='192.0.2.1'"), anchors);
  const apart = both("port='80' address='203.0.113.2'", "port='80' address='192.0.2.1'");
  assertEquals(apart, anchors);
});

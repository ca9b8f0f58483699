import { assertEquals } from "@std/assert";
import { backends } from "../../backends/mod.ts";
import { operationCommands } from "../../core/change/operation.ts";
import { type Prepared, prepareNetworks } from "../../core/commands/prepare.ts";
import { commandLines } from "../../core/commands/plan.ts";
import { NO_ANSWERS } from "../../core/commands/snapshot.ts";
import { operationOf } from "../../core/commands/transition.ts";
import { type FirewallBackend, UnsupportedNetworkError } from "../../core/firewall_backend.ts";
import type { HostFacts } from "../../core/host.ts";
import { parseNetwork } from "../../core/network/parse_network.ts";
import { explainPolicy } from "../../core/policy/explain_policy.ts";
import type { Record } from "../../core/record/record.ts";
import { formatRecord, parseRecord } from "../../core/record/record_xml.ts";
import { assertGolden, definitionOf, SCENARIOS, scenarios } from "../support/golden.ts";

/** A host on which nothing has been done yet. */
const FRESH_HOST: HostFacts = {
  platform: "linux",
  interfaces: ["lo", "eth0", "eth1", "virbr0", "-b;{}$#*"],
  routes: [],
  forwarding: { ipv4: false, ipv6: false },
  advertised: [],
  clsact: [],
};

/** Nothing was asked: of the two iptables the nft one, and IPv6 is there. */
const UNASKED = {
  backends: backends({ table: "bridgewall", anchor: "bridgewall" }),
  answers: NO_ANSWERS,
};

/** File name endings: the native ones, so that editors and reviewers know what they see. */
const ENDINGS = { firewalld: "xml", nftables: "nft", iptables: "rules", pf: "conf" } as const;

/** Its way out has a name on FreeBSD, where translation has to know it. */
function hostFor({ platform }: FirewallBackend): HostFacts {
  const everything = { family: "ipv4", value: 0n, prefix: 0 } as const;
  const routes = platform === "freebsd" ? [{ destination: everything, device: "re0" }] : [];
  return { ...FRESH_HOST, platform, routes };
}

function prepare(scenario: string, backend: FirewallBackend): Prepared {
  const network = parseNetwork(definitionOf(scenario), `${scenario}/network.xml`);
  const facts = hostFor(backend);
  return prepareNetworks([network], { ...UNASKED, backend, facts, records: [], sysctl: true });
}

/** Why the backend cannot express the scenario; undefined when it can. */
function refusalOf(scenario: string, backend: FirewallBackend): readonly string[] | undefined {
  try {
    prepare(scenario, backend);
    return undefined;
  } catch (error) {
    if (!(error instanceof UnsupportedNetworkError)) throw error;
    return [`# refused: ${error.message}`, `# hint: ${error.hint}`];
  }
}

for (const backend of UNASKED.backends) {
  const ending = ENDINGS[backend.name];
  for (const scenario of scenarios()) {
    const refusal = refusalOf(scenario, backend);
    if (refusal !== undefined) {
      Deno.test(`${backend.name} refuses ${scenario} with the reviewed words`, () => {
        assertGolden(scenario, `${backend.name}.up.${ending}`, refusal);
      });
      continue;
    }
    Deno.test(`${backend.name} brings up ${scenario} with the reviewed rules`, () => {
      const prepared = prepare(scenario, backend);
      const snapshot = { ...UNASKED, facts: hostFor(backend), records: [] };
      const commands = operationCommands(operationOf(snapshot, prepared));
      assertGolden(scenario, `${backend.name}.up.${ending}`, commands.flatMap(commandLines));
    });

    Deno.test(`${backend.name} takes down ${scenario} with the reviewed rules`, () => {
      const records = prepare(scenario, backend).entering.map(({ name, installation }): Record =>
        parseRecord(formatRecord({ name, state: "active", ...installation }), "test")
      );
      const snapshot = { ...UNASKED, facts: hostFor(backend), records };
      const leaving = records.map(({ name }) => name);
      const transition = { leaving, entering: [], settings: [] };
      const commands = operationCommands(operationOf(snapshot, transition));
      assertGolden(scenario, `${backend.name}.down.${ending}`, commands.flatMap(commandLines));
    });
  }
}

for (const scenario of scenarios()) {
  Deno.test(`the policy of ${scenario} reads as reviewed`, () => {
    const backend = UNASKED.backends.find(({ name }) => name === "nftables");
    if (backend === undefined) throw new Error("no backend takes every network");
    const { policies } = prepare(scenario, backend);
    assertGolden(scenario, "policy.txt", policies.flatMap(explainPolicy));
  });
}

Deno.test("every scenario has a reviewed file for every backend, and no file is left over", () => {
  const files = scenarios().flatMap((scenario) =>
    [...Deno.readDirSync(`${SCENARIOS}/${scenario}`)].map(({ name }) => `${scenario}/${name}`)
  );
  const expected = scenarios().flatMap((scenario) => [
    `${scenario}/network.xml`,
    `${scenario}/policy.txt`,
    ...UNASKED.backends.flatMap((backend) => {
      const { name } = backend;
      const directions = refusalOf(scenario, backend) === undefined ? ["up", "down"] : ["up"];
      return directions.map((direction) => `${scenario}/${name}.${direction}.${ENDINGS[name]}`);
    }),
  ]);
  assertEquals(files.toSorted(), expected.toSorted());
});

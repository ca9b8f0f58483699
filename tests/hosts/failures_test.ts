import { assertEquals, assertStringIncludes } from "@std/assert";
import { BACKENDS } from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";

import { hostTest } from "./requirements.ts";
import { firewallState, loadForeignRules } from "./ruleset.ts";
import { type Finished, run } from "./run_program.ts";
import { definition, type TestNetwork, testNetwork } from "./test_network.ts";
import { makeStandIns, REFUSAL, REFUSING_NFT } from "./stand_in.ts";
import { makeTopology } from "./topology.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>' });
const ROUTE = testNetwork(102, "route", { forward: '<forward mode="route"/>' });
const BRIDGED =
  `<network><name>bridged</name><forward mode="bridge"/><bridge name="br0"/></network>`;

/** Definitions that nobody can accept. */
const INVALID: Readonly<Record<string, string>> = {
  "a file that is no XML": "<network><name>second</network>",
  "a network without a name": "<network/>",
  "an address that is none": definition(ROUTE).replace("192.168.102.1", "192.168.102.256"),
};

/** Networks that cannot be active beside the first one. */
const RIVALS: Readonly<Record<string, TestNetwork>> = {
  "the bridge of an active network": { ...testNetwork(107, "rival"), bridge: NAT.bridge },
  "a subnet inside one of an active network": testNetwork(107, "rival", {
    addresses: ["192.168.101.129/25"],
  }),
};

/** The records, each with its name. */
async function recordsOf(bridgewall: Bridgewall): Promise<readonly string[]> {
  const records: string[] = [];
  for await (const { name } of Deno.readDir(bridgewall.stateDirectory)) {
    if (!name.endsWith(".xml")) continue;
    records.push(name, await Deno.readTextFile(`${bridgewall.stateDirectory}/${name}`));
  }
  return records.sort();
}

/** Exit code as expected, an error in the tool's own words, and no rule or record touched. */
async function proveRefused(
  host: string,
  bridgewall: Bridgewall,
  expectedCode: number,
  attempt: () => Promise<Finished>,
): Promise<Finished> {
  const before = [await firewallState(host), ...await recordsOf(bridgewall)];
  const finished = await attempt();
  assertEquals(finished.code, expectedCode, finished.stdout + finished.stderr);
  assertStringIncludes(finished.stderr, "error: ");
  assertEquals([await firewallState(host), ...await recordsOf(bridgewall)], before);
  return finished;
}

for (const { name: backend, tools } of BACKENDS) {
  hostTest({
    name: `${backend}: an up that cannot succeed leaves rules and records as they were`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([NAT, ROUTE]);
      const { host } = topology;
      await loadForeignRules(host);
      const bridgewall = await openBridgewall(topology, backend);
      await bridgewall.up(NAT);
      const good = await bridgewall.write(ROUTE);
      const beside = async (other: string): Promise<Finished> =>
        await bridgewall.run(["up", good, await bridgewall.write(other)]);
      for (const [says, text] of Object.entries(INVALID)) {
        await t.step(says, async () => {
          await proveRefused(host, bridgewall, 2, () => beside(text));
        });
      }
      for (const [says, rival] of Object.entries(RIVALS)) {
        await t.step(`${says}: both are named`, async () => {
          const attempt = (): Promise<Finished> => beside(definition(rival));
          const { stderr } = await proveRefused(host, bridgewall, 1, attempt);
          for (const { name } of [rival, NAT]) assertStringIncludes(stderr, `"${name}"`);
        });
      }
      await t.step("the network that was active is unharmed", async () => {
        await bridgewall.succeed(["check"]);
      });
    },
  });

  hostTest({
    name: `${backend}: exit codes tell wrong use from a backend that is not there`,
    tools,
    body: async (t) => {
      await using topology = await makeTopology([]);
      const bridgewall = await openBridgewall(topology, backend);
      const file = await bridgewall.write(NAT);
      const expectCode = (code: number, ...args: readonly string[]): Promise<boolean> =>
        t.step(
          `${code}: ${args.map((word) => word === file ? "FILE" : word).join(" ")}`,
          async () => {
            const { host } = topology;
            await proveRefused(host, bridgewall, code, () => bridgewall.run(args));
          },
        );
      await expectCode(2, "upp", file);
      await expectCode(2, "up", "--no-such-flag", file);
      await expectCode(2, "up");
      await expectCode(2, "up", "/nonexistent/network.xml");
      await expectCode(4, "up", "--backend", "pf", file);
      await t.step("0: a network that needs no rules of the host", async () => {
        const { stderr } = await bridgewall.succeed(["up", await bridgewall.write(BRIDGED)]);
        assertStringIncludes(stderr, "bridged");
      });
    },
  });
}

hostTest({
  name: "nftables: when nft refuses what it had checked, the network before is what remains",
  tools: ["unshare", "mount"],
  body: async (t) => {
    await using topology = await makeTopology([NAT, ROUTE]);
    const { host } = topology;
    await using nft = await makeStandIns([REFUSING_NFT]);
    const bridgewall = await openBridgewall(topology, "nftables");
    await bridgewall.up(NAT);
    const attempts = {
      "another network": ROUTE,
      "the same one, changed": { ...NAT, forward: '<forward mode="route"/>' },
    };
    for (const [says, network] of Object.entries(attempts)) {
      await t.step(`${says} cannot come up`, async () => {
        const argv = nft.wrap(bridgewall.argv(["up", await bridgewall.write(network)]));
        const attempt = (): Promise<Finished> => run(argv, { namespace: host });
        const { stderr } = await proveRefused(host, bridgewall, 1, attempt);
        assertStringIncludes(stderr, REFUSAL);
        await bridgewall.succeed(["check"]);
      });
      await t.step(`${says} comes up once nft lets it`, async () => {
        await bridgewall.up(network);
        await bridgewall.succeed(["check"]);
      });
    }
  },
});

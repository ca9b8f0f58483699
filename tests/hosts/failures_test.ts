import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BACKENDS } from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { makeFailingNft } from "./failing_nft.ts";
import { hostTest } from "./requirements.ts";
import { firewallState, loadForeignRules } from "./ruleset.ts";
import { type Finished, run } from "./run_program.ts";
import { definition, testNetwork } from "./test_network.ts";
import { makeTopology } from "./topology.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>' });
const ROUTE = testNetwork(102, "route", { forward: '<forward mode="route"/>' });
const SAME_SUBNET = testNetwork(101, "rival", { forward: '<forward mode="nat"/>' });
const BRIDGED =
  `<network><name>bridged</name><forward mode="bridge"/><bridge name="br0"/></network>`;

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
      const [good, rival] = [await bridgewall.write(ROUTE), await bridgewall.write(SAME_SUBNET)];
      const refuse = (says: string, code: number, file: string): Promise<boolean> =>
        t.step(says, async () => {
          await proveRefused(host, bridgewall, code, () => bridgewall.run(["up", good, file]));
        });
      const bad = definition(ROUTE).replace("route", "second");
      const sameBridge = definition(SAME_SUBNET).replaceAll(/101/g, "107")
        .replace('"br107"', '"br101"');
      await refuse(
        "a file that is no XML",
        2,
        await bridgewall.write("<network><name>x</network>"),
      );
      await refuse("a network without a name", 2, await bridgewall.write("<network/>"));
      await refuse(
        "an address that is none",
        2,
        await bridgewall.write(bad.replace("192.168.102.1", "192.168.102.256")),
      );
      await refuse("a bridge that another network has", 2, await bridgewall.write(sameBridge));
      await t.step("a subnet that an active network has, both named", async () => {
        const attempt = (): Promise<Finished> => bridgewall.run(["up", good, rival]);
        const { stderr } = await proveRefused(host, bridgewall, 2, attempt);
        for (const words of ["rival", "nat"]) assertStringIncludes(stderr, words);
      });
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
    await using nft = await makeFailingNft();
    const bridgewall = await openBridgewall(topology, "nftables");
    await bridgewall.up(NAT);
    const changed = { ...NAT, forward: '<forward mode="route"/>' };
    for (
      const [says, network] of [["another network", ROUTE], [
        "the same one, changed",
        changed,
      ]] as const
    ) {
      await t.step(`${says} cannot come up`, async () => {
        const file = await bridgewall.write(network);
        await nft.failOnce();
        const argv = nft.wrap(bridgewall.argv(["up", file]));
        const attempt = (): Promise<Finished> => run(argv, { namespace: host });
        const { stderr } = await proveRefused(host, bridgewall, 1, attempt);
        assert(await nft.failed(), "nft was not asked to load anything");
        assertStringIncludes(stderr, "No space left on device");
        await bridgewall.succeed(["check"]);
      });
      await t.step(`${says} comes up once nft does`, async () => {
        await bridgewall.up(network);
        await bridgewall.succeed(["check"]);
      });
    }
  },
});

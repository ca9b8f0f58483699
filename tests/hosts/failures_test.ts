import { assertEquals, assertStringIncludes } from "@std/assert";
import { BACKENDS, type BackendUnderTest, IPTABLES, NFTABLES } from "./backends.ts";
import { type Bridgewall, openBridgewall } from "./bridgewall.ts";
import { FAMILY_PROGRAMS, variantProgram } from "./iptables_variant.ts";
import { hostTest } from "./requirements.ts";
import { firewallState, loadForeignRules } from "./ruleset.ts";
import { type Finished, run } from "./run_program.ts";
import { definition, type TestNetwork, testNetwork } from "./test_network.ts";
import { makeStandIns, REFUSAL, REFUSING_NFT, refusingRestore, type StandIn } from "./stand_in.ts";
import { makeHost } from "./topology.ts";

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

for (const backend of BACKENDS) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: an up that cannot succeed leaves rules and records as they were`,
    tools,
    body: async (t) => {
      await using place = await makeHost([NAT, ROUTE]);
      const { host } = place;
      const bridgewall = await openBridgewall(place, backend);
      await loadForeignRules(host, backend);
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
    name: `${name}: exit codes tell wrong use from a backend that is not there`,
    tools,
    body: async (t) => {
      await using place = await makeHost([]);
      const bridgewall = await openBridgewall(place, backend);
      const file = await bridgewall.write(NAT);
      const expectCode = (code: number, ...args: readonly string[]): Promise<boolean> =>
        t.step(
          `${code}: ${args.map((word) => word === file ? "FILE" : word).join(" ")}`,
          async () => {
            const { host } = place;
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

/** Networks that come up when one is up already, with addresses of their own. */
const ATTEMPTS: Readonly<Record<string, TestNetwork>> = {
  "another network": ROUTE,
  "the same one, changed": {
    ...NAT,
    addresses: ["192.168.108.1/24", "2001:db8:108::1/64"],
    forward: '<forward mode="route"/>',
  },
};

/** What only the new rules of both have. */
const NEW_RULES = "^-A .*(192\\.168\\.10[28]\\.|2001:db8:10[28]:)";

/** Programs that fail in the middle of an operation, after each has been asked whether it would. */
const REFUSING: readonly { readonly backend: BackendUnderTest; readonly standIn: StandIn }[] = [
  { backend: NFTABLES, standIn: REFUSING_NFT },
  ...IPTABLES.flatMap((backend) =>
    FAMILY_PROGRAMS.map((family) => ({
      backend,
      standIn: refusingRestore(variantProgram(family, backend.variant, "restore"), NEW_RULES),
    }))
  ),
];

for (const { backend, standIn } of REFUSING) {
  const what = standIn.program.startsWith("ip6") ? "up, but for IPv4," : "up";
  hostTest({
    name: `${backend.name}: when ${what} is refused at the last moment, all is as before`,
    tools: [...backend.tools, "unshare", "mount"],
    body: async (t) => {
      for (const [says, network] of Object.entries(ATTEMPTS)) {
        await using place = await makeHost([NAT, ROUTE]);
        const { host } = place;
        const bridgewall = await openBridgewall(place, backend);
        await using refusing = await makeStandIns([standIn], bridgewall);
        await bridgewall.up(NAT);
        await t.step(`${says} cannot come up`, async () => {
          const argv = refusing.wrap(bridgewall.argv(["up", await bridgewall.write(network)]));
          const attempt = (): Promise<Finished> => run(argv, { namespace: host });
          const { stderr } = await proveRefused(host, bridgewall, 1, attempt);
          assertStringIncludes(stderr, REFUSAL);
          await bridgewall.succeed(["check"]);
        });
        await t.step(`${says} comes up once it is not refused`, async () => {
          await bridgewall.up(network);
          await bridgewall.succeed(["check"]);
        });
      }
    },
  });
}

for (const backend of IPTABLES) {
  hostTest({
    name:
      `${backend.name}: when nothing can be loaded any more, the rules stand and are not forgotten`,
    tools: [...backend.tools, "unshare", "mount"],
    body: async () => {
      await using place = await makeHost([NAT, ROUTE]);
      const { host } = place;
      const bridgewall = await openBridgewall(place, backend);
      const before = await firewallState(host);
      const programs = FAMILY_PROGRAMS.map((one) =>
        variantProgram(one, backend.variant, "restore")
      );
      const standIns = programs.map((program) => refusingRestore(program, ""));
      await using refusing = await makeStandIns(standIns, bridgewall);
      await bridgewall.up(NAT);
      const one = await firewallState(host);
      const file = await bridgewall.write(ROUTE);
      for (const args of [["up", file], ["reload"], ["down", "--all"]]) {
        const argv = refusing.wrap(bridgewall.argv(args));
        const { code, stderr } = await run(argv, { namespace: host });
        assertEquals(code, 1, stderr);
        assertEquals(await firewallState(host), one, args[0]);
      }
      await bridgewall.succeed(["reload"]);
      assertEquals(await firewallState(host), one, "once it is not refused");
      await bridgewall.succeed(["check"]);
      await bridgewall.succeed(["down", "--all"]);
      assertEquals(await firewallState(host), before);
    },
  });
}

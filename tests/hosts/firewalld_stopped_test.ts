/** firewalld is stopped by its administrator while networks are up, or before one comes up. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { FIREWALLD_NFTABLES } from "./backends.ts";
import { definitionInZone, openWithFirewalld, ourFiles, zonesOf } from "./firewalld_state.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { definition, testNetwork } from "./test_network.ts";
import { makeHost } from "./topology.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>', dhcp: true });
const ROUTE = testNetwork(102, "route", { forward: '<forward mode="route"/>' });

/** Where the bridge was before, and the definition: what goes back when the network is taken down. */
const TAKEN: Readonly<Record<string, { readonly from?: string; readonly text: string }>> = {
  "a bridge that was in no zone": { text: definition(NAT) },
  "a bridge that was in another zone": { from: "work", text: definition(NAT) },
  "a bridge in a zone that the definition names": { text: definitionInZone(NAT, "internal") },
  "a bridge that was in another zone than the definition names": {
    from: "work",
    text: definitionInZone(NAT, "internal"),
  },
};

// It is about what firewalld is told: whatever it makes of that is tested elsewhere.
for (const backend of [FIREWALLD_NFTABLES]) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: while firewalld is stopped, up and check say so`,
    tools,
    body: async (t) => {
      await using place = await makeHost([NAT, ROUTE]);
      const { bridgewall, firewalld } = await openWithFirewalld(place, backend);
      const file = await bridgewall.write(ROUTE);
      const proveRefused = async (): Promise<void> => {
        const before = await firewallState(place.host);
        const { code, stderr } = await bridgewall.run(["up", file]);
        assertEquals(code, 4, stderr);
        assertStringIncludes(stderr, "firewalld: firewalld is not running");
        for (const other of ["nftables: ", "iptables: "]) assertStringIncludes(stderr, other);
        assertEquals(await firewallState(place.host), before);
      };
      await t.step("up is refused, with what the other backends could do", async () => {
        await firewalld.stop();
        await proveRefused();
        assertEquals(await ourFiles(firewalld), []);
        await firewalld.start();
      });
      await bridgewall.up(NAT);
      const files = await ourFiles(firewalld);
      await firewalld.stop();
      await t.step("check exits 3", async () => {
        const { code, stdout, stderr } = await bridgewall.run(["check"]);
        assertEquals(code, 3, stderr);
        assertStringIncludes(stdout, "firewalld is not running");
      });
      await t.step("up of another network is refused as well, and harms none", async () => {
        await proveRefused();
        assertEquals(await ourFiles(firewalld), files);
      });
      await t.step("once it has started, all is there again", async () => {
        await firewalld.start();
        await bridgewall.succeed(["check"]);
        await bridgewall.succeed(["up", file]);
      });
    },
  });

  hostTest({
    name: `${name}: down succeeds while firewalld is stopped, and nothing is left when it starts`,
    tools,
    body: async (t) => {
      await using place = await makeHost([NAT]);
      const { host } = place;
      const { bridgewall, firewalld } = await openWithFirewalld(place, backend);
      for (const [says, { from, text }] of Object.entries(TAKEN)) {
        await t.step(says, async () => {
          if (from !== undefined) {
            await firewalld.command("--permanent", `--zone=${from}`, "--change-interface=br101");
          }
          await firewalld.command("--reload");
          const [listings, rules] = [await firewalld.listings(), await firewallState(host)];
          const zones = await zonesOf(place, firewalld, NAT.bridge);
          await bridgewall.succeed(["up", await bridgewall.write(text)]);
          await firewalld.stop();
          await bridgewall.down(NAT);
          await firewalld.start();
          const found = await zonesOf(place, firewalld, NAT.bridge);
          const [state, left] = [await firewalld.listings(), await ourFiles(firewalld)];
          const after = await firewallState(host);
          // For the next step, whatever became of this one.
          if (!found.permanent.includes("no zone")) {
            const flag = `--zone=${found.permanent}`;
            await firewalld.command("--permanent", flag, "--remove-interface=br101");
          }
          assertEquals(found, zones);
          assertEquals(left, []);
          assertEquals(state, listings);
          assertEquals(after, rules);
        });
      }
    },
  });
}

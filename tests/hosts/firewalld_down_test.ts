/** What is left in firewalld when networks go, one after the other. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { FIREWALLD_IPTABLES, FIREWALLD_NFTABLES } from "./backends.ts";
import { filesOf, listingsOfOthers, openWithFirewalld, ourFiles } from "./firewalld_state.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { testNetwork } from "./test_network.ts";
import { makeHost } from "./topology.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>', dhcp: true });
const ROUTE = testNetwork(102, "route", { forward: '<forward mode="route"/>' });
const ISOLATED = testNetwork(103, "isolated", { dhcp: true });

/** What firewalld tells of these bridges' zones and policies, each a block of lines. */
function blocksOf(listings: string, bridges: readonly string[]): readonly string[] {
  const ours = (block: string): boolean =>
    bridges.some((bridge) => new RegExp(`^bw-${bridge}\\b.*\\n {2}`).test(block));
  return listings.split(/^(?=\S)/m).filter(ours).map((block) => block.trimEnd());
}

for (const backend of [FIREWALLD_NFTABLES, FIREWALLD_IPTABLES]) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: each down leaves the zones and policies of other networks, the last one none`,
    tools,
    body: async (t) => {
      await using place = await makeHost([NAT, ROUTE, ISOLATED]);
      const { bridgewall, firewalld } = await openWithFirewalld(place, backend);
      const [listings, files] = [await firewalld.listings(), await filesOf(firewalld)];
      const others = await listingsOfOthers(firewalld);
      const rules = await firewallState(place.host);
      await bridgewall.up(NAT, ROUTE, ISOLATED);
      const up = await firewalld.listings();
      await t.step("others are as before while all are up", async () => {
        assertNotEquals(up, listings);
        assertEquals(await listingsOfOthers(firewalld), others);
      });
      const staying = [NAT, ROUTE, ISOLATED];
      for (const leaving of [ROUTE, NAT]) {
        staying.splice(staying.indexOf(leaving), 1);
        await t.step(`${leaving.name} goes, ${staying.map((one) => one.name)} stay`, async () => {
          await bridgewall.down(leaving);
          const now = await firewalld.listings();
          const bridges = staying.map(({ bridge }) => bridge);
          assertEquals(blocksOf(now, bridges), blocksOf(up, bridges));
          assert(blocksOf(now, bridges).length > 2 * bridges.length, now);
          assertEquals(blocksOf(now, [leaving.bridge]), []);
          assert(!(await ourFiles(firewalld)).some((file) => file.includes(leaving.bridge)));
          await bridgewall.succeed(["check"]);
        });
      }
      await t.step("the last one goes, and all is as it was", async () => {
        await bridgewall.down(ISOLATED);
        assertEquals(await firewalld.listings(), listings);
        assertEquals(await filesOf(firewalld), files);
        assertEquals(await firewallState(place.host), rules);
      });
    },
  });
}

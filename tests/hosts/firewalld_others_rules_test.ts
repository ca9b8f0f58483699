/** Rules that others have in iptables, where a reload of firewalld empties all tables of iptables. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { FIREWALLD_IPTABLES, FIREWALLD_NFTABLES } from "./backends.ts";
import { openWithFirewalld } from "./firewalld_state.ts";
import { FAMILY_PROGRAMS, restoreRules, variantProgram } from "./iptables_variant.ts";
import { everyOperation, stepName } from "./every_operation.ts";
import { hostTest } from "./requirements.ts";
import { firewallParts, loadForeignRules } from "./ruleset.ts";
import { testNetwork } from "./test_network.ts";
import { makeHost } from "./topology.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>', dhcp: true });
const ROUTE = testNetwork(102, "route", { forward: '<forward mode="route"/>' });

/** Before all others, after all others, twice the same, and in chains of their own, in both families. */
const THEIR_RULES = `*filter
:THEIRS - [0:0]
-I INPUT 1 -i wlan0 -j THEIRS
-I FORWARD 1 -p tcp -m tcp --dport 25 -j REJECT --reject-with tcp-reset
-I FORWARD 2 -j THEIRS
-A FORWARD -m comment --comment "after all others, it's said" -j THEIRS
-A FORWARD -j THEIRS
-A THEIRS -p tcp -m multiport --dports 80,443 -j RETURN
-A THEIRS -i wlan0 -m comment --comment "-A FORWARD -j DROP" -j ACCEPT
-A THEIRS -i wlan0 -m comment --comment "-A FORWARD -j DROP" -j ACCEPT
COMMIT
*nat
:THEIR_NAT - [0:0]
:EMPTY - [0:0]
-I POSTROUTING 1 -o wlan0 -j THEIR_NAT
-A POSTROUTING -o wlan1 -j MASQUERADE
-A THEIR_NAT -j RETURN
COMMIT
*mangle
-I POSTROUTING 1 -o wlan0 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
COMMIT
`;

/** All there is in iptables, but for what this backend may make itself: the rules of zones. */
async function inIptables(host: string): Promise<readonly string[]> {
  const { iptablesNft } = await firewallParts(host);
  return iptablesNft.split("\n")
    .filter((line) => line !== "" && !/(?:IN|FWD|FWDI|FWDO|PRE|POST)_|_ZONES|_POLICIES/.test(line));
}

for (const backend of [FIREWALLD_NFTABLES, FIREWALLD_IPTABLES]) {
  const { name, tools } = backend;
  for (const policy of ["ACCEPT", "DROP"]) {
    hostTest({
      name: `${name}: rules of others in iptables stay in their order (FORWARD ${policy})`,
      tools,
      body: async (t) => {
        await using place = await makeHost([NAT, ROUTE]);
        const { host } = place;
        const { bridgewall } = await openWithFirewalld(place, backend);
        const empty = await inIptables(host);
        await loadForeignRules(host, backend);
        for (const family of FAMILY_PROGRAMS) {
          const restore = variantProgram(family, "nft", "restore");
          await restoreRules(host, restore, THEIR_RULES);
          await restoreRules(host, restore, `*filter\n:FORWARD ${policy}\nCOMMIT\n`);
        }
        const [before, whole] = [await inIptables(host), await firewallParts(host)];
        assertNotEquals(before, empty);
        assert(before.some((line) => line.startsWith(`:FORWARD ${policy}`)), before.join("\n"));
        const files = await Promise.all([NAT, ROUTE].map(bridgewall.write));
        for (const args of everyOperation(files, NAT.name)) {
          await t.step(stepName(args), async () => {
            const { stderr } = await bridgewall.succeed(args);
            assertEquals(await inIptables(host), before, stderr);
          });
        }
        await t.step("all that the host has is as it was, byte for byte", async () => {
          assertEquals(await firewallParts(host), whole);
        });
      },
    });
  }
}

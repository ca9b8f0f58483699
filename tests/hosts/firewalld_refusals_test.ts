/** What stands in the way in firewalld is said before anything is changed. */
import { assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { FIREWALLD_NFTABLES } from "./backends.ts";
import {
  definitionInZone,
  everythingOf,
  openWithFirewalld,
  type WithFirewalld,
  writeByHand,
} from "./firewalld_state.ts";
import { hostTest } from "./requirements.ts";
import { loadForeignRules } from "./ruleset.ts";
import { run } from "./run_program.ts";
import { definition, testNetwork } from "./test_network.ts";
import { makeHost, type TestHost } from "./topology.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>', dhcp: true });
const ROUTE = testNetwork(102, "route", { forward: '<forward mode="route"/>' });

const THEIR_ZONE = `<?xml version="1.0" encoding="utf-8"?>
<zone>
  <short>Ours since 2019</short>
  <service name="ssh"/>
</zone>
`;

/** Valid by itself; the zone that it speaks of was deleted. */
const BROKEN_POLICY = `<?xml version="1.0" encoding="utf-8"?>
<policy target="ACCEPT">
  <ingress-zone name="gone"/>
  <egress-zone name="public"/>
</policy>
`;

/** Tries to bring up a definition; what it says when it is refused, and nothing was changed. */
async function refusalOf(
  place: TestHost,
  both: WithFirewalld,
  text: string,
): Promise<string> {
  const before = await everythingOf(place, both);
  const { bridgewall } = both;
  const { code, stderr } = await bridgewall.run(["up", await bridgewall.write(text)]);
  assertNotEquals(code, 0, stderr);
  assertStringIncludes(stderr, "error: ");
  assertEquals(await everythingOf(place, both), before);
  return stderr;
}

// It is about what firewalld is told: whatever it makes of that is tested elsewhere.
for (const backend of [FIREWALLD_NFTABLES]) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: up tells what firewalld would not take, and changes nothing`,
    tools,
    body: async (t) => {
      await using place = await makeHost([NAT, ROUTE]);
      const both = await openWithFirewalld(place, backend);
      const { bridgewall, firewalld } = both;
      await loadForeignRules(place.host, backend);
      await t.step("a zone that does not exist: it is named, and those that do", async () => {
        const said = await refusalOf(place, both, definitionInZone(NAT, "nowhere"));
        assertStringIncludes(said, '"nowhere"');
        for (const zone of (await firewalld.command("--get-zones")).split(" ")) {
          assertStringIncludes(said, zone);
        }
      });
      await t.step("a zone that is not loaded yet is not there either", async () => {
        await firewalld.command("--permanent", "--new-zone=soon");
        assertStringIncludes(await refusalOf(place, both, definitionInZone(NAT, "soon")), '"soon"');
        await firewalld.command("--permanent", "--delete-zone=soon");
      });
      for (const [says, load] of [["loaded", true], ["not loaded", false]] as const) {
        await t.step(`somebody else's zone of our name, ${says}`, async () => {
          await using _theirs = await writeByHand(firewalld, "zones/bw-br101.xml", THEIR_ZONE);
          if (load) await firewalld.command("--reload");
          const said = await refusalOf(place, both, definition(NAT));
          assertStringIncludes(said, "/etc/firewalld/zones/bw-br101.xml");
        });
      }
      await t.step("somebody else's policy of our name", async () => {
        await firewalld.command("--permanent", "--new-policy=bw-br101-nat");
        const said = await refusalOf(place, both, definition(NAT));
        assertStringIncludes(said, "/etc/firewalld/policies/bw-br101-nat.xml");
        await firewalld.command("--permanent", "--delete-policy=bw-br101-nat");
      });
      await t.step("a broken configuration of somebody else, in firewalld's words", async () => {
        await using _broken = await writeByHand(firewalld, "policies/theirs.xml", BROKEN_POLICY);
        const asked = firewalld.onHost(["firewall-cmd", "--check-config"]);
        const { code, stderr } = await run(asked, { namespace: place.host });
        assertNotEquals(code, 0);
        const [, words = ""] = stderr.trim().match(/([A-Z_]+: .*)$/m) ?? [];
        const said = await refusalOf(place, both, definition(NAT));
        assertStringIncludes(said, words);
        assertNotEquals(words, "");
      });
      await bridgewall.up(NAT);
      await t.step("a broken configuration stops another network, and harms none", async () => {
        await using _broken = await writeByHand(firewalld, "policies/theirs.xml", BROKEN_POLICY);
        assertStringIncludes(await refusalOf(place, both, definition(ROUTE)), "gone");
        await bridgewall.succeed(["check"]);
      });
      await t.step("once nothing stands in the way, the network comes up", async () => {
        await bridgewall.up(ROUTE);
        await bridgewall.succeed(["check"]);
      });
    },
  });
}

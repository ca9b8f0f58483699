/** What others changed in firewalld at run time only is neither lost to our reloads nor made live by them. */
import { assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { FIREWALLD_NFTABLES } from "./backends.ts";
import type { FirewalldHost } from "./firewalld_host.ts";
import { listingsOfOthers, openWithFirewalld } from "./firewalld_state.ts";
import { hostTest } from "./requirements.ts";
import { firewallState } from "./ruleset.ts";
import { testNetwork } from "./test_network.ts";
import { makeHost } from "./topology.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>', dhcp: true });

/** In files, and loaded. */
const PERMANENT: readonly (readonly string[])[] = [
  ["--permanent", "--zone=work", "--change-interface=wlan1"],
  ["--permanent", "--zone=work", "--add-source=10.4.0.0/16"],
  ["--permanent", "--zone=work", "--add-source=10.5.0.0/16"],
  ["--permanent", "--zone=dmz", "--add-port=25/tcp"],
  ["--permanent", "--zone=dmz", "--add-rich-rule=rule service name=smtp accept"],
  ["--permanent", "--new-policy=theirs"],
  ["--permanent", "--policy=theirs", "--add-ingress-zone=work"],
  ["--permanent", "--policy=theirs", "--add-egress-zone=HOST"],
  ["--permanent", "--policy=theirs", "--add-service=ftp"],
  ["--permanent", "--policy=theirs", "--add-service=imap"],
  ["--reload"],
];

/** What somebody then does for the time being. */
const RUNTIME: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "ports, of either side": [
    ["--zone=public", "--add-port=8080/tcp"],
    ["--zone=public", "--add-port=2000-2010/udp"],
    ["--zone=public", "--add-source-port=4000/udp"],
    ["--zone=public", "--add-protocol=gre"],
    ["--zone=dmz", "--remove-port=25/tcp"],
  ],
  "rich rules": [
    [
      "--zone=public",
      '--add-rich-rule=rule family="ipv4" source address="10.1.0.0/16" service name="http" ' +
      'log prefix="web, or so: " level="info" limit value="3/m" accept',
    ],
    [
      "--zone=public",
      "--add-rich-rule=rule priority=-5 family=ipv6 source NOT address=fd00::/8 drop",
    ],
    ["--zone=dmz", "--remove-rich-rule=rule service name=smtp accept"],
  ],
  "services": [
    ["--zone=public", "--remove-service=ssh"],
    ["--zone=home", "--add-service=https"],
  ],
  "masquerading, and what is forwarded": [
    ["--zone=external", "--remove-masquerade"],
    ["--zone=dmz", "--add-masquerade"],
    ["--zone=internal", "--remove-forward"],
    ["--zone=public", "--add-forward-port=port=80:proto=tcp:toport=8080:toaddr=10.2.0.1"],
    ["--zone=public", "--add-forward-port=port=81:proto=tcp:toport=8081"],
  ],
  "ICMP": [
    ["--zone=public", "--add-icmp-block=echo-request"],
    ["--zone=dmz", "--add-icmp-block-inversion"],
  ],
  "interfaces": [
    ["--zone=home", "--add-interface=wlan0"],
    ["--zone=trusted", "--change-interface=wlan1"],
  ],
  "sources": [
    ["--zone=home", "--add-source=10.3.0.0/16"],
    ["--zone=trusted", "--change-source=10.4.0.0/16"],
    ["--zone=work", "--remove-source=10.5.0.0/16"],
  ],
  "a policy": [
    ["--policy=theirs", "--add-service=http"],
    ["--policy=theirs", "--remove-service=ftp"],
    ["--policy=theirs", "--add-port=9000/tcp"],
    ["--policy=theirs", "--add-rich-rule=rule family=ipv4 source address=10.6.0.0/16 reject"],
    ["--policy=theirs", "--add-ingress-zone=home"],
  ],
};

async function runAll(
  firewalld: FirewalldHost,
  lines: readonly (readonly string[])[],
): Promise<void> {
  for (const args of lines) await firewalld.command(...args);
}

/** The rules, wherever they stand in their chains: what comes back comes last. */
async function rulesOf(host: string): Promise<readonly string[]> {
  return (await firewallState(host)).split("\n").sort();
}

// It is about what firewalld is told: whatever it makes of that is tested elsewhere.
for (const backend of [FIREWALLD_NFTABLES]) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: what firewalld holds at run time only outlives up, reload and down`,
    tools,
    body: async (t) => {
      await using place = await makeHost([NAT]);
      const { host } = place;
      const { bridgewall, firewalld } = await openWithFirewalld(place, backend);
      await runAll(firewalld, PERMANENT);
      const file = await bridgewall.write(NAT);
      const pristine = await listingsOfOthers(firewalld);
      for (
        const [says, lines] of [...Object.entries(RUNTIME), [
          "all",
          Object.values(RUNTIME).flat(),
        ]] as const
      ) {
        await t.step(says, async (step) => {
          await runAll(firewalld, lines);
          const [before, rules] = [await listingsOfOthers(firewalld), await rulesOf(host)];
          assertNotEquals(before, pristine);
          for (const args of [["up", file], ["up", file], ["reload"], ["down", "--all"]]) {
            await step.step(args[0] ?? "", async () => {
              await bridgewall.succeed(args);
              assertEquals(await listingsOfOthers(firewalld), before);
            });
          }
          await step.step("the rules are there, too", async () => {
            assertEquals(await rulesOf(host), rules);
          });
          await firewalld.command("--reload");
          assertEquals(await listingsOfOthers(firewalld), pristine);
        });
      }
      await t.step("up tells what it put back", async () => {
        await firewalld.command("--zone=public", "--add-port=8080/tcp");
        const { stderr } = await bridgewall.succeed(["up", file]);
        assertStringIncludes(stderr, 'zone "public": ports');
      });
    },
  });
}

/** Other people's rules in the same tables, and other people's programs at work in them. */
import { assert, assertEquals } from "@std/assert";
import { IPTABLES, IPTABLES_LEGACY, type IptablesUnderTest } from "./backends.ts";
import { startInNamespace } from "./background.ts";
import { openBridgewall } from "./bridgewall.ts";
import { FIVE, NAT, NAT66 } from "./five_networks.ts";
import { FAMILY_PROGRAMS, restoreRules, variantProgram, XTABLES_LOCK } from "./iptables_variant.ts";
import { everyOperation, stepName } from "./every_operation.ts";
import { hostTest } from "./requirements.ts";
import { firewallParts, firewallState, loadForeignRules } from "./ruleset.ts";
import { proveSideBySide } from "./side_by_side.ts";
import { makeHost } from "./topology.ts";

/** Somebody's own rules before ours, after ours, and in chains of their own, in each table of ours. */
const THEIR_RULES = `*filter
:THEIRS - [0:0]
-I FORWARD 1 -p tcp -m tcp --dport 25 -j REJECT --reject-with tcp-reset
-I FORWARD 2 -j THEIRS
-A FORWARD -m comment --comment "after all others" -j THEIRS
-A THEIRS -i wlan0 -m comment --comment "as br101, but not ours" -j ACCEPT
-I INPUT 1 -i wlan0 -j THEIRS
COMMIT
*nat
:THEIR_NAT - [0:0]
-I POSTROUTING 1 -o wlan0 -j THEIR_NAT
-A POSTROUTING -o wlan1 -j MASQUERADE
-A THEIR_NAT -j RETURN
COMMIT
*mangle
-I POSTROUTING 1 -o wlan0 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
COMMIT
`;

/** Loads them into both families. */
async function loadTheirRules(host: string, { variant }: IptablesUnderTest): Promise<void> {
  for (const family of FAMILY_PROGRAMS) {
    await restoreRules(host, variantProgram(family, variant, "restore"), THEIR_RULES);
  }
}

/** The rules and chains that are not ours, in their order. */
async function theirRules(host: string, { variant }: IptablesUnderTest): Promise<string> {
  const { legacy, iptablesNft } = await firewallParts(host);
  return (variant === "legacy" ? legacy : iptablesNft).split("\n")
    .filter((line) => !/BRIDGEWALL_|BWALL_/.test(line)).join("\n");
}

for (const backend of IPTABLES) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: whatever others have in the same tables stays as it is and where it is`,
    tools,
    body: async (t) => {
      await using place = await makeHost(FIVE);
      const { host } = place;
      const bridgewall = await openBridgewall(place, backend);
      await loadForeignRules(host, backend);
      await bridgewall.up(NAT);
      await loadTheirRules(host, backend);
      const theirs = await theirRules(host, backend);
      const files = await Promise.all(FIVE.map(bridgewall.write));
      for (const args of everyOperation(files, NAT.name)) {
        await t.step(stepName(args), async () => {
          await bridgewall.succeed(args);
          assertEquals(await theirRules(host, backend), theirs);
        });
      }
      await t.step("nothing of ours is left between theirs", async () => {
        assert(!/BRIDGEWALL_|BWALL_/.test(await firewallState(host)));
      });
    },
  });
}

/** How long somebody else holds the lock. */
const HELD_SECONDS = 3;

/** Runs a command while somebody holds the host's lock of iptables; seconds until it ended. */
async function runWhileLocked(command: string): Promise<number> {
  await using place = await makeHost([NAT, NAT66]);
  const { host } = place;
  const bridgewall = await openBridgewall(place, IPTABLES_LEGACY);
  await loadForeignRules(host, IPTABLES_LEGACY);
  const before = await firewallState(host);
  const files = await Promise.all([NAT, NAT66].map(bridgewall.write));
  const args = { up: ["up", ...files], reload: ["reload"], down: ["down", "--all"] }[command];
  if (command !== "up") await bridgewall.succeed(["up", ...files]);

  const hold = ["flock", XTABLES_LOCK, "sh", "-c", `echo held; exec sleep ${HELD_SECONDS}`];
  await using holder = startInNamespace(host, bridgewall.onHost(hold));
  assertEquals(await holder.read(), "held");
  const started = performance.now();
  const finished = await bridgewall.run(args ?? []);
  const seconds = (performance.now() - started) / 1000;
  assertEquals(finished.code, 0, finished.stderr);
  await bridgewall.succeed(["check"]);
  await bridgewall.succeed(["down", "--all"]);
  assertEquals(await firewallState(host), before);
  return seconds;
}

hostTest({
  name: "iptables-legacy: while somebody else holds the lock of iptables, commands wait for it",
  tools: [...IPTABLES_LEGACY.tools, "flock", "unshare", "mount"],
  body: async (t) => {
    await proveSideBySide(
      t,
      ["up", "reload", "down"].map((command) => ({
        says: `${command} succeeds once the lock is free`,
        prove: async () => {
          const seconds = await runWhileLocked(command);
          // The lock was taken a little before the clock was started.
          assert(seconds >= HELD_SECONDS - 0.5, `did not wait: ${seconds.toFixed(1)} seconds`);
        },
      })),
    );
  },
});

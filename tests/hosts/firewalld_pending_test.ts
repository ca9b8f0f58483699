/** What others have in files and did not load yet waits for them, not for our reload, as far as can be. */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { FIREWALLD_NFTABLES } from "./backends.ts";
import { halvesOfOthers, openWithFirewalld } from "./firewalld_state.ts";
import { hostTest } from "./requirements.ts";
import { testNetwork } from "./test_network.ts";
import { makeHost } from "./topology.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>', dhcp: true });

/** What was loaded before. */
const LOADED: readonly (readonly string[])[] = [
  ["--permanent", "--new-policy=theirs"],
  ["--permanent", "--policy=theirs", "--add-ingress-zone=work"],
  ["--permanent", "--policy=theirs", "--add-egress-zone=HOST"],
  ["--permanent", "--new-zone=old"],
  ["--permanent", "--zone=old", "--add-service=http"],
];

interface Pending {
  readonly todo: readonly string[][];
  readonly back: readonly string[][];
  /** Present where firewalld has no way to take it back at run time: what is said of it instead. */
  readonly said?: RegExp;
  /** Present for what is new: it is there at run time, and in no use. */
  readonly isIdle?: true;
}

/** What somebody prepares, each way back beside it. */
const PENDING: Readonly<Record<string, Pending>> = {
  "a port": {
    todo: [["--zone=public", "--add-port=8080/tcp"]],
    back: [["--zone=public", "--remove-port=8080/tcp"]],
  },
  "a service that goes": {
    todo: [["--zone=public", "--remove-service=ssh"]],
    back: [["--zone=public", "--add-service=ssh"]],
  },
  "an interface": {
    todo: [["--zone=home", "--change-interface=wlan0"]],
    back: [["--zone=home", "--remove-interface=wlan0"]],
  },
  "the target of a zone": {
    todo: [["--zone=public", "--set-target=DROP"]],
    back: [["--zone=public", "--set-target=default"]],
    said: /the target of zone "public"/,
  },
  "the priority of a policy": {
    todo: [["--policy=theirs", "--set-priority=-10"]],
    back: [["--policy=theirs", "--set-priority=-1"]],
    said: /the priority of policy "theirs"/,
  },
  "a new policy": {
    todo: [
      ["--new-policy=soon"],
      ["--policy=soon", "--add-ingress-zone=ANY"],
      ["--policy=soon", "--add-egress-zone=HOST"],
      ["--policy=soon", "--set-target=DROP"],
    ],
    back: [["--delete-policy=soon"]],
    isIdle: true,
  },
  "a zone that goes": {
    todo: [["--delete-zone=old"]],
    back: [["--new-zone=old"], ["--zone=old", "--add-service=http"]],
    said: /zone "old" is gone/,
  },
};

// Files are the same, whatever firewalld makes its rules with.
for (const backend of [FIREWALLD_NFTABLES]) {
  const { name, tools } = backend;
  hostTest({
    name:
      `${name}: what others prepared in files is not put into force by up or down, or that is said`,
    tools,
    body: async (t) => {
      await using place = await makeHost([NAT]);
      const { bridgewall, firewalld } = await openWithFirewalld(place, backend);
      for (const args of LOADED) await firewalld.command(...args);
      await firewalld.command("--reload");
      const file = await bridgewall.write(NAT);
      for (const [says, { todo, back, said, isIdle }] of Object.entries(PENDING)) {
        await t.step(says, async (step) => {
          const loaded = await halvesOfOthers(firewalld);
          for (const args of todo) await firewalld.command("--permanent", ...args);
          const prepared = await halvesOfOthers(firewalld);
          assertNotEquals(prepared.permanent, loaded.permanent);
          assertEquals(prepared.runtime, loaded.runtime);
          let told = "";
          for (const args of [["up", file], ["down", "--all"]]) {
            told += (await bridgewall.succeed(args)).stderr;
            const { runtime, permanent } = await halvesOfOthers(firewalld);
            await step.step(`${args[0]} does not put it into force unsaid`, async () => {
              if (isIdle) {
                const used = await firewalld.command("--get-active-zones") +
                  await firewalld.command("--get-active-policies");
                assert(!used.includes("soon"), used);
              } else if (said === undefined) assertEquals(runtime, prepared.runtime);
              else assertMatch(told, said);
            });
            await step.step(`${args[0]} leaves it prepared`, () => {
              assertEquals(permanent, prepared.permanent);
            });
          }
          for (const args of back) await firewalld.command("--permanent", ...args);
          await firewalld.command("--reload");
          assertEquals(await halvesOfOthers(firewalld), loaded);
        });
      }
    },
  });
}

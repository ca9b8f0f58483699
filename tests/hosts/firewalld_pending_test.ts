/** What others have in files and did not load yet waits for them, and not for our reload. */
import { assertEquals, assertNotEquals } from "@std/assert";
import { FIREWALLD_IPTABLES, FIREWALLD_NFTABLES } from "./backends.ts";
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

/** What somebody prepares, each way back beside it. */
const PENDING: Readonly<
  Record<string, { readonly todo: readonly string[][]; readonly back: readonly string[][] }>
> = {
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
  "a source": {
    todo: [["--zone=home", "--add-source=10.3.0.0/16"]],
    back: [["--zone=home", "--remove-source=10.3.0.0/16"]],
  },
  "a policy's rule": {
    todo: [["--policy=theirs", "--add-rich-rule=rule family=ipv4 source address=10.6.0.0/16 drop"]],
    back: [
      ["--policy=theirs", "--remove-rich-rule=rule family=ipv4 source address=10.6.0.0/16 drop"],
    ],
  },
  "the target of a zone": {
    todo: [["--zone=public", "--set-target=DROP"]],
    back: [["--zone=public", "--set-target=default"]],
  },
  "the target of a policy": {
    todo: [["--policy=theirs", "--set-target=ACCEPT"]],
    back: [["--policy=theirs", "--set-target=CONTINUE"]],
  },
  "the priority of a policy": {
    todo: [["--policy=theirs", "--set-priority=-10"]],
    back: [["--policy=theirs", "--set-priority=-1"]],
  },
  "a new zone with a source": {
    todo: [["--new-zone=soon"], ["--zone=soon", "--add-source=10.7.0.0/16"]],
    back: [["--delete-zone=soon"]],
  },
  "a new policy": {
    todo: [
      ["--new-policy=soon"],
      ["--policy=soon", "--add-ingress-zone=ANY"],
      ["--policy=soon", "--add-egress-zone=HOST"],
      ["--policy=soon", "--set-target=DROP"],
    ],
    back: [["--delete-policy=soon"]],
  },
  "a zone that goes": {
    todo: [["--delete-zone=old"]],
    back: [["--new-zone=old"], ["--zone=old", "--add-service=http"]],
  },
};

for (const backend of [FIREWALLD_NFTABLES, FIREWALLD_IPTABLES]) {
  const { name, tools } = backend;
  hostTest({
    name: `${name}: what others prepared in files is not made live by up or down`,
    tools,
    body: async (t) => {
      await using place = await makeHost([NAT]);
      const { bridgewall, firewalld } = await openWithFirewalld(place, backend);
      for (const args of LOADED) await firewalld.command(...args);
      await firewalld.command("--reload");
      const file = await bridgewall.write(NAT);
      for (const [says, { todo, back }] of Object.entries(PENDING)) {
        await t.step(says, async (step) => {
          const loaded = await halvesOfOthers(firewalld);
          for (const args of todo) await firewalld.command("--permanent", ...args);
          const prepared = await halvesOfOthers(firewalld);
          assertNotEquals(prepared.permanent, loaded.permanent);
          assertEquals(prepared.runtime, loaded.runtime);
          for (const args of [["up", file], ["down", "--all"]]) {
            await bridgewall.succeed(args);
            const { runtime, permanent } = await halvesOfOthers(firewalld);
            await step.step(`${args[0]} does not make it live`, () => {
              assertEquals(runtime, prepared.runtime);
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

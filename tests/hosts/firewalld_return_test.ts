/** A bridge that was in a zone of somebody else goes back there, whatever happened in between. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { FIREWALLD_NFTABLES } from "./backends.ts";
import type { FirewalldHost } from "./firewalld_host.ts";
import {
  definitionInZone,
  openWithFirewalld,
  ourFiles,
  type ZonePair,
  zonesOf,
} from "./firewalld_state.ts";
import { hostTest } from "./requirements.ts";
import { definition, testNetwork } from "./test_network.ts";
import { makeHost } from "./topology.ts";

const NAT = testNetwork(101, "nat", { forward: '<forward mode="nat"/>', dhcp: true });
const INTERFACE = `-interface=${NAT.bridge}`;

/** Where the bridge was, and how somebody had put it there. */
const BEFORE: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "in no zone": [],
  "in a zone now and for good": [
    ["--permanent", "--zone=work", `--change${INTERFACE}`],
    ["--reload"],
  ],
  "in a zone at run time only": [["--zone=work", `--change${INTERFACE}`]],
  "in a zone permanently only": [["--permanent", "--zone=work", `--change${INTERFACE}`]],
  "in one zone now, and in another for good": [
    ["--permanent", "--zone=work", `--change${INTERFACE}`],
    ["--reload"],
    ["--zone=home", `--change${INTERFACE}`],
  ],
};

/** The zone that the network takes the bridge into. */
interface Stay {
  readonly zone: string;
  readonly text: string;
}

const OWN: Stay = { zone: "bw-br101", text: definition(NAT) };
const NAMED: Stay = { zone: "internal", text: definitionInZone(NAT, "internal") };

/** By `FlushAllOnReload`. */
const STAYS = { yes: [OWN, NAMED], no: [OWN] } as const;

/** Makes a reload forget interfaces, as is the default, or keep them, as firewalld did before 1.0. */
async function chooseFlush(firewalld: FirewalldHost, flush: "yes" | "no"): Promise<void> {
  const path = `${firewalld.configuration}/firewalld.conf`;
  const text = await Deno.readTextFile(path);
  const changed = text.replace(/^FlushAllOnReload=.*$/m, `FlushAllOnReload=${flush}`);
  assertStringIncludes(changed, `\nFlushAllOnReload=${flush}\n`);
  await Deno.writeTextFile(path, changed);
  await firewalld.command("--reload");
  await firewalld.command("--zone=dmz", "--change-interface=other0");
  await firewalld.command("--reload");
  const kept = (await firewalld.command("--zone=dmz", "--list-interfaces")) === "other0";
  assertEquals(kept, flush === "no", "the setting is in use");
}

// Where an interface is, is the same business whatever firewalld makes its rules with.
for (const backend of [FIREWALLD_NFTABLES]) {
  for (const flush of ["yes", "no"] as const) {
    hostTest({
      name: `${backend.name}: down gives the bridge back to its zone (FlushAllOnReload=${flush})`,
      tools: backend.tools,
      body: async (t) => {
        await using place = await makeHost([NAT]);
        const { bridgewall, firewalld } = await openWithFirewalld(place, backend);
        await chooseFlush(firewalld, flush);
        const pristine = await zonesOf(place, firewalld, NAT.bridge);
        const forget = async (): Promise<void> => {
          const { runtime, permanent } = await zonesOf(place, firewalld, NAT.bridge);
          if (permanent !== pristine.permanent) {
            await firewalld.command("--permanent", `--zone=${permanent}`, `--remove${INTERFACE}`);
          }
          if (runtime !== pristine.runtime) {
            await firewalld.command(`--zone=${runtime}`, `--remove${INTERFACE}`);
          }
        };
        for (const [was, commands] of Object.entries(BEFORE)) {
          // What firewalld keeps by itself differs only for what it has at run time.
          if (flush === "no" && !was.includes("now") && !was.includes("run time")) continue;
          const comeBack = async (): Promise<ZonePair> => {
            await forget();
            for (const command of commands) await firewalld.command(...command);
            return await zonesOf(place, firewalld, NAT.bridge);
          };
          const before = await comeBack();
          const listings = await firewalld.listings();
          for (const { zone, text } of STAYS[flush]) {
            await t.step(`${was}, after up twice and reload in ${zone}`, async () => {
              assertEquals(await comeBack(), before);
              const file = await bridgewall.write(text);
              await bridgewall.succeed(["up", file]);
              await bridgewall.succeed(["up", file]);
              await bridgewall.succeed(["reload"]);
              await bridgewall.succeed(["check"]);
              const during = await zonesOf(place, firewalld, NAT.bridge);
              assertEquals(during, { runtime: zone, permanent: zone });
              await bridgewall.down(NAT);
              assertEquals(await zonesOf(place, firewalld, NAT.bridge), before);
              assertEquals(await firewalld.listings(), listings);
              assertEquals(await ourFiles(firewalld), []);
            });
          }
        }
      },
    });
  }
}

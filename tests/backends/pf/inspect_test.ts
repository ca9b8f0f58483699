import { assert, assertEquals, assertMatch } from "@std/assert";
import { check } from "../../../core/commands/check.ts";
import { status } from "../../../core/commands/status.ts";
import { HostError } from "../../../core/host.ts";
import { definitionOf } from "../../support/golden.ts";
import type { World } from "../../support/model_host.ts";
import { bringUp, defaultRoute, drift, freebsdWorld, look, run } from "./host.ts";
import { COMPLAINTS, DISABLED } from "./recorded.ts";

const DEFINITIONS = { default: definitionOf("bsd-default"), natnet: definitionOf("bsd-natnet") };
const ALL = { names: [], all: true };

async function worldWithBoth(): Promise<World> {
  const world = freebsdWorld();
  assertEquals((await run(world, DEFINITIONS, bringUp("default", "natnet"))).error, undefined);
  return world;
}

Deno.test("networks that stand as they were loaded are as they should be", async () => {
  const { text, exitCode } = await look(await worldWithBoth(), (context) => check(context, ALL));
  assertEquals([text, exitCode], [[], 0]);
});

Deno.test("an anchor that was flushed is named with its network: exit code 3", async () => {
  const world = await worldWithBoth();
  world.anchors = new Map([...world.anchors].filter(([path]) => path !== "bridgewall/natnet"));
  const { text, exitCode } = await look(world, (context) => check(context, ALL));
  assertEquals([text, exitCode], [
    ['Network "natnet": Anchor "bridgewall/natnet" is empty: its rules are gone'],
    3,
  ]);
});

Deno.test("a rule that was taken out is shown", async () => {
  const world = await worldWithBoth();
  const text = (world.anchors.get("bridgewall/~default") ?? "").replace(/^block .*\n/m, "");
  world.anchors = new Map([...world.anchors, ["bridgewall/~default", text]]);
  assertEquals(await drift(world), [
    'Network "default": Rule is missing from anchor "bridgewall/~default": ' +
    'block return out quick inet from <guests> to any label "default rejected"',
  ]);
});

Deno.test("a default route that has changed shows in the translation", async () => {
  const world = await worldWithBoth();
  const facts = { ...world.facts, routes: [defaultRoute("wlan0")] };
  const differences = await drift({ ...world, facts });
  assertMatch(differences[0] ?? "", /^Network "default": Rule is missing .*: nat pass on wlan0 /);
  assert(differences.some((one) => / is not ours: nat pass on re0 /.test(one)));
});

Deno.test("what keeps packets from all rules is named once, without a network", async () => {
  const world = await worldWithBoth();
  assertEquals(await drift(world, { "-s info": { stdout: DISABLED } }), [
    "pf is disabled, so no packet meets a rule",
  ]);
  const [missing, ...more] = await drift(world, { "-s rules": { stdout: "" } });
  assertMatch(
    missing ?? "",
    /^No packet gets to all of the rules: .* no `anchor "bridgewall\/\*"`$/,
  );
  assertEquals(more, []);
});

Deno.test("an anchor of ours that belongs to no network is named, those of others are not", async () => {
  const world = await worldWithBoth();
  const listed = ["default", "natnet", "of-libvirt", "~default", "~default", "~gone", "~natnet"];
  const stdout = listed.map((name) => `  bridgewall/${name}\n`).join("");
  assertEquals(await drift(world, { "-a bridgewall -s Anchors": { stdout } }), [
    'Anchor "bridgewall/~gone" belongs to no network',
  ]);
});

Deno.test("pf that does not answer is an error, not drift", async () => {
  const world = await worldWithBoth();
  for (
    const answers of [
      { "-s info": { ...COMPLAINTS.noModule, stdout: "" } },
      { "-a bridgewall/natnet -P -s rules": { status: 1, stderr: "pfctl: DIOCGETRULES: busy\n" } },
    ]
  ) {
    const error = await drift(world, answers).catch((thrown) => thrown);
    assert(error instanceof HostError);
    assertMatch(error.message, /^Cannot list the rules of pf: /);
  }
});

Deno.test("status counts what guests sent, what they got, and what was rejected", async () => {
  // Label, evaluations, packets and bytes: all, in, out; states.
  const labels = [
    "default dhcp 9 1 328 1 328 0 0 0",
    "default guests-out 7 30 3000 20 2000 10 1000 4",
    "default rejected 5 3 180 2 120 1 60 0",
  ].map((line) => `${line}\n`).join("");
  const { text, json } = await look(
    await worldWithBoth(),
    (context) => status(context, { names: ["default"], all: false }),
    {
      "-a bridgewall/default -s labels": { stdout: labels },
      "-a bridgewall/+default -s labels": { stdout: "default rejected 5 2 80 2 80 0 0 0\n" },
      "-a bridgewall/~default -s labels": { stdout: "default guests 5 9 900 9 900 0 0 0\n" },
    },
  );
  assertMatch(text[1] ?? "", /^default +nat +virbr0 .* pf +2\.0 KiB +1000 B +5 packets +active$/);
  const { networks } = json as { readonly networks: readonly { readonly traffic: unknown }[] };
  assertEquals(networks[0]?.traffic, {
    out: { packets: 20, bytes: 2000 },
    in: { packets: 10, bytes: 1000 },
    rejected: { packets: 5, bytes: 260 },
  });
});

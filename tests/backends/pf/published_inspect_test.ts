/** Published ports and masqueraded prefixes as `check` and `status` see them. */
import { assertEquals } from "@std/assert";
import { masquerade } from "../../../core/commands/masquerade.ts";
import { isCompiled } from "../../../core/commands/prepare.ts";
import { recordedPolicy } from "../../../core/commands/recorded_networks.ts";
import { status } from "../../../core/commands/status.ts";
import { definitionOf } from "../../support/golden.ts";
import { startProcess, type World } from "../../support/model_host.ts";
import { bringUp, drift, freebsdWorld, look, run } from "./host.ts";
import { publishing } from "./scene.ts";

const WEB = publishing(
  definitionOf("bsd-default"),
  "proto='tcp' port='8080' to='192.168.122.10:80'",
  "proto='udp' port='53' to='192.168.122.11'",
);

async function worldWithPorts(): Promise<World> {
  const world = freebsdWorld();
  const { error } = await run(world, { web: WEB }, bringUp("web"));
  assertEquals(error, undefined);
  const masqueraded = await run(
    world,
    {},
    (context) => masquerade(context, ["add", "10.8.0.0/16"]),
  );
  assertEquals(masqueraded.error, undefined);
  return world;
}

Deno.test("published ports and prefixes that stand as they were loaded are as they should be", async () => {
  assertEquals(await drift(await worldWithPorts()), []);
});

Deno.test("a redirection that is gone, or somebody else's, is shown with its network", async () => {
  const world = await worldWithPorts();
  const path = "bridgewall/default/=rdr";
  const [first = "", ...more] = (world.anchors.get(path) ?? "").split("\n");
  world.anchors = new Map([...world.anchors, [path, more.join("\n")]]);
  assertEquals(await drift(world), [
    `Network "default": Rule is missing from anchor "${path}": ${first}`,
  ]);
  const foreign = "rdr inet proto tcp from any to any port = 22 -> 192.168.122.10 port 22";
  world.anchors = new Map([...world.anchors, [path, [first, ...more].join("\n") + foreign + "\n"]]);
  assertEquals(await drift(world), [
    `Network "default": Rule in anchor "${path}" is not ours: ${foreign}`,
  ]);
  world.anchors = new Map([...world.anchors].filter(([name]) => name !== path));
  assertEquals(await drift(world), [
    `Network "default": Anchor "${path}" is empty: its rules are gone`,
  ]);
});

Deno.test("what is missing of masqueraded prefixes is shown as theirs", async () => {
  const world = await worldWithPorts();
  const path = "bridgewall/~+masquerade";
  const text = (world.anchors.get(path) ?? "").replace(/^nat .*\n/m, "");
  world.anchors = new Map([...world.anchors, [path, text]]);
  assertEquals(await drift(world), [
    `Masqueraded prefixes: Anchor "${path}" is empty: its rules are gone`,
  ]);
});

Deno.test("the anchor of prefixes that nobody remembers is named", async () => {
  const world = await worldWithPorts();
  world.files = new Map([...world.files].filter(([name]) => name === "default"));
  const stdout = "  bridgewall/~+masquerade\n  bridgewall/default/=rdr\n";
  assertEquals(await drift(world, { "-a bridgewall -s Anchors": { stdout } }), [
    'Anchor "bridgewall/~+masquerade" belongs to no network',
  ]);
});

Deno.test("published ports and prefixes are counted each by itself", async () => {
  const world = await worldWithPorts();
  const { context } = startProcess(world, {});
  const [backend] = context.backends.filter(({ name }) => name === "pf");
  const records = await context.host.records.readAll();
  const { networks = [] } = await backend?.inspect(
    context.host,
    records.flatMap((record) => {
      const policy = recordedPolicy(record);
      return isCompiled(policy) ? [{ policy, removal: record.removal }] : [];
    }),
  ) ?? {};
  const counted = networks.map(({ network, counted }) => [network, [...counted ?? []]]);
  const traffic = { packets: 3, bytes: 180 };
  assertEquals(counted, [
    ["/masquerade", [["10.8.0.0/16", traffic]]],
    ["default", [["8080:192.168.122.10:80/tcp", traffic], ["53:192.168.122.11:53/udp", traffic]]],
  ]);
});

Deno.test("what published ports carry is counted for their network", async () => {
  const labels = "default guests-out 7 30 3000 20 2000 10 1000 4\n" +
    "published tcp 192.168.122.10:80 3 9 900 4 400 5 500 1\n";
  const { json } = await look(
    await worldWithPorts(),
    (context) => status(context, { names: ["default"], all: false }),
    { "-a bridgewall/default -s labels": { stdout: labels } },
  );
  const { networks } = json as { readonly networks: readonly { readonly traffic: unknown }[] };
  assertEquals(networks[0]?.traffic, {
    out: { packets: 24, bytes: 2400 },
    in: { packets: 15, bytes: 1500 },
    rejected: { packets: 0, bytes: 0 },
  });
});

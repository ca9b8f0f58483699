import { assert, assertEquals } from "@std/assert";
import { HostError } from "../../../core/host.ts";
import { describeWorld, emptyWorld } from "../../support/model_host.ts";
import { bridgewall, definition, LANS, publishElement } from "../../support/one_command.ts";
import { active, published, refused, WEB } from "../../support/published_networks.ts";

Deno.test("a port that is taken back takes what was its own, and lets its connections end first", async () => {
  const world = await active("lan");
  await bridgewall(world, `publish lan ${WEB} 8081:10.0.0.2:80/tcp 53:10.0.0.2/udp`);
  const went = await bridgewall(world, "unpublish lan 8080/tcp 53:10.0.0.2/udp");
  assertEquals(went.scripts, [
    ["delete element inet bridgewall publish_any_ipv4 { tcp . 8080, udp . 53 }"],
    ["delete element inet bridgewall published_ipv4 { udp . 10.0.0.2 . 53 }"],
  ]);
  assertEquals(published(world), ["8081:10.0.0.2:80/tcp"]);
  assertEquals(went.said, [
    'Port 8080/tcp does not lead to 10.0.0.2:80 of network "lan" any more',
    'Port 53/udp does not lead to 10.0.0.2:53 of network "lan" any more',
  ]);
  assertEquals(went.output.json, {
    network: "lan",
    unpublished: [WEB, "53:10.0.0.2:53/udp"],
    missing: [],
  });
});

Deno.test("the last port that goes leaves the network as it came up", async () => {
  for (const names of [["lan"], ["lab"], ["lan", "lab"]] as const) {
    const [name] = names;
    const guest = name === "lan" ? "10.0.0.2" : "10.0.1.2";
    const world = await active(...names);
    const before = describeWorld(world);
    await bridgewall(world, `publish ${name} 8080:${guest}:80/tcp 20000-29999:${guest}/udp`);
    await bridgewall(world, `publish --localhost ${name} 8081:${guest}:80/tcp`);
    assert(describeWorld(world) !== before);
    await bridgewall(world, `unpublish ${name} 8080/tcp 8081/tcp 20000-29999/udp`);
    assertEquals(describeWorld(world), before);
  }
});

Deno.test("where somebody has changed what stands, nobody stays without a guard", async () => {
  const world = await active("lan", "lab");
  await bridgewall(world, `publish --localhost lan ${WEB}`);
  const map = world.ruleset.get("map publish_any_ipv4") ?? [];
  const elsewhere = map.map((one) => one.replace("10.0.0.2", "10.0.0.66"));
  world.ruleset = new Map([...world.ruleset, ["map publish_any_ipv4", elsewhere]]);
  const { said } = await bridgewall(world, "unpublish lan 8080/tcp");
  assert(said.some((text) => text.startsWith("All rules were made anew")), said.join("\n"));
  assert(!world.ruleset.has("chain guard"));
  assertEquals([...world.localRouting], []);
});

Deno.test("where iptables tells that somebody has, nobody stays without a guard either", async () => {
  const world = emptyWorld();
  await bridgewall(world, "--backend=iptables up lan lab");
  await bridgewall(world, `publish --localhost lan ${WEB}`);
  world.tables = new Map([...world.tables].map(([program, tables]) => [
    program,
    new Map([...tables].filter(([table]) => table !== "nat")),
  ]));
  const { said } = await bridgewall(world, "unpublish lan 8080/tcp");
  assert(said.some((text) => text.startsWith("All rules were made anew")), said.join("\n"));
  assertEquals([...world.localRouting], []);
});

Deno.test("a port of the definition comes back with the next up, and that is said", async () => {
  const metadata = publishElement("proto='tcp' port='8080' to='10.0.0.2:80'");
  const definitions = { lan: definition("lan", "nat", 0, metadata) };
  const world = emptyWorld();
  await bridgewall(world, "up lan", definitions);
  const { said } = await bridgewall(world, "unpublish lan 8080/tcp", definitions);
  assertEquals(said, [
    'Port 8080/tcp does not lead to 10.0.0.2:80 of network "lan" any more until the next "up": ' +
    "its definition publishes it",
  ]);
  await bridgewall(world, "reload", definitions);
  assertEquals(published(world), []);
  await bridgewall(world, "up lan", definitions);
  assertEquals(published(world), [`${WEB}*`]);
});

Deno.test("to take back what is not published is no error", async () => {
  const world = await active("lan");
  const before = describeWorld(world);
  const { said, output } = await bridgewall(world, `unpublish lan ${WEB} 53/udp`);
  assertEquals(said, ["Port 8080/tcp was not published", "Port 53/udp was not published"]);
  assertEquals(output, {
    text: [],
    json: { network: "lan", unpublished: [], missing: ["8080/tcp", "53/udp"] },
    exitCode: 0,
  });
  assertEquals(describeWorld(world), before);
});

Deno.test("one port of several that were published as one is not taken back in silence", async () => {
  const world = await active("lan");
  await bridgewall(world, "publish lan 8000-8010:10.0.0.2/tcp");
  for (
    const [named, said] of [["8005/tcp", "8005/tcp"], ["8010-8020/tcp", "8010-8020/tcp"]] as const
  ) {
    assertEquals(await refused(world, `unpublish lan ${named}`, HostError), [
      `Cannot unpublish ${said} alone: the port is published as 8000-8010:10.0.0.2:8000-8010/tcp`,
      "Write 8000-8010/tcp",
    ]);
  }
  const { said } = await bridgewall(world, "unpublish lan 8005/udp 192.0.2.1:8005/tcp");
  assertEquals(said, [
    "Port 8005/udp was not published",
    "Port 192.0.2.1:8005/tcp was not published",
  ]);
});

Deno.test("who names another guest than the port leads to is told", async () => {
  const world = await active("lan");
  await bridgewall(world, `publish lan ${WEB}`);
  assertEquals(await refused(world, "unpublish lan 8080:10.0.0.3:80/tcp", HostError), [
    "Cannot unpublish 8080:10.0.0.3:80/tcp: the port leads to 10.0.0.2:80",
    "Write 8080/tcp, wherever it leads",
  ]);
});

Deno.test("of two families with the same port one is taken back by its guest, both by the port", async () => {
  const six = LANS.lan.replace(
    "</network>",
    "<ip family='ipv6' address='fd00::1' prefix='64'/></network>",
  );
  const world = emptyWorld();
  await bridgewall(world, "--backend=nftables up lan", { lan: six });
  const both = `${WEB} 8000-8100:[fd00::2]/tcp`;
  await bridgewall(world, `publish lan ${both}`);
  await bridgewall(world, `unpublish lan ${WEB}`);
  assertEquals(published(world), ["8000-8100:[fd00::2]:8000-8100/tcp"]);
  await bridgewall(world, `publish lan ${WEB}`);
  await bridgewall(world, "unpublish lan 8080/tcp");
  assertEquals(published(world), ["8000-8100:[fd00::2]:8000-8100/tcp"]);
  await bridgewall(world, "publish lan 8080:10.0.0.2/udp 8080:[fd00::2]/udp");
  await bridgewall(world, "unpublish lan 8080/udp");
  assertEquals(published(world), ["8000-8100:[fd00::2]:8000-8100/tcp"]);
});

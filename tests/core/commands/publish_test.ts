import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { HostError } from "../../../core/host.ts";
import { describeWorld, emptyWorld, type World } from "../../support/model_host.ts";
import { bridgewall, definition, publishElement } from "../../support/one_command.ts";
import { active, published, refused, script, WEB } from "../../support/published_networks.ts";

Deno.test("a port is published, said, on record, and in what programs read", async () => {
  const world = await active("lan", "lab");
  const { said, output } = await bridgewall(world, `publish lan ${WEB}`);
  assertEquals(said, ['Port 8080/tcp leads to 10.0.0.2:80 of network "lan"']);
  assertEquals(output, {
    text: [],
    json: { network: "lan", published: [WEB], replaced: [] },
    exitCode: 0,
  });
  assertEquals(published(world), [WEB]);
  assertEquals(world.ruleset.get("map publish_any_ipv4")?.slice(1), [
    "tcp . 8080 : 10.0.0.2 . 80",
  ]);
  assertEquals(published(world, "lab"), []);
});

Deno.test("a port more is one run of nft with its two elements and nothing else", async () => {
  const world = await active("lan");
  await bridgewall(world, `publish lan ${WEB}`);
  const went = await bridgewall(world, "publish lan 8081:10.0.0.3:80/tcp");
  assertEquals(script(went), [
    "add element inet bridgewall publish_any_ipv4 { tcp . 8081 : 10.0.0.3 . 80 }",
    "add element inet bridgewall published_ipv4 { tcp . 10.0.0.3 . 80 }",
  ]);
  assertEquals(published(world), [WEB, "8081:10.0.0.3:80/tcp"]);
});

Deno.test("a port that is sent elsewhere is one run of nft that takes and gives", async () => {
  const world = await active("lan");
  await bridgewall(world, `publish lan ${WEB} 8081:10.0.0.2:80/tcp`);
  const went = await bridgewall(world, "publish lan 8080:10.0.0.3:80/tcp");
  assertEquals(script(went), [
    "delete element inet bridgewall publish_any_ipv4 { tcp . 8080 }",
    "add element inet bridgewall publish_any_ipv4 { tcp . 8080 : 10.0.0.3 . 80 }",
    "add element inet bridgewall published_ipv4 { tcp . 10.0.0.3 . 80 }",
  ]);
  assertEquals(went.said, [
    'Port 8080/tcp leads to 10.0.0.3:80 of network "lan" instead of 10.0.0.2:80',
  ]);
  assertEquals(went.output.json, {
    network: "lan",
    published: ["8080:10.0.0.3:80/tcp"],
    replaced: [WEB],
  });
});

Deno.test("what a network has to do without is not recorded because of a port", async () => {
  const serving = {
    lan: definition("lan", "nat", 0).replace(
      "prefix='24'/>",
      "prefix='24'><dhcp><range start='10.0.0.9' end='10.0.0.99'/></dhcp></ip>",
    ),
  };
  for (const isMissing of [true, false]) {
    const world = { ...emptyWorld(), missing: new Set(isMissing ? ["tc" as const] : []) };
    await bridgewall(world, "--backend=nftables up lan", serving);
    const isRepaired = (): boolean => world.files.get("lan")?.includes('program="tc"') === true;
    assertEquals(isRepaired(), !isMissing);
    await bridgewall(world, `publish lan ${WEB}`, serving);
    await bridgewall(world, "publish lan 8081:10.0.0.3:80/tcp", serving);
    assertEquals(isRepaired(), !isMissing);
  }
});

Deno.test("the old guest of a port is let go when its connections have ended", async () => {
  const world = await active("lan");
  await bridgewall(world, `publish lan ${WEB}`);
  const { ran, scripts } = await bridgewall(world, "publish lan 8080:10.0.0.3:80/tcp");
  const order = ran.filter((one) => /^(nft -f|conntrack)/.test(one))
    .map((one) => one.replace(/ .*/, ""));
  assertEquals([order[0], order.at(-1)], ["nft", "nft"]);
  assert(order.slice(1, -1).every((one) => one === "conntrack"), order.join(" "));
  assertEquals(scripts.map((lines) => lines.length), [3, 1]);
  assertEquals(scripts[1], [
    "delete element inet bridgewall published_ipv4 { tcp . 10.0.0.2 . 80 }",
  ]);
});

Deno.test("nothing is asked twice, and nothing that does not matter", async () => {
  const world = await active("lan");
  await bridgewall(world, `publish lan ${WEB}`);
  for (const line of ["publish lan 8081:10.0.0.3:80/tcp", "unpublish lan 8081/tcp"]) {
    const { ran, repeated } = await bridgewall(world, line);
    assertEquals(repeated, []);
    const once = line.startsWith("publish") ? 1 : 2;
    assertEquals(ran.filter((one) => one.startsWith("nft -f")).length, once);
    assertEquals(ran.filter((one) => one.startsWith("sysctl")), []);
  }
});

Deno.test("what is published already is made anew, and changes nothing", async () => {
  const world = await active("lan");
  await bridgewall(world, `publish --localhost lan ${WEB}`);
  const before = describeWorld(world);
  const { said, output } = await bridgewall(world, `publish --localhost lan ${WEB}`);
  assertEquals(describeWorld(world), before);
  assertEquals(said, ['Port 8080/tcp leads to 10.0.0.2:80 of network "lan", from 127.0.0.1 too']);
  assertEquals((output.json as { readonly replaced: unknown }).replaced, []);
});

Deno.test("the same port twice in one command is one port", async () => {
  const world = await active("lan");
  await bridgewall(world, `publish lan ${WEB} ${WEB}`);
  assertEquals(published(world), [WEB]);
});

Deno.test("127.0.0.1 comes and goes with the option", async () => {
  const world = await active("lan");
  const { ran } = await bridgewall(world, `publish --localhost lan ${WEB}`);
  assert(ran.includes("sysctl -q -w net/ipv4/conf/virbr0/route_localnet=1"), ran.join("\n"));
  assertEquals(published(world), [`${WEB}!`]);
  assert(world.ruleset.has("chain guard"));
  assertEquals([...world.localRouting], ["virbr0"]);
  const went = await bridgewall(world, `publish lan ${WEB}`);
  assertEquals(went.said, ['Port 8080/tcp leads to 10.0.0.2:80 of network "lan"']);
  assertEquals(went.output.json, { network: "lan", published: [WEB], replaced: [] });
  assertEquals(published(world), [WEB]);
  assert(!world.ruleset.has("chain guard"));
  assertEquals([...world.localRouting], []);
});

Deno.test("a guard stays as long as another network needs it", async () => {
  const world = await active("lan", "lab");
  await bridgewall(world, `publish --localhost lan ${WEB}`);
  await bridgewall(world, "publish --localhost lab 8081:10.0.1.2:80/tcp");
  await bridgewall(world, "down lan");
  assert(world.ruleset.has("chain guard"));
  assertEquals([...world.localRouting], ["virbr1"]);
});

Deno.test("an isolated network that is given a port is forwarded for", async () => {
  const world = { ...await active("lab"), facts: forwarding(false) };
  const { ran } = await bridgewall(world, "publish lab 8080:10.0.1.2:80/tcp");
  assert(ran.includes("sysctl -q -w net.ipv4.ip_forward=1"), ran.join("\n"));
  const other = { ...await active("lab"), facts: forwarding(false) };
  const { said } = await bridgewall(other, "publish --no-sysctl lab 8080:10.0.1.2:80/tcp");
  assert(
    said.includes("net.ipv4.ip_forward is 0, so nothing is forwarded until it is switched on"),
    said.join("\n"),
  );
});

function forwarding(ipv4: boolean): World["facts"] {
  return { ...emptyWorld().facts, forwarding: { ipv4, ipv6: false } };
}

Deno.test("ports that were published stay when the network comes up again, and go when it goes", async () => {
  const world = await active("lan");
  await bridgewall(world, `publish --localhost lan ${WEB}`);
  await bridgewall(world, "up lan");
  assertEquals(published(world), [`${WEB}!`]);
  await bridgewall(world, "reload");
  assertEquals(published(world), [`${WEB}!`]);
  await bridgewall(world, "down lan");
  await bridgewall(world, "up lan");
  assertEquals(published(world), []);
});

Deno.test("a definition that takes a port over, or away from its guest, is followed and said", async () => {
  const world = await active("lan");
  await bridgewall(world, `publish lan ${WEB} 8081:10.0.0.2:80/tcp`);
  const other = publishElement("proto='tcp' port='8080' to='10.0.0.3'");
  const { said } = await bridgewall(world, "up lan", { lan: definition("lan", "nat", 0, other) });
  assertEquals(said.slice(0, 1), [
    'Port 8080/tcp of network "lan" is not published any more: the definition has the port now',
  ]);
  assertEquals(published(world), ["8080:10.0.0.3:8080/tcp*", "8081:10.0.0.2:80/tcp"]);
});

Deno.test("a port that another network publishes is refused, and both are named", async () => {
  const world = await active("lan", "lab");
  await bridgewall(world, `publish lan ${WEB}`);
  assertEquals(await refused(world, "publish lab 8000-8100:10.0.1.2/tcp", HostError), [
    'Cannot publish port 8000-8100/tcp of network "lab": network "lan" publishes 8080/tcp',
    'Choose another port, or run `bridgewall unpublish` for network "lan" first',
  ]);
});

Deno.test("a port that shares packets with one of the same network is refused, whichever is wider", async () => {
  const world = await active("lan");
  await bridgewall(world, "publish lan 8080-8090:10.0.0.2/tcp");
  for (const wanted of ["8085:10.0.0.3:8085/tcp", "8000-8080:10.0.0.3:8000-8080/tcp"]) {
    assertEquals(await refused(world, `publish lan ${wanted}`, HostError), [
      `Cannot publish ${wanted}: network "lan" publishes 8080-8090:10.0.0.2:8080-8090/tcp, and ` +
      "the two share a port",
      "Run `bridgewall unpublish` for 8080-8090/tcp first",
    ]);
  }
  assertEquals(await refused(world, "publish lan 80:10.0.0.2/tcp 80:10.0.0.3/tcp"), [
    "Cannot publish both 80:10.0.0.2:80/tcp and 80:10.0.0.3:80/tcp: they share a port",
    "Leave one of the two out",
  ]);
});

/** Words that mean nothing to publish, and what is said. */
const WRONG: readonly (readonly [line: string, message: string, hint: string])[] = [
  ["publish", "Cannot publish without a network and a port", "Write `bridgewall publish default 8"],
  ["publish lan", "Cannot publish without a network and a port", "Write `bridgewall publish"],
  [`publish ${WEB}`, "Cannot publish without a network and a port", "Write `bridgewall publish"],
  ["unpublish lan", "Cannot unpublish without a network and a port", "Write `bridgewall unpublish"],
  ["publish lan 8080", 'Cannot read "8080" as a published port', "Write [HOST-ADDRESS:]"],
  ["publish lan 8080/tcp", 'Cannot read "8080/tcp" as a published port', "Write [HOST-ADDRESS:]"],
  ["unpublish lan x", 'Cannot read "x" as a published port', "Write [HOST-ADDRESS:]"],
  [
    "publish lan 80:10.9.0.2/tcp",
    'Guest "10.9.0.2" is not inside the network',
    "Name an address in 10.0.0.0/24",
  ],
  [
    "publish lan 80:[fd00::2]/tcp",
    'Guest "fd00::2" is not inside the network',
    "The network has no subnet of that family",
  ],
  ["publish --localhost lan 80:[fd00::2]/tcp", "Localhost cannot lead to an IPv6 guest", "Leave"],
];

for (const [line, message, hint] of WRONG) {
  Deno.test(`\`${line}\` is refused with something to type, and changes nothing`, async () => {
    const [said, told = ""] = await refused(await active("lan"), line);
    assertStringIncludes(said, message);
    assertStringIncludes(told, hint);
  });
}

Deno.test("a guest that is the host itself publishes nothing", async () => {
  const world = await active("lan");
  const [message] = await refused(world, "publish lan 80:10.0.0.1/tcp");
  assertEquals(message, `"10.0.0.1" is the host's own address, not a guest's`);
  // A warning of a port that the host may need itself is no refusal.
  await bridgewall(world, "publish lan 22:10.0.0.2/tcp");
});

Deno.test("a network that is not active publishes nothing, whatever backend is asked for", async () => {
  const world = await active("lan");
  for (const backend of ["", "--backend=nftables ", "--backend=pf ", "--backend=iptables "]) {
    for (const command of ["publish", "unpublish"]) {
      const [message] = await refused(world, `${backend}${command} other ${WEB}`, HostError);
      assertEquals(message, 'Network "other" is not active');
    }
  }
  const [message] = await refused(world, `publish /masquerade ${WEB}`, HostError);
  assertEquals(message, 'Network "/masquerade" is not active');
});

Deno.test("a network in mode open says that it cannot, and has nothing to take back", async () => {
  const world = emptyWorld();
  const definitions = { lan: definition("lan", "open", 0) };
  await bridgewall(world, "up lan", definitions);
  const [message] = await refused(world, `publish lan ${WEB}`);
  assertEquals(message, "A network in mode open publishes no ports: this host has no rules for it");
  const { said } = await bridgewall(world, "unpublish lan 8080/tcp");
  assertEquals(said, ["Port 8080/tcp was not published"]);
});

Deno.test("a port is published where the network is, not where another backend would be", async () => {
  const world = await active("lan");
  assertEquals(await refused(world, `--backend=iptables publish lan ${WEB}`, HostError), [
    'Cannot use the backend "iptables": the rules are in "nftables"',
    "Use `--backend nftables`, or move all networks: `bridgewall reload --backend iptables`",
  ]);
  await bridgewall(world, `--backend=nftables publish lan ${WEB}`);
  assertEquals(published(world), [WEB]);
});

Deno.test("a backend in the configuration is for what comes up: ports follow their network", async () => {
  const world = await active("lan");
  await bridgewall(world, `configured=iptables publish lan ${WEB}`);
  assertEquals(published(world), [WEB]);
  await bridgewall(world, "configured=iptables unpublish lan 8080/tcp");
  assertEquals(published(world), []);
  assertEquals(world.tables.size, 0);
});

Deno.test("connections that began before end, and only where ports have changed", async () => {
  const world = await active("lan");
  const listed = async (line: string): Promise<readonly string[]> =>
    (await bridgewall(world, line)).ran.filter((one) => one.startsWith("conntrack"));
  assertEquals(await listed(`publish lan ${WEB}`), [
    "conntrack -L -f ipv4 -p tcp --orig-port-dst 8080",
    "conntrack -L -f ipv4 -p tcp --reply-port-dst 8080",
  ]);
  assertEquals(await listed(`publish lan ${WEB}`), []);
  assertEquals(await listed("publish lan 8081:10.0.0.2:80/tcp"), [
    "conntrack -L -f ipv4 -p tcp --orig-port-dst 8081",
    "conntrack -L -f ipv4 -p tcp --reply-port-dst 8081",
  ]);
  assertEquals(await listed("up lan"), []);
  assertEquals(await listed("reload"), []);
  assertEquals(await listed("down lan"), ["conntrack -L -f ipv4 -p tcp"]);
});

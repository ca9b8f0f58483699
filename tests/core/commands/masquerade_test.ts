import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UsageError } from "../../../core/commands/context.ts";
import { HostError } from "../../../core/host.ts";
import { recordedPrefixes } from "../../../core/policy/masquerade.ts";
import { formatSubnet } from "../../../core/address.ts";
import { describeRules, describeWorld, emptyWorld, type World } from "../../support/model_host.ts";
import { describeRuleset } from "../../support/model_nft.ts";
import { recordOf } from "../../support/turns.ts";
import { bridgewall, LANS } from "../../support/one_command.ts";

async function after(...lines: readonly string[]): Promise<World> {
  const world = emptyWorld();
  for (const line of lines) await bridgewall(world, line);
  return world;
}

const ADD = "--backend=nftables masquerade add";

/** The prefixes on record. */
function recorded(world: World): readonly string[] {
  const record = recordOf(world, "/masquerade");
  return record === undefined ? [] : recordedPrefixes(record).map(formatSubnet);
}

/** The members of a set. */
function members(world: World, set: string): readonly string[] | undefined {
  return world.ruleset.get(`set ${set}`)?.slice(1).toSorted();
}

Deno.test("prefixes are masqueraded, said, on record, and in what programs read", async () => {
  const world = emptyWorld();
  const { said, output } = await bridgewall(world, `${ADD} 10.9.0.0/16 10.8.0.0/24 fd09::/64`);
  assertEquals(said, [
    "10.9.0.0/16 is masqueraded",
    "10.8.0.0/24 is masqueraded",
    "fd09::/64 is masqueraded",
  ]);
  assertEquals(output, {
    text: [],
    json: {
      added: ["10.9.0.0/16", "10.8.0.0/24", "fd09::/64"],
      prefixes: ["10.9.0.0/16", "10.8.0.0/24", "fd09::/64"],
    },
    exitCode: 0,
  });
  assertEquals(recorded(world), ["10.8.0.0/24", "10.9.0.0/16", "fd09::/64"]);
  assertEquals(members(world, "masquerade_ipv4"), ["10.8.0.0/24", "10.9.0.0/16"]);
  assertEquals(members(world, "masquerade_within_ipv4"), [
    "10.8.0.0/24 . 10.8.0.0/24",
    "10.9.0.0/16 . 10.9.0.0/16",
  ]);
  assertEquals(members(world, "masquerade_ipv6"), ["fd09::/64"]);
});

Deno.test("a host that only masquerades filters nothing, and lets go of all it has", async () => {
  const world = await after(`${ADD} 10.8.0.0/24 fd09::/64`);
  assert(!describeRuleset(world.ruleset).includes("chain forward"));
  const { said } = await bridgewall(world, "masquerade remove fd09::/64 10.8.0.0/24");
  assertEquals(said, [
    "fd09::/64 is not masqueraded any more",
    "10.8.0.0/24 is not masqueraded any more",
  ]);
  assertEquals(describeWorld(world), describeWorld(emptyWorld()));
});

Deno.test("each prefix stays until it is removed itself, also inside of another", async () => {
  const world = await after(`${ADD} 10.8.0.0/16 10.8.1.0/24 10.8.1.7/32`);
  assertEquals(members(world, "masquerade_ipv4"), ["10.8.0.0/16"]);
  await bridgewall(world, "masquerade remove 10.8.0.0/16");
  assertEquals(recorded(world), ["10.8.1.0/24", "10.8.1.7/32"]);
  assertEquals(members(world, "masquerade_ipv4"), ["10.8.1.0/24"]);
  await bridgewall(world, "masquerade remove 10.8.1.0/24");
  assertEquals(members(world, "masquerade_ipv4"), ["10.8.1.7"]);
});

Deno.test("every step is one run of nft", async () => {
  const world = await after("--backend=nftables up lan");
  for (
    const line of [
      "add 10.8.0.0/24",
      "add 10.9.0.0/16 fd09::/64",
      "add 10.9.0.0/16",
      "remove 10.8.0.0/24",
    ]
  ) {
    const { scripts, repeated } = await bridgewall(world, `masquerade ${line}`);
    assertEquals([scripts.length, repeated], [1, []], line);
    assert(scripts[0]?.every((text) => !text.includes("virbr0")), scripts[0]?.join("\n"));
  }
});

Deno.test("what is there already, or is not there, is no error", async () => {
  const world = await after(`${ADD} 10.8.0.0/24`);
  const before = describeWorld(world);
  const added = await bridgewall(world, "masquerade add 10.8.0.0/24");
  assertEquals(added.said, ["10.8.0.0/24 is masqueraded already"]);
  assertEquals(added.output.json, { added: [], prefixes: ["10.8.0.0/24"] });
  assertEquals(describeWorld(world), before);
  const removed = await bridgewall(world, "masquerade remove 10.9.0.0/24");
  assertEquals(removed.said, ["10.9.0.0/24 was not masqueraded"]);
  assertEquals(removed.output.json, { removed: [], prefixes: ["10.8.0.0/24"] });
  assertEquals(describeWorld(world), before);
});

Deno.test("to remove where nothing is masqueraded runs nothing", async () => {
  const world = emptyWorld();
  const { said, scripts } = await bridgewall(world, "masquerade remove 10.8.0.0/24");
  assertEquals([said, scripts], [["10.8.0.0/24 was not masqueraded"], []]);
  assertEquals(describeWorld(world), describeWorld(emptyWorld()));
});

Deno.test("bits of a host in a prefix are cleared, and that is said", async () => {
  const world = emptyWorld();
  const { said } = await bridgewall(world, `${ADD} 10.8.0.7/24 10.8.0.9/24 fd09::5/64 10.7.0.1`);
  assertEquals(said, [
    "Taken for 10.8.0.0/24: 10.8.0.7/24",
    "Taken for 10.8.0.0/24: 10.8.0.9/24",
    "Taken for fd09::/64: fd09::5/64",
    "Taken for 10.7.0.1/32: 10.7.0.1",
    "10.8.0.0/24 is masqueraded",
    "fd09::/64 is masqueraded",
    "10.7.0.1/32 is masqueraded",
  ]);
  assertEquals(recorded(world), ["10.7.0.1/32", "10.8.0.0/24", "fd09::/64"]);
});

/** Words that mean nothing, and what is said. */
const WRONG: readonly (readonly [line: string, message: string, hint: string])[] = [
  ["", "Cannot guess what to do with masqueraded prefixes", "`bridgewall masquerade add 10.0.3.0"],
  ["prefix", 'Cannot guess what to do with masqueraded prefixes: "prefix"', "`remove 10.0.3.0/24`"],
  ["10.8.0.0/24", 'prefixes: "10.8.0.0/24"', "Write `bridgewall masquerade add"],
  ["add", "Cannot add nothing", "Write `bridgewall masquerade add"],
  ["remove", "Cannot remove nothing", "Write `bridgewall masquerade add"],
  ["list 10.8.0.0/24", "Cannot list single prefixes", "Write `bridgewall masquerade add"],
  ["add lan", 'Cannot read "lan" as a prefix', "Write an address and a prefix length"],
  ["add 10.8.0.0/33", 'Cannot read "10.8.0.0/33" as a prefix', "10.0.3.0/24 or fd00:3::/64"],
  ["add 10.8/16", 'Cannot read "10.8/16" as a prefix', "Write an address and a prefix length"],
  ["add 010.8.0.0/16x", "as a prefix", "Write an address"],
  ["add 010.0.0.0/8", 'Cannot read "010.0.0.0/8" as a prefix', "Write an address"],
  ["add 10.8.0.0/08", 'Cannot read "10.8.0.0/08" as a prefix', "Write an address"],
  ["add fd09::/129", 'Cannot read "fd09::/129" as a prefix', "Write an address"],
  ["add 10.8.0.0/24/24", 'Cannot read "10.8.0.0/24/24" as a prefix', "Write an address"],
  ["add 10.8.0.0/", 'Cannot read "10.8.0.0/" as a prefix', "Write an address"],
  [
    "add 0.0.0.0/0",
    `Cannot masquerade "0.0.0.0/0": it would be the host's own`,
    "Name the prefixes",
  ],
  [
    "add ::/0",
    `Cannot masquerade "::/0": it would be the host's own addresses, too`,
    "10.0.3.0/24",
  ],
  ["remove 10.8.0.0/24 10.9.0.0/0", `Cannot masquerade "10.9.0.0/0"`, "Name the prefixes"],
];

for (const [line, message, hint] of WRONG) {
  Deno.test(`\`masquerade ${line}\` is refused with something to type, and changes nothing`, async () => {
    const world = await after(`${ADD} 10.8.0.0/24`);
    const before = describeWorld(world);
    const error = await assertRejects(
      () => bridgewall(world, `masquerade ${line}`.trim()),
      UsageError,
    );
    assertStringIncludes(error.message, message);
    assertStringIncludes(error.hint ?? "no hint", hint);
    assertEquals(describeWorld(world), before);
  });
}

Deno.test("prefixes stay where they are, not where another backend would be", async () => {
  const world = await after(`${ADD} 10.8.0.0/24`);
  for (const line of ["add 10.9.0.0/24", "remove 10.8.0.0/24"]) {
    const error = await assertRejects(
      () => bridgewall(world, `--backend=iptables masquerade ${line}`),
      HostError,
      'Cannot use the backend "iptables": the rules are in "nftables"',
    );
    assertStringIncludes(error.hint ?? "", "`bridgewall reload --backend iptables`");
  }
});

Deno.test("a backend in the configuration is for what comes first: prefixes stay where they are", async () => {
  const world = await after(`${ADD} 10.8.0.0/24`);
  await bridgewall(world, "configured=iptables masquerade add 10.9.0.0/24");
  await bridgewall(world, "configured=iptables masquerade remove 10.8.0.0/24");
  assertEquals(world.tables.size, 0);
  assertEquals(world.ruleset.get("set masquerade_ipv4")?.slice(1), ["10.9.0.0/24"]);
});

Deno.test("a prefix around a network is masqueraded, and what that means is said", async () => {
  const world = await after("--backend=nftables up lan lab");
  const { said } = await bridgewall(world, "masquerade add 10.0.0.0/16 10.0.1.128/25 10.9.0.0/16");
  assertEquals(said.filter((text) => text.includes("overlaps")), [
    '10.0.0.0/16 overlaps 10.0.1.0/24 of network "lab": its guests are translated by this prefix, too',
    '10.0.1.128/25 overlaps 10.0.1.0/24 of network "lab": its guests are translated by this prefix, ' +
    "too",
    '10.0.0.0/16 overlaps 10.0.0.0/24 of network "lan": its guests are translated by this prefix, too',
  ]);
});

Deno.test("a network that comes up inside of a prefix is told the same", async () => {
  const world = await after(`${ADD} 10.0.0.0/16 10.9.0.0/16`);
  const { said } = await bridgewall(world, "up lan");
  assertEquals(said.filter((text) => text.includes("overlaps")), [
    '10.0.0.0/16 overlaps 10.0.0.0/24 of network "lan": its guests are translated by this prefix, too',
  ]);
});

Deno.test("down of all networks leaves prefixes, and the last of either takes the table", async () => {
  const world = await after("--backend=nftables up lan lab", "masquerade add 10.8.0.0/24");
  const { said, output } = await bridgewall(world, "down --all");
  assertEquals(said, ['Network "lab" is down', 'Network "lan" is down']);
  assertEquals(output.json, { removed: ["lab", "lan"], inactive: [] });
  assertEquals(describeRules(world), describeRules(await after(`${ADD} 10.8.0.0/24`)));
  assertEquals(recorded(world), ["10.8.0.0/24"]);
  await bridgewall(world, "masquerade remove 10.8.0.0/24");
  assertEquals(describeWorld(world), describeWorld(emptyWorld()));
  const other = await after(
    "--backend=nftables up lan",
    "masquerade add 10.8.0.0/24",
    "masquerade remove 10.8.0.0/24",
  );
  assertEquals(describeWorld(other), describeWorld(await after("--backend=nftables up lan")));
});

Deno.test("reload loads prefixes again, and says so", async () => {
  const world = await after("--backend=nftables up lan", "masquerade add 10.8.0.0/24");
  const before = describeWorld(world);
  world.ruleset = new Map();
  const { said, output } = await bridgewall(world, "reload");
  assertEquals(describeWorld(world), before);
  assert(said.includes("Masqueraded prefixes are loaded again"), said.join("\n"));
  assertEquals(output.json, { reloaded: ["lan"], moved: [], masquerade: true });
  const one = await bridgewall(world, "reload lan");
  assertEquals(one.output.json, { reloaded: ["lan"], moved: [], masquerade: false });
});

Deno.test("a prefix of its family switches forwarding on, and no other", async () => {
  const facts = { ...emptyWorld().facts, forwarding: { ipv4: false, ipv6: false } };
  const settings = async (line: string): Promise<readonly string[]> => {
    const { ran } = await bridgewall({ ...emptyWorld(), facts }, line);
    return ran.filter((one) => one.startsWith("sysctl"));
  };
  assertEquals(await settings(`${ADD} 10.8.0.0/24`), ["sysctl -q -w net.ipv4.ip_forward=1"]);
  assertEquals(await settings(`${ADD} fd09::/64`), [
    "sysctl -q -w net.ipv6.conf.all.forwarding=1",
  ]);
  assertEquals(await settings(`${ADD} --no-sysctl 10.8.0.0/24`), []);
});

Deno.test("what was sent before and nobody answered begins anew, with new prefixes only", async () => {
  const world = emptyWorld();
  const listed = async (line: string): Promise<readonly string[]> =>
    (await bridgewall(world, line)).ran.filter((one) => one.startsWith("conntrack"));
  assertEquals(await listed(`${ADD} 10.8.0.0/24`), ["conntrack -L -f ipv4"]);
  assertEquals(await listed("masquerade add fd09::/64"), ["conntrack -L -f ipv6"]);
  assertEquals(await listed("masquerade add fd09::/64"), []);
  assertEquals(await listed("masquerade remove fd09::/64"), []);
  assertEquals(await listed("reload"), []);
});

Deno.test("without prefixes the list is empty, and says so", async () => {
  const { said, output } = await bridgewall(emptyWorld(), "masquerade list");
  assertEquals(said, ["No prefix is masqueraded"]);
  assertEquals(output, { text: [], json: { prefixes: [], drift: [] }, exitCode: 0 });
});

Deno.test("a network can have any name that prefixes do not have", async () => {
  const definition = LANS.lan.replaceAll("lan", "masquerade");
  const world = emptyWorld();
  await bridgewall(world, "--backend=nftables up masquerade", { masquerade: definition });
  await bridgewall(world, "masquerade add 10.8.0.0/24");
  assertEquals([...world.files.keys()].toSorted(), ["/masquerade", "masquerade"]);
});

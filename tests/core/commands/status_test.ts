import { assertEquals } from "@std/assert";
import { check } from "../../../core/commands/check.ts";
import type { CommandOutput, Context } from "../../../core/commands/context.ts";
import { masquerade } from "../../../core/commands/masquerade.ts";
import { status } from "../../../core/commands/status.ts";
import type { Inspection } from "../../../core/firewall_backend.ts";
import { emptyWorld, startProcess, type World } from "../../support/model_host.ts";
import { bridgewall, definition, publishElement } from "../../support/one_command.ts";

const PORTS = publishElement("proto='tcp' port='8080' to='10.0.0.2:80' localhost='yes'") +
  publishElement("proto='udp' port='5000-5010' to='10.0.0.3:6000' address='192.0.2.1'");

const LANS = { lan: definition("lan", "nat", 0, PORTS), lab: definition("lab", "isolated", 1) };

async function after(...lines: readonly string[]): Promise<World> {
  const world = emptyWorld();
  for (const line of lines) await bridgewall(world, line, LANS);
  return world;
}

const TRAFFIC = { packets: 3, bytes: 2048 };

/** A look at a host whose nftables tells this. */
async function looked(
  world: World,
  inspection: Inspection,
  look: (context: Context) => Promise<CommandOutput>,
): Promise<CommandOutput & { readonly said: readonly string[] }> {
  const { context, said } = startProcess(world, LANS);
  const backends = context.backends.map((backend) => ({
    ...backend,
    inspect: () =>
      Promise.resolve(backend.name === "nftables" ? inspection : { networks: [], drift: [] }),
  }));
  return { ...await look({ ...context, backends }), said };
}

const ALL = { names: [], all: false };

const LIVE: Inspection = {
  networks: [
    {
      network: "lab",
      traffic: { out: TRAFFIC, in: TRAFFIC, rejected: TRAFFIC },
      counted: new Map(),
    },
    {
      network: "lan",
      traffic: { out: TRAFFIC, in: TRAFFIC, rejected: TRAFFIC },
      counted: new Map([["8080:10.0.0.2:80/tcp", TRAFFIC]]),
    },
    { network: "/masquerade", counted: new Map([["10.8.0.0/16", { packets: 1, bytes: 60 }]]) },
  ],
  drift: [],
};

Deno.test("status shows networks, their ports and prefixes, each in a table of its own", async () => {
  const world = await after(
    "--backend=nftables up lan lab",
    "publish lab 53:10.0.1.2/udp",
    "masquerade add 10.8.0.0/16 10.8.1.0/24 fd09::/64",
  );
  const { text, said } = await looked(world, LIVE, (context) => status(context, ALL));
  assertEquals(said, []);
  assertEquals(text, [
    "NETWORK  MODE      BRIDGE  SUBNETS      BACKEND   OUT      IN       REJECTED   STATE",
    "lab      isolated  virbr1  10.0.1.0/24  nftables  2.0 KiB  2.0 KiB  3 packets  active",
    "lan      nat       virbr0  10.0.0.0/24  nftables  2.0 KiB  2.0 KiB  3 packets  active",
    "",
    "NETWORK  PUBLISHED                GUEST               TRAFFIC",
    "lab      53/udp                   10.0.1.2:53         -",
    "lan      8080/tcp and 127.0.0.1   10.0.0.2:80         3 packets, 2.0 KiB",
    "lan      192.0.2.1:5000-5010/udp  10.0.0.3:6000-6010  -",
    "",
    "PREFIX       BACKEND   TRANSLATED",
    "10.8.0.0/16  nftables  1 packets, 60 B",
    "10.8.1.0/24  nftables  1 packets, 60 B",
    "fd09::/64    nftables  -",
  ]);
});

Deno.test("status tells programs of each port and prefix what there is to know", async () => {
  const world = await after(
    "--backend=nftables up lan",
    "publish lan 53:10.0.0.4/udp",
    "masquerade add 10.8.0.0/16",
  );
  const { json } = await looked(world, LIVE, (context) => status(context, ALL));
  const { networks: [lan], masquerade: prefixes } = json as {
    readonly networks: readonly { readonly published: unknown }[];
    readonly masquerade: unknown;
  };
  assertEquals(lan?.published, [
    {
      protocol: "tcp",
      address: null,
      port: "8080",
      to: "10.0.0.2:80",
      localhost: true,
      runtime: false,
      traffic: TRAFFIC,
    },
    {
      protocol: "udp",
      address: "192.0.2.1",
      port: "5000-5010",
      to: "10.0.0.3:6000-6010",
      localhost: false,
      runtime: false,
      traffic: null,
    },
    {
      protocol: "udp",
      address: null,
      port: "53",
      to: "10.0.0.4:53",
      localhost: false,
      runtime: true,
      traffic: null,
    },
  ]);
  assertEquals(prefixes, [{
    prefix: "10.8.0.0/16",
    backend: "nftables",
    translated: { packets: 1, bytes: 60 },
  }]);
});

Deno.test("networks without ports and prefixes have no tables for them", async () => {
  const world = await after("--backend=nftables up lab");
  const { text, json } = await looked(world, LIVE, (context) => status(context, ALL));
  assertEquals(text.length, 2);
  const { networks: [lab], masquerade: prefixes } = json as {
    readonly networks: readonly { readonly published: unknown }[];
    readonly masquerade: unknown;
  };
  assertEquals([lab?.published, prefixes], [[], []]);
});

const PREFIXES = [
  "PREFIX       BACKEND   TRANSLATED",
  "10.8.0.0/16  nftables  1 packets, 60 B",
];

Deno.test("prefixes alone are shown without anything before them", async () => {
  const world = await after("--backend=nftables masquerade add 10.8.0.0/16");
  const seen = await looked(world, LIVE, (context) => status(context, ALL));
  assertEquals(seen.text, PREFIXES);
  const listed = await looked(world, LIVE, (context) => masquerade(context, ["list"]));
  assertEquals(listed.text, PREFIXES);
  assertEquals(listed.json, {
    prefixes: [{
      prefix: "10.8.0.0/16",
      backend: "nftables",
      translated: { packets: 1, bytes: 60 },
    }],
    drift: [],
  });
});

Deno.test("who names a network sees neither prefixes nor their drift", async () => {
  const world = await after("--backend=nftables up lan lab", "masquerade add 10.8.0.0/16");
  const drift = [{ network: "/masquerade", difference: "Set is missing" }];
  const lab = { names: ["lab"], all: false };
  const { text } = await looked(world, { ...LIVE, drift }, (context) => status(context, lab));
  assertEquals(text.length, 2);
  const checked = await looked(world, { ...LIVE, drift }, (context) => check(context, lab));
  assertEquals([checked.exitCode, checked.text], [0, []]);
});

Deno.test("drift of prefixes is told by status, check and list, also that the table is gone", async () => {
  const world = await after("--backend=nftables masquerade add 10.8.0.0/16");
  const texts: readonly (readonly [Inspection["drift"], string])[] = [
    [[{ network: "/masquerade", difference: "X" }], "Masqueraded prefixes: X"],
    [[{ difference: 'Table "inet bridgewall" is missing' }], 'Table "inet bridgewall" is missing'],
  ];
  for (const [drift, sentence] of texts) {
    const inspection = { ...LIVE, drift };
    const seen = await looked(world, inspection, (context) => status(context, ALL));
    assertEquals(seen.text.at(-1), sentence);
    const checked = await looked(world, inspection, (context) => check(context, ALL));
    assertEquals([checked.exitCode, checked.text], [3, [sentence]]);
    const listed = await looked(world, inspection, (context) => masquerade(context, ["list"]));
    assertEquals(listed.text, [...PREFIXES, sentence]);
    assertEquals(
      (listed.json as { readonly drift: unknown }).drift,
      drift.map(({ difference }) => difference),
    );
  }
});

Deno.test("check counts prefixes as one", async () => {
  const world = await after(
    "--backend=nftables up lan lab",
    "masquerade add 10.8.0.0/16 fd09::/64",
  );
  const { said, exitCode } = await looked(world, LIVE, (context) => check(context, ALL));
  assertEquals([said, exitCode], [["All as it should be: 3 checked"], 0]);
});

Deno.test("a bridge that was made again has lost its way to 127.0.0.1, and check says so", async () => {
  const world = await after("--backend=nftables up lan");
  assertEquals((await looked(world, LIVE, (context) => check(context, ALL))).exitCode, 0);
  world.localRouting = new Set();
  const { text, exitCode } = await looked(world, LIVE, (context) => check(context, ALL));
  assertEquals([exitCode, text], [3, [
    'Network "lan": net/ipv4/conf/virbr0/route_localnet is 0 instead of 1',
  ]]);
  await bridgewall(world, "reload", LANS);
  assertEquals((await looked(world, LIVE, (context) => check(context, ALL))).exitCode, 0);
});

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { call, RELOAD, STATE_QUESTION, ZONES_QUESTION } from "../../../backends/firewalld/bus.ts";
import { keepingRuntime } from "../../../backends/firewalld/kept_runtime.ts";
import type { Command, CommandResult } from "../../../core/command.ts";
import { scriptedRunner } from "../../support/scripted_runner.ts";

/** Settings of zones and policies by their name, as D-Bus has them. */
type Live = Readonly<
  Record<string, Readonly<Record<string, readonly [type: string, data: unknown]>>>
>;

/** firewalld before and after a reload. */
interface Scene {
  readonly zones?: readonly [before: Live, after: Live];
  readonly policies?: readonly [before: Live, after: Live];
  /** Instead of the answer, for commands whose words end so. */
  readonly instead?: Readonly<Record<string, Partial<CommandResult>>>;
}

interface Reloaded {
  readonly result: CommandResult;
  readonly ran: readonly string[];
  readonly notes: readonly string[];
}

function printed(data: unknown): Partial<CommandResult> {
  return { stdout: `${JSON.stringify({ type: "x", data })}\n` };
}

function settings(live: Live, name: string): Partial<CommandResult> {
  const found = Object.entries(live[name] ?? {}).map((
    [key, [type, data]],
  ) => [key, { type, data }]);
  return printed([Object.fromEntries(found)]);
}

async function reload({ zones = [{}, {}], policies = [{}, {}], instead = {} }: Scene): Promise<
  Reloaded
> {
  let now: 0 | 1 = 0;
  const runner = scriptedRunner(({ program, args }) => {
    const other = Object.entries(instead).find(([end]) =>
      [program, ...args].join(" ").endsWith(end)
    );
    if (other !== undefined) return other[1];
    if (args.includes("reload")) now = 1;
    const name = args.at(-1) ?? "";
    if (name === "getZones") return printed([Object.keys(zones[now])]);
    if (name === "getPolicies") return printed([Object.keys(policies[now])]);
    if (name === "FirewallBackend") return printed("nftables");
    if (args.includes("getZoneSettings2")) return settings(zones[now], name);
    if (args.includes("getPolicySettings")) return settings(policies[now], name);
    return {};
  });
  const notes: string[] = [];
  const run = keepingRuntime(runner, (sentence) => void notes.push(sentence));
  return { result: await run(RELOAD), ran: runner.ran, notes };
}

/** What is common to all calls. */
const CALL =
  "busctl --json=short --auto-start=no --timeout=600 call org.fedoraproject.FirewallD1 " +
  "/org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1";

/** What was set, without the words that all calls have. */
function set(ran: readonly string[]): readonly string[] {
  return ran.filter((line) => / set(Zone|Policy)Settings/.test(line))
    .map((line) => line.replace(CALL, ""));
}

const PUBLIC = {
  target: ["s", "default"],
  services: ["as", ["ssh"]],
  forward: ["b", true],
} as const;

Deno.test("a port that was opened for the time being is open again", async () => {
  const { result, ran, notes } = await reload({
    zones: [
      { public: { ...PUBLIC, ports: ["a(ss)", [["8080", "tcp"], ["53", "udp"]]] } },
      { public: PUBLIC },
    ],
  });
  assertEquals(result.status, 0);
  assertEquals(set(ran), [
    ".zone setZoneSettings2 sa{sv} public 1 ports a(ss) 2 8080 tcp 53 udp",
  ]);
  assertEquals(ran.at(-1), `${CALL}${set(ran)[0]}`);
  assertEquals(notes, ['Put back what firewalld had at run time, in zone "public": ports']);
});

Deno.test("what was closed for the time being is closed again, also switches", async () => {
  const { ran } = await reload({
    zones: [
      { public: { target: ["s", "default"], forward: ["b", false] } },
      { public: PUBLIC },
    ],
  });
  assertEquals(set(ran), [
    ".zone setZoneSettings2 sa{sv} public 2 forward b false services as 0",
  ]);
});

Deno.test("a policy has its rules again, each as one word", async () => {
  const rule = 'rule family="ipv4" source address="192.0.2.1" reject';
  const runner = await reload({
    policies: [{ mine: { rich_rules: ["as", [rule]] } }, { mine: {} }],
  });
  assertEquals(set(runner.ran), [
    `.policy setPolicySettings sa{sv} mine 1 rich_rules as 1 ${rule}`,
  ]);
});

Deno.test("an interface leaves the zone of the files before it comes into the one that it was in", async () => {
  const { ran } = await reload({
    zones: [
      { home: { interfaces: ["as", ["eth1"]] }, public: { interfaces: ["as", []] } },
      { home: {}, public: { interfaces: ["as", ["eth1"]] } },
    ],
  });
  assertEquals(set(ran), [
    ".zone setZoneSettings2 sa{sv} public 1 interfaces as 0",
    ".zone setZoneSettings2 sa{sv} home 1 interfaces as 1 eth1",
  ]);
});

Deno.test("what is the same is left alone, in whatever order firewalld tells of it", async () => {
  const ports = [["1", "tcp"], ["2", "tcp"]];
  const { ran, notes } = await reload({
    zones: [
      { public: { ...PUBLIC, ports: ["a(ss)", ports], masquerade: ["b", false] } },
      { public: { ...PUBLIC, ports: ["a(ss)", ports.toReversed()], protocols: ["as", []] } },
    ],
  });
  assertEquals([set(ran), notes], [[], []]);
});

Deno.test("what only files can change stays as they say, and the user is told of it", async () => {
  const { ran, notes } = await reload({
    zones: [
      { public: { target: ["s", "default"], description: ["s", "old"] }, gone: {} },
      { public: { target: ["s", "DROP"], description: ["s", "new"] } },
    ],
    policies: [{ mine: { priority: ["i", -1] } }, { mine: { priority: ["i", -2] } }],
  });
  assertEquals(set(ran), []);
  assertEquals(
    notes,
    ['the target of zone "public"', 'zone "gone" is gone', 'the priority of policy "mine"'].map(
      (what) => `What the files of firewalld said already is in force now: ${what}`,
    ),
  );
});

Deno.test("zones and policies that waited in files for somebody's reload do nothing yet", async () => {
  const { ran } = await reload({
    zones: [{}, {
      waiting: { services: ["as", ["ssh"]], interfaces: ["as", ["eth1"]] },
      empty: { services: ["as", ["ssh"]] },
      "bw-virbr0": { interfaces: ["as", ["virbr0"]] },
    }],
    policies: [{}, {
      open: { ingress_zones: ["as", ["ANY"]], egress_zones: ["as", ["HOST"]] },
    }],
  });
  assertEquals(set(ran), [
    ".zone setZoneSettings2 sa{sv} waiting 1 interfaces as 0",
    ".policy setPolicySettings sa{sv} open 2 ingress_zones as 0 egress_zones as 0",
  ]);
});

Deno.test("zones and policies of ours, and those that are gone, are put back by nobody", async () => {
  const port = { ports: ["a(ss)", [["1", "tcp"]]] } as const;
  const { ran } = await reload({
    zones: [{ "bw-virbr0": port, gone: port }, { "bw-virbr0": {} }],
    policies: [{ "bw-virbr0-out": { rich_rules: ["as", ["rule"]] } }, { "bw-virbr0-out": {} }],
  });
  assertEquals(set(ran), []);
});

Deno.test("what firewalld does not take back is told of, with its reason", async () => {
  const { result, notes } = await reload({
    zones: [{ public: { ports: ["a(ss)", [["1", "tcp"]]] } }, { public: {} }],
    instead: { "ports a(ss) 1 1 tcp": { status: 1, stderr: "Call failed: INVALID_PORT: 1\n" } },
  });
  assertEquals(result.status, 0);
  assertEquals(notes, [
    'What firewalld had at run time is lost, in zone "public": ports ' +
    "(Call failed: INVALID_PORT: 1)",
  ]);
});

Deno.test("a reload that firewalld refuses changes nothing else", async () => {
  const refused = { status: 1, stderr: "Call failed: INVALID_ZONE: x\n" };
  const { result, ran } = await reload({
    zones: [{ public: { ports: ["a(ss)", [["1", "tcp"]]] } }, { public: {} }],
    instead: { " reload": refused },
  });
  assertEquals(result, { stdout: "", ...refused });
  assert(ran.at(-1)?.endsWith(" reload"), ran.at(-1));
});

Deno.test("there is no reload where rules of others in iptables could not be kept", async () => {
  const { result, ran } = await reload({
    instead: { "iptables-save": { status: 1, stderr: "Permission denied\n" } },
  });
  assertEquals(result.status, 1);
  assertStringIncludes(result.stderr, "Cannot keep the rules of others in iptables");
  assert(!ran.some((line) => line.endsWith(" reload")));
});

Deno.test("a table that somebody flushed is there again before firewalld wants to remove it", async () => {
  const { ran } = await reload({});
  const [mended, reloaded] = ["nft: add table inet firewalld", `${CALL} reload`]
    .map((line) => ran.indexOf(line));
  assert(mended !== undefined && reloaded !== undefined && mended >= 0 && mended < reloaded);
  const iptables = await reload({ instead: { FirewallBackend: printed("iptables") } });
  assert(!iptables.ran.some((line) => line.startsWith("nft")));
});

const CHANGE: Command = {
  program: "firewall-cmd",
  args: ["--permanent", "--zone=public", "--change-interface=a", "--change-interface=b"],
};

Deno.test("where no firewalld runs its files change all the same", async () => {
  const runner = scriptedRunner(({ program }) => ({
    status: program === "firewall-cmd" ? 252 : 0,
  }));
  const run = keepingRuntime(runner, () => {});
  assertEquals((await run(CHANGE)).status, 0);
  assertEquals(runner.ran, [
    "firewall-cmd --permanent --zone=public --change-interface=a --change-interface=b",
    "firewall-offline-cmd --zone=public --change-interface=a --change-interface=b",
  ]);
});

Deno.test("firewall-offline-cmd does not run beside a firewalld that runs", async () => {
  for (const status of [0, 112, 127]) {
    const runner = scriptedRunner(() => ({ status }));
    assertEquals((await keepingRuntime(runner, () => {})(CHANGE)).status, status);
    assertEquals(runner.ran.length, 1);
  }
});

Deno.test("nobody who is not there is asked twice", async () => {
  const nobody = {
    status: 1,
    stdout: "",
    stderr: 'Call failed: Name "org.fedoraproject.FirewallD1" does not exist\n',
  };
  const runner = scriptedRunner(() => nobody);
  const run = keepingRuntime(runner, () => {});
  for (const command of [STATE_QUESTION, ZONES_QUESTION, RELOAD, call(".zone", "x")]) {
    assertEquals(await run(command), nobody);
  }
  assertEquals(runner.ran.length, 1);
  await run({ program: "nft", args: ["list", "tables"] });
  assertEquals(runner.ran.at(-1), "nft list tables");
});

Deno.test("a firewalld that refuses one question is asked the next one", async () => {
  const runner = scriptedRunner(() => ({ status: 1, stderr: "Call failed: INVALID_ZONE: x\n" }));
  const run = keepingRuntime(runner, () => {});
  await run(STATE_QUESTION);
  await run(ZONES_QUESTION);
  assertEquals(runner.ran.length, 2);
});

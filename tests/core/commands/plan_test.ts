import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { commandLines, plan, type PlanOptions } from "../../../core/commands/plan.ts";
import { up } from "../../../core/commands/up.ts";
import { NoBackendError } from "../../../core/firewall_backend.ts";
import { HostError } from "../../../core/host.ts";
import { emptyWorld, startProcess, type World } from "../../support/model_host.ts";

const DEFINITIONS = {
  lan: "<network><name>lan</name><forward/><bridge name='virbr0'/>" +
    "<ip address='10.0.0.1' prefix='24'/></network>",
};

/** What `plan` prints and says. */
async function planned(
  world: World,
  backend?: string,
  options: Partial<PlanOptions> = {},
): Promise<{ readonly text: readonly string[]; readonly json: unknown; readonly said: string }> {
  const { context, said } = startProcess(world, DEFINITIONS, undefined, backend);
  const names = { names: ["lan"], all: false, explain: false };
  const { text, json } = await plan(context, { ...names, ...options });
  return { text, json, said: said.join("\n") };
}

Deno.test("a plan for nft is its script, as nft takes it", async () => {
  const { text, said } = await planned(emptyWorld(), "nftables");
  assertEquals([text[0], said], ["add table inet bridgewall", ""]);
  assertEquals(text.filter((line) => line.startsWith("#")), []);
});

Deno.test("a plan for iptables is the scripts as they are, below a comment for each program", async () => {
  const { text, said } = await planned(emptyWorld(), "iptables");
  assertEquals(said, "");
  assertEquals(text.filter((line) => line.startsWith("#")), [
    "# iptables-nft-restore --noflush --wait=60",
    "# ip6tables-nft-restore --noflush --wait=60",
  ]);
  assertEquals(text.filter((line) => !/^(?:# |\*\w+$|COMMIT$|-[NA] [^#]|-I [^#])/.test(line)), []);
  assertEquals(text.slice(1, 4), [
    "*nat",
    "-N BRIDGEWALL_POST",
    "-I POSTROUTING ! -o lo -m comment --comment bridgewall -j BRIDGEWALL_POST",
  ]);
});

Deno.test("a plan for the host's own variant of iptables names its programs", async () => {
  const { text } = await planned({ ...emptyWorld(), variant: "legacy" }, "iptables");
  assertEquals(text[0], "# iptables-legacy-restore --noflush --wait=60");
});

Deno.test("a plan is what `up` runs, when nothing stands and when the network stands", async () => {
  for (const backend of ["nftables", "iptables"]) {
    const world = emptyWorld();
    for (const says of ["first", "again"]) {
      const { json } = await planned(world, backend);
      const { commands } = json as { readonly commands: readonly unknown[] };
      const ran: unknown[] = [];
      const { context } = startProcess(world, DEFINITIONS, undefined, backend);
      const run: typeof context.host.run = (command) => {
        if (command.stdin !== undefined && !command.args.includes("--test")) ran.push(command);
        return context.host.run(command);
      };
      const host = { ...context.host, run };
      await up({ ...context, host }, { names: ["lan"], all: false });
      assertEquals(ran, commands, `${says} with ${backend}`);
    }
  }
});

Deno.test("where nothing can be used, the plan is for a host that can use nftables", async () => {
  const missing = new Set(["nft", "iptables"] as const);
  const { text, json, said } = await planned({ ...emptyWorld(), missing });
  assertEquals(text[0], "add table inet bridgewall");
  assertEquals((json as { readonly backend: string }).backend, "nftables");
  assertEquals(said.split("\n"), [
    "Cannot use any backend on this host",
    "  firewalld: firewalld is not running",
    "  nftables: nft is not installed",
    "  iptables: iptables is not installed",
    "The plan is for a host that can use nftables",
  ]);
});

Deno.test("where nft cannot be used, the plan is for iptables, and nothing is said", async () => {
  const { json, said } = await planned({ ...emptyWorld(), missing: new Set(["nft"]) });
  assertEquals([(json as { readonly backend: string }).backend, said], ["iptables", ""]);
});

Deno.test("a plan for a backend that was asked for needs no host that has it", async () => {
  for (const [backend, program] of [["nftables", "nft"], ["iptables", "iptables"]] as const) {
    const { text, json } = await planned({ ...emptyWorld(), missing: new Set([program]) }, backend);
    assertEquals((json as { readonly backend: string }).backend, backend);
    assert(text.length > 10);
  }
  await assertRejects(() => planned(emptyWorld(), "ebtables"), NoBackendError);
});

Deno.test("a plan for FreeBSD is made anywhere: by its platform, by its backend, or by both", async () => {
  const everywhere = { defaultInterface: "em0" };
  const freebsd = { ...everywhere, platform: "freebsd" } as const;
  const plans = [
    await planned(emptyWorld(), undefined, freebsd),
    await planned(emptyWorld(), "pf", freebsd),
    await planned(emptyWorld(), "pf", everywhere),
  ];
  for (const { text, json, said } of plans) {
    assertEquals([(json as { readonly backend: string }).backend, said], ["pf", ""]);
    assertEquals(text.filter((line) => /^(#|nat)/.test(line)), [
      "# pfctl -a bridgewall/lan -f -",
      "nat pass on em0 inet from 10.0.0.0/24 to <natdst> -> (em0) port 1024:65535",
      "# pfctl -a bridgewall/+lan -f -",
      "# pfctl -a 'bridgewall/~lan' -f -",
      "# sysctl net.inet.ip.forwarding=1",
      "# pfctl -M -k 10.0.0.0/24",
      "# pfctl -M -k 0.0.0.0/0 -k 10.0.0.0/24",
    ]);
  }
});

Deno.test("a plan for another machine asks this one nothing, and knows nothing of it", async () => {
  const { context } = startProcess(emptyWorld(), DEFINITIONS);
  const refuse = (): never => {
    throw new Error("asked");
  };
  const records = { ...context.host.records, readAll: refuse };
  const host = {
    ...context.host,
    platform: "freebsd" as const,
    run: refuse,
    facts: refuse,
    records,
  };
  const names = { names: ["lan"], all: false, explain: false };
  const { text } = await plan({ ...context, host }, { ...names, platform: "linux" });
  assertEquals(text[0], "add table inet bridgewall");
});

Deno.test("the default interface of this machine gives way to the one that is named", async () => {
  const world = { ...emptyWorld(), platform: "freebsd" as const };
  const nat = async (options: Partial<PlanOptions>): Promise<string | undefined> =>
    (await planned(world, undefined, options)).text.find((line) => line.startsWith("nat"));
  assertStringIncludes(await nat({}) ?? "", "nat pass on re0 ");
  assertStringIncludes(await nat({ defaultInterface: "igb1" }) ?? "", "nat pass on igb1 ");
});

Deno.test("without a way out a plan with translation is refused, and says which option tells it", async () => {
  const error = await planned(emptyWorld(), "pf").catch((thrown) => thrown);
  assert(error instanceof HostError);
  assertStringIncludes(error.hint ?? "", "A plan for another host takes `--default-interface`");
});

Deno.test("a backend that does not work on the platform that was named is refused", async () => {
  const error = await planned(emptyWorld(), "nftables", { platform: "freebsd" })
    .catch((thrown) => thrown);
  assert(error instanceof NoBackendError);
  assertEquals(
    [error.message, error.hint],
    [
      'Cannot use the backend "nftables" on freebsd: it works on linux',
      "Leave out `--platform`, or choose one of `pf`",
    ],
  );
});

Deno.test("commands beside the rules are comments, and words of theirs are quoted as in a shell", () => {
  assertEquals(commandLines({ program: "sysctl", args: ["-w", "a b=1", "it's"] }), [
    "# sysctl -w 'a b=1' 'it'\\''s'",
  ]);
  assertEquals(commandLines({ program: "tc", args: ["-batch", "-"], stdin: "one\ntwo\n" }), [
    "# tc -batch -",
    "#   one",
    "#   two",
  ]);
  const [line = ""] = commandLines({ program: "ip6tables-legacy-restore", args: ["--noflush"] });
  assertStringIncludes(line, "# ip6tables-legacy-restore --noflush");
});

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../core/cli/command_table.ts";
import { VERSION } from "../../core/version.ts";
import { hostTest } from "../hosts/requirements.ts";
import { jsonOf, NETWORK, openProgram } from "./program.ts";

Deno.test("the version is one line for people and one key for programs", async () => {
  await using program = await openProgram();
  assertEquals((await program.run(["--version"])).stdout, `bridgewall ${VERSION}\n`);
  const { stdout } = await program.run(["--version", "--json"]);
  assertEquals(jsonOf(stdout), { version: VERSION });
});

Deno.test("the help lists all commands for programs too", async () => {
  await using program = await openProgram();
  const all = jsonOf((await program.run(["--help", "--json"])).stdout);
  assertEquals(all, { commands: JSON.parse(JSON.stringify(COMMANDS)) });
  const one = jsonOf((await program.run(["help", "down", "--json"])).stdout);
  const [down, ...rest] = one["commands"] as readonly { readonly name: string }[];
  assertEquals([down?.name, rest], ["down", []]);
});

Deno.test("a plan has its backend, its networks, its commands and its warnings", async () => {
  await using program = await openProgram();
  const { code, stdout } = await program.run(["plan", "--json", "-"], { stdin: NETWORK });
  assertEquals(code, 0);
  const plan = jsonOf(stdout);
  assertEquals(Object.keys(plan), ["backend", "networks", "commands", "warnings"]);
  assertEquals([plan["backend"], plan["warnings"]], ["nftables", []]);
  const [lan, ...others] = plan["networks"] as readonly Readonly<Record<string, unknown>>[];
  assertEquals(others, []);
  assertEquals([lan?.["name"], lan?.["mode"]], ["lan", "route"]);
  const [sentence] = lan?.["explanation"] as readonly string[];
  assertEquals(sentence, 'Network "lan" is in mode route, on bridge "bwtest0".');
  const [first] = plan["commands"] as readonly Readonly<Record<string, unknown>>[];
  assertEquals([first?.["program"], first?.["args"]], ["nft", ["-f", "-"]]);
  assertStringIncludes(String(first?.["stdin"]), "add table inet bridgewall\n");
});

Deno.test("an error is JSON on standard error, and nothing is on standard output", async () => {
  await using program = await openProgram();
  const { code, stdout, stderr } = await program.run(["up", "--json", "--wait=x", "lan"]);
  assertEquals([code, stdout], [2, ""]);
  assertEquals(jsonOf(stderr), {
    error: {
      message: 'Cannot wait "x" seconds: it is not a number from 0 to 999999',
      hint: "Write `--wait 30`",
      exitCode: 2,
    },
  });
  const invalid = await program.run(["plan", "--json", "-"], { stdin: "<network/>" });
  const { error } = jsonOf(invalid.stderr);
  assertEquals((error as { readonly exitCode: number }).exitCode, 2);
  const damaged = await program.run(["status", "--json", "--state-dir", "/dev/null"]);
  assertEquals(damaged.code, 1);
  assert("error" in jsonOf(damaged.stderr), damaged.stderr);
});

hostTest({
  name: "status, check and backends have JSON when there is nothing to tell",
  tools: ["unshare"],
  body: async () => {
    await using program = await openProgram();
    const ask = async (command: string): Promise<ReturnType<typeof jsonOf>> => {
      const { code, stdout, stderr } = await program.runApart([command, "--json"]);
      assertEquals(code, 0, stderr);
      return jsonOf(stdout);
    };
    assertEquals(await ask("status"), { networks: [], masquerade: [] });
    assertEquals(await ask("check"), { checked: [], drift: [] });
    const backends = await ask("backends");
    assertEquals(Object.keys(backends), ["chosen", "asked", "backends"]);
    assertEquals([backends["chosen"], backends["asked"]], ["nftables", null]);
    const [firewalld, nftables] = backends["backends"] as readonly Readonly<
      Record<string, unknown>
    >[];
    assertEquals([firewalld?.["name"], firewalld?.["usable"]], ["firewalld", false]);
    assertEquals([nftables?.["name"], nftables?.["usable"]], ["nftables", true]);
    assertEquals(typeof nftables?.["evidence"], "string");
  },
});

Deno.test("messages do not mix with data, and --quiet leaves the data", async () => {
  await using program = await openProgram();
  const verbose = await program.run(["plan", "--verbose", "-"], { stdin: NETWORK });
  const quiet = await program.run(["plan", "--quiet", "-"], { stdin: NETWORK });
  assertEquals(verbose.stdout, quiet.stdout);
  assertEquals(quiet.stderr, "");
  assertStringIncludes(verbose.stderr, "run: ip -4 -j route show table main");
});

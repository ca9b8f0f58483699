import { assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../core/cli/command_table.ts";
import { hostTest } from "../hosts/requirements.ts";
import { run } from "../hosts/run_program.ts";
import { NETWORK, openProgram } from "./program.ts";

/** Words that mean nothing, or a definition that is not valid: exit code 2. */
const WRONG_USE: Readonly<Record<string, readonly string[]>> = {
  "no command was given": [],
  'Cannot run "upp"': ["upp"],
  'Cannot use the option "--bogus"': ["plan", "--bogus"],
  'Cannot use "--wait" without a value': ["plan", "x", "--wait"],
  "Cannot go on without a network": ["plan"],
  "Cannot take both names and `--all`": ["plan", "x", "--all"],
  'Cannot find a definition of network "none"': ["plan", "none"],
  'Cannot read "/nonexistent/x.xml": no such file': ["plan", "/nonexistent/x.xml"],
  "-:1:1: ": ["plan", "-"],
  "Cannot read the configuration": ["plan", "x", "--config", "/nonexistent/x.conf"],
  "it is a directory": ["plan", "/tmp/."],
};

for (const [message, words] of Object.entries(WRONG_USE)) {
  Deno.test(`\`bridgewall ${words.join(" ")}\` exits with 2 and says what is wrong`, async () => {
    await using program = await openProgram();
    const { code, stdout, stderr } = await program.run(words, { stdin: "" });
    assertEquals([code, stdout], [2, ""], stderr);
    assertStringIncludes(stderr, message);
    assertEquals(stderr.startsWith("error: "), true, stderr);
  });
}

Deno.test("a definition that is not valid exits with 2, with file, line and column", async () => {
  await using program = await openProgram();
  const path = program.write("x.xml", "<network>\n  <nome>lan</nome>\n</network>\n");
  for (const command of ["plan", "up"]) {
    const { code, stderr } = await program.run([command, path]);
    assertEquals(code, 2, stderr);
    assertStringIncludes(stderr, `error: ${path}:1:1: Network has no name`);
  }
});

Deno.test("a configuration that is not valid exits with 2, with file and line", async () => {
  await using program = await openProgram();
  const file = program.write("bridgewall.conf", "\ntabel = 'x'\n");
  const { code, stderr } = await program.run(["status"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, `error: ${file}:2: There is no key "tabel"`);
  program.write("bridgewall.conf", '# of old\n\nfirewall_backend = "ipchains"\n');
  const backend = await program.run(["plan", "x", "--backend=nftables"]);
  assertEquals([backend.code, backend.stdout], [2, ""]);
  assertStringIncludes(
    backend.stderr,
    `error: ${file}:3: The value of "firewall_backend" must be one of "firewalld", "nftables", "iptables", "pf"`,
  );
  const directory = await program.run(["status", "--config", program.directory]);
  assertEquals(directory.code, 2, directory.stderr);
  assertStringIncludes(directory.stderr, "Cannot read the configuration");
});

hostTest({
  name: "a network that is not active exits with 1",
  tools: ["unshare"],
  body: async () => {
    await using program = await openProgram();
    for (const command of ["status", "check"]) {
      const { code, stderr } = await program.runApart([command, "lan"]);
      assertEquals(code, 1, stderr);
      assertStringIncludes(stderr, 'error: Network "lan" is not active\n\nhint: ');
    }
  },
});

Deno.test("records that cannot be trusted exit with 1", async () => {
  await using program = await openProgram();
  const state = `${program.directory}/state`;
  Deno.mkdirSync(state);
  Deno.chmodSync(state, 0o777);
  const { code, stderr } = await program.run(["status"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, `error: Cannot trust "${state}": others may write it`);
});

Deno.test("a backend that this program does not have exits with 4", async () => {
  await using program = await openProgram();
  const path = program.write("x.xml", NETWORK);
  const asked = await program.run(["plan", path, "--backend", "ipfw"]);
  assertEquals([asked.code, asked.stdout], [4, ""], asked.stderr);
  assertStringIncludes(asked.stderr, 'error: Cannot use the backend "ipfw"');
});

Deno.test("every command refuses a backend that this program does not have", async () => {
  await using program = await openProgram();
  for (const { name, operandKind } of COMMANDS) {
    const operands = operandKind !== "nothing" ? ["lan"] : [];
    const { code, stdout, stderr } = await program.run([name, "--backend=bogus", ...operands]);
    assertEquals([code, stdout], [4, ""], `${name}: ${stderr}`);
    assertStringIncludes(stderr, 'error: Cannot use the backend "bogus"');
    assertStringIncludes(stderr, "hint: Choose one of `firewalld`, `nftables`");
  }
});

Deno.test("a network that the backend cannot express exits with 4", async () => {
  await using program = await openProgram();
  const path = program.write("x.xml", NETWORK.replace("'bwtest0'", `'a"b'`));
  const { code, stderr } = await program.run(["plan", path]);
  assertEquals(code, 4, stderr);
  assertStringIncludes(stderr, "The language of nftables cannot write the interface name");
});

Deno.test("help and version exit with 0, and leave no trace", async () => {
  await using program = await openProgram();
  for (const words of [["--help"], ["help", "plan"], ["--version"]]) {
    const { code, stderr } = await program.run(words);
    assertEquals(code, 0, `${words.join(" ")}: ${stderr}`);
  }
  assertEquals([...Deno.readDirSync(program.directory)].map(({ name }) => name).toSorted(), [
    "bridgewall.conf",
    "networks",
  ]);
});

hostTest({
  name: "check exits with 3 once the table is gone, and up mends it",
  tools: ["unshare", "sh"],
  body: async () => {
    await using program = await openProgram();
    const path = program.write("x.xml", NETWORK);
    const word = (argv: readonly string[]): string =>
      argv.map((one) => `'${one.replaceAll("'", "'\\''")}'`).join(" ");
    const bridgewall = (...words: readonly string[]): string => word(program.argv(words));
    const script = [
      `${bridgewall("up", path)} || exit 11`,
      `${bridgewall("check")} || exit 12`,
      "nft delete table inet bridgewall",
      `${bridgewall("check", "--json")}; [ $? = 3 ] || exit 13`,
      `${bridgewall("up", path)} || exit 14`,
      `${bridgewall("check", "lan")} || exit 15`,
      `${bridgewall("down", "lan")} || exit 16`,
      `${bridgewall("down", "lan")} || exit 17`,
      '[ -z "$(nft list ruleset)" ] || exit 18',
    ].join("\n");
    const { code, stdout, stderr } = await run(["unshare", "--net", "sh", "-c", script]);
    assertEquals(code, 0, stdout + stderr);
    assertStringIncludes(stdout, '"drift"');
    assertStringIncludes(stdout, 'Table \\"inet bridgewall\\" is missing');
  },
});

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Command, Program } from "../../core/command.ts";
import { candidatePaths, runCommand } from "../../platform/run_command.ts";
import { RUN } from "../../platform/run_mark.ts";

/** Programs of every Linux in the places where ours are looked for; the type knows only ours. */
function command(program: string, args?: readonly string[], stdin?: string): Command {
  const base = { program: program as Program, args: args ?? [] };
  return stdin === undefined ? base : { ...base, stdin };
}

Deno.test("a program reads its input and gives output, errors and status", async () => {
  const script = "cat; echo problem >&2; exit 3";
  assertEquals(await runCommand(command("sh", ["-c", script], "input\n"), "/nonexistent"), {
    status: 3,
    stdout: "input\n",
    stderr: "problem\n",
  });
});

Deno.test("arguments arrive as they are, no shell reads them", async () => {
  const words = ["$HOME", "a b", "`id`", "", "*", "é", "-n"];
  const { stdout } = await runCommand(command("printf", ["%s\\n", ...words]), "/nonexistent");
  assertEquals(stdout.split("\n").slice(0, -1), words);
});

Deno.test("two megabytes pass through a program that answers while it reads", async () => {
  const text = "add rule inet bridgewall chain accept\n".repeat(56_000);
  const { status, stdout } = await runCommand(command("cat", [], text), "/nonexistent");
  assertEquals([status, stdout.length, stdout === text], [0, text.length, true]);
});

Deno.test("a program that does not read its input is no error of its own", async () => {
  const text = "x".repeat(2_000_000);
  const { status } = await runCommand(command("sh", ["-c", "exit 5"], text), "/nonexistent");
  assertEquals(status, 5);
});

Deno.test("a program without input finds it empty", async () => {
  assertEquals((await runCommand(command("cat"), "/nonexistent")).stdout, "");
  assertEquals((await runCommand(command("cat", [], ""), "/nonexistent")).stdout, "");
});

Deno.test("a program that is not installed has the status of a shell", async () => {
  const { status, stderr } = await runCommand(
    command("bridgewall-no-such-program"),
    "/nonexistent",
  );
  assertEquals([status, stderr], [127, "bridgewall-no-such-program: not found"]);
  const again = await runCommand(
    command("bridgewall-no-such-program", [], "input"),
    "/nonexistent",
  );
  assertEquals(again.status, 127);
});

Deno.test("nothing of the caller's environment gets through", async () => {
  Deno.env.set("BRIDGEWALL_TEST_SECRET", "1");
  Deno.env.set("LC_ALL", "de_DE.UTF-8");
  try {
    const { stdout } = await runCommand(command("env"), "/nonexistent");
    const lines = stdout.trimEnd().split("\n").toSorted();
    const path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    assertEquals(lines, [`BRIDGEWALL_RUN=${RUN}`, "LC_ALL=C", path]);
  } finally {
    Deno.env.delete("BRIDGEWALL_TEST_SECRET");
    Deno.env.delete("LC_ALL");
  }
});

Deno.test("a program that a signal ended has failed", async () => {
  const { status } = await runCommand(command("sh", ["-c", "kill -9 $$"]), "/nonexistent");
  assert(status > 128, String(status));
});

Deno.test("output that is not UTF-8 is no problem", async () => {
  const { stdout } = await runCommand(command("printf", ["a\\377b"]), "/nonexistent");
  assertMatch(stdout, /^a.b$/);
});

Deno.test("a program that stays gets the same as one that does not", async () => {
  const script = "cat; head -c 200000 /dev/zero; printf 'a\\377b'; echo problem >&2; exit 3";
  const commands = [
    command("sh", ["-c", script]),
    command("sh", ["-c", script], "input\n".repeat(50_000)),
    command("sh", ["-c", "kill -9 $$"]),
    command("sh", ["-c", "exit 5"], "x".repeat(2_000_000)),
    command("bridgewall-no-such-program"),
  ];
  for (const one of commands) {
    const expected = await runCommand(one, "/nonexistent");
    assertEquals(await runCommand(one, "/nonexistent", true), expected);
  }
});

Deno.test("programs are looked for in places that only root writes", () => {
  assertEquals(candidatePaths("nft"), [
    "/usr/sbin/nft",
    "/sbin/nft",
    "/usr/bin/nft",
    "/bin/nft",
    "/run/current-system/sw/bin/nft",
  ]);
});

Deno.test("a script that no pipe takes at once waits in a file, and none is left", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const text = "line\n".repeat(400_000);
    const whole = await runCommand(command("cat", ["-"], text), directory);
    assertEquals([whole.status, whole.stdout.length], [0, text.length]);
    const { stdout } = await runCommand(command("ls", ["-l", "-"], text), directory);
    assertMatch(stdout, /^-rw------- .*\/\.script-[0-9a-f-]+\n$/);
    assertEquals([...Deno.readDirSync(directory)], []);
    const failed = await runCommand(command("cat", ["-"], text), `${directory}/missing`);
    assertEquals([failed.status, failed.stdout], [1, ""]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

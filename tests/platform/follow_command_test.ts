import { assert, assertEquals } from "@std/assert";
import type { Command } from "../../core/command.ts";
import { followCommand } from "../../platform/follow_command.ts";

/** sysctl prints some lines and ends; `ip monitor` goes on. */
const ENDING: Command = { program: "sysctl", args: ["kernel.ostype", "kernel.version"] };
const LASTING: Command = { program: "ip", args: ["monitor", "link"] };

async function all(lines: AsyncIterable<string>): Promise<readonly string[]> {
  return await Array.fromAsync(lines);
}

Deno.test("the lines of a program are given, and it ends with them", async () => {
  const lines = await all(followCommand(ENDING, new AbortController().signal));
  assertEquals([lines[0], lines.length], ["kernel.ostype = Linux", 2]);
});

Deno.test("a program that goes on ends when it is told to", async () => {
  const ending = new AbortController();
  setTimeout(() => ending.abort(), 200);
  assertEquals(await all(followCommand(LASTING, ending.signal)), []);
  assertEquals(await all(followCommand(LASTING, ending.signal)), []);
});

Deno.test("who stops to listen ends it", async () => {
  const lines = followCommand(ENDING, new AbortController().signal);
  for await (const line of lines) {
    assert(line.startsWith("kernel.ostype"));
    break;
  }
});

Deno.test("a program that is not there says nothing", async () => {
  // That of another system.
  const command: Command = { program: "pfctl", args: ["-s", "info"] };
  assertEquals(await all(followCommand(command, new AbortController().signal)), []);
});

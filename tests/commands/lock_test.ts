import { assertEquals, assertStringIncludes } from "@std/assert";
import { lockFile } from "../../platform/lock.ts";
import { hostTest } from "../hosts/requirements.ts";
import { jsonOf, NETWORK, openProgram } from "./program.ts";

hostTest({
  name: "a command that another one holds up says so, and gives up after --wait seconds",
  tools: ["unshare"],
  body: async () => {
    await using program = await openProgram();
    const path = program.write("x.xml", NETWORK);
    const state = `${program.directory}/state`;
    Deno.mkdirSync(state, { mode: 0o700 });
    using _lock = await lockFile(`${state}/lock`, 0, () => {});
    for (const words of [["up", path], ["down", "lan"], ["reload"]]) {
      const { code, stdout, stderr } = await program.runApart([...words, "--wait", "0.1"]);
      assertEquals([code, stdout], [1, ""], stderr);
      assertStringIncludes(stderr, "Waiting for another bridgewall command to finish\n");
      assertStringIncludes(
        stderr,
        `error: Cannot get the lock "${state}/lock" within 0.1 seconds: another bridgewall command`,
      );
    }
    const asJson = await program.runApart(["up", path, "--wait=0", "--json"]);
    assertEquals(jsonOf(asJson.stderr)["error"] !== undefined, true, asJson.stderr);
    assertEquals((await program.run(["plan", path])).code, 0);
    assertEquals((await program.runApart(["status", "--wait=0"])).code, 0);
  },
});

/** The bundle and the script that starts it, as they are shipped, where they may do the least. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { bundle } from "../../dist/bundle.ts";
import { hostTest } from "../hosts/requirements.ts";
import { mustRun, run } from "../hosts/run_program.ts";
import { ship } from "./shipped.ts";

for (const backend of ["nftables", "iptables"]) {
  hostTest({
    name: `the shipped script brings a network up and down with ${backend}, with its permissions`,
    tools: ["iptables", "unshare", "mount"],
    body: async () => {
      await using shipped = await ship();
      const up = `up --backend=${backend} ${shipped.definition}`;
      const publish = "publish default 8080:192.168.122.9:80/tcp";
      const commands = [
        ...[up, "status", "check", publish, "reload", "masquerade add 10.9.0.0/16", "check"],
        ...["masquerade remove 10.9.0.0/16", "down --all", "status"],
      ];
      const { code, stdout, stderr } = await shipped.run(
        commands.map((words) => `${shipped.program} ${words}`),
      );
      assertEquals(code, 0, stderr);
      assertStringIncludes(stdout, "192.168.122.0/24");
      assertStringIncludes(stderr, 'Network "default" is down\n');
    },
  });
}

hostTest({
  name: "records elsewhere than the shipped program may write are refused, and nothing is changed",
  tools: ["unshare", "mount"],
  body: async () => {
    await using shipped = await ship();
    const words = `up --backend=nftables --state-dir=/var/elsewhere ${shipped.definition}`;
    const { code, stderr } = await shipped.run([`${shipped.program} ${words}`]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, '"/var/elsewhere": this program was not made to write there\n');
    assertStringIncludes(stderr, "hint: Leave out `--state-dir`");
  },
});

Deno.test("a program without Deno says where it looked for one", async () => {
  const directory = `${await Deno.makeTempDir()}/`;
  try {
    await bundle(directory);
    const text = await Deno.readTextFile(`${directory}bridgewall`);
    const nowhere = text.replaceAll("/usr/", "/nonexistent/");
    await Deno.writeTextFile(`${directory}bridgewall`, nowhere);
    const { code, stderr } = await run([`${directory}bridgewall`, "--version"]);
    assertEquals([code, stderr.startsWith("error: deno is neither in ")], [1, true]);
    await mustRun(["sh", "-n", `${directory}bridgewall`]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

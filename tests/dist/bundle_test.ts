/** The bundle and the script that starts it, as they are shipped, where they may do the least. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { bundle } from "../../dist/bundle.ts";
import { makeNamespace, removeNamespace } from "../hosts/namespace.ts";
import { hostTest } from "../hosts/requirements.ts";
import { type Finished, mustRun, run } from "../hosts/run_program.ts";

const DEFINITION = `<network>
  <name>default</name>
  <forward mode='nat'/>
  <bridge name='virbr0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'/>
</network>
`;

/** Records, and what Deno keeps, are where they are by themselves, which nobody else sees. */
const APART = 'mount -t tmpfs none /run && mount -t tmpfs none /var/cache && exec "$@"';

/** What a caller may have in its environment, who may be anybody. */
const ENVIRONMENT = {
  HOME: "/nonexistent",
  PATH: "/nonexistent",
  LD_LIBRARY_PATH: "/nonexistent",
  DENO_DIR: "/nonexistent",
  DENO_V8_FLAGS: "--help",
};

interface Shipped extends AsyncDisposable {
  readonly directory: string;
  /** Runs commands one after the other where records stay between them; stops where one fails. */
  run(...commands: readonly string[]): Promise<Finished>;
}

/** A directory with the bundle, the script, a deno, and a link as in /usr/bin. */
async function ship(): Promise<Shipped> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-shipped-" });
  await Deno.mkdir(`${directory}/lib`);
  await Deno.mkdir(`${directory}/bin`);
  await bundle(`${directory}/lib/`);
  await Deno.symlink(Deno.execPath(), `${directory}/lib/deno`);
  await Deno.symlink("../lib/bridgewall", `${directory}/bin/bridgewall`);
  await Deno.writeTextFile(`${directory}/default.xml`, DEFINITION);
  const namespace = await makeNamespace("shipped");
  return {
    directory,
    run: (...commands) => {
      const script = commands.map((words) => `${directory}/bin/bridgewall ${words}`).join(" && ");
      const shell = ["sh", "-c", APART, "sh", "/bin/sh", "-c", script];
      const argv = ["unshare", "--mount", "--propagation", "private", ...shell];
      return run(argv, { namespace, environment: { ...ENVIRONMENT, PATH: "/usr/sbin:/usr/bin" } });
    },
    [Symbol.asyncDispose]: async () => {
      await removeNamespace(namespace);
      await Deno.remove(directory, { recursive: true });
    },
  };
}

for (const backend of ["nftables", "iptables"]) {
  hostTest({
    name: `the shipped script brings a network up and down with ${backend}, with its permissions`,
    tools: ["iptables", "unshare", "mount"],
    body: async () => {
      await using shipped = await ship();
      const up = `up --backend=${backend} ${shipped.directory}/default.xml`;
      const publish = "publish default 8080:192.168.122.9:80/tcp";
      const { code, stdout, stderr } = await shipped.run(
        ...[up, "status", "check", publish, "reload", "masquerade add 10.9.0.0/16", "check"],
        ...["masquerade remove 10.9.0.0/16", "down --all", "status"],
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
    const { code, stderr } = await shipped.run(
      `up --backend=nftables --state-dir=/var/elsewhere ${shipped.directory}/default.xml`,
    );
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

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import type { CommandResult, FileProgram } from "../../core/command.ts";
import {
  type FileCommand,
  isFileCommand,
  runFileCommand,
} from "../../platform/configuration_files.ts";
import { withMounts } from "../hosts/private_mounts.ts";
import { hostTest } from "../hosts/requirements.ts";
import { mustRun } from "../hosts/run_program.ts";

const ZONES = "/etc/firewalld/zones";

/** A name that nobody has. */
const NOBODYS = `${ZONES}/bridgewall-test-nobodys.xml`;

function command(program: FileProgram, paths: readonly string[]): FileCommand {
  switch (program) {
    case "cat":
      return { program, args: paths };
    case "install":
      return { program, args: ["-m", "0644", "/dev/stdin", ...paths], stdin: "text\n" };
    case "rm":
      return { program, args: ["-f", ...paths] };
  }
}

/** Paths at which nothing is read, written or removed. */
const FOREIGN: readonly string[] = [
  "/etc/firewalld/zones/../firewalld.conf",
  "/etc/firewalld/zones/../zones/public.xml",
  "/etc/firewalld/zones/..",
  "/etc/firewalld/zones/",
  "/etc/firewalld/zones/sub/a.xml",
  "/etc/firewalld/zones//a.xml",
  "/etc/firewalld//zones/a.xml",
  "/etc/firewalld/zones/.a.xml",
  "/etc/firewalld/zones/.xml",
  "/etc/firewalld/zones/-a.xml",
  "/etc/firewalld/zones/a",
  "/etc/firewalld/zones/a.xml.new",
  "/etc/firewalld/zones/a.xml\n",
  "/etc/firewalld/zones/a b.xml",
  "/etc/firewalld/zones/a.b.xml",
  "/etc/firewalld/services/a.xml",
  "/etc/firewalld/a.xml",
  "/etc/firewalld/firewalld.conf",
  "/usr/lib/firewalld/zones/a.xml",
  "/etc/passwd",
  "/a.xml",
  "/",
];

for (const program of ["cat", "install", "rm"] as const) {
  Deno.test(`${program} touches no file but those of zones and policies`, () => {
    for (const path of FOREIGN) {
      const { status, stdout, stderr } = runFileCommand(command(program, [path]));
      assertEquals([status, stdout], [126, ""], path);
      assertStringIncludes(stderr, "no configuration file");
    }
  });
}

Deno.test("one foreign path among others is enough to do nothing", () => {
  const { status, stderr } = runFileCommand(command("rm", [NOBODYS, "/etc/passwd"]));
  assertEquals([status, stderr], [126, "rm: /etc/passwd: no configuration file"]);
});

Deno.test("a file that is missing is told of by who reads it, and is no error to who removes it", () => {
  const { status, stdout, stderr } = runFileCommand(command("cat", [NOBODYS]));
  assertEquals([status, stdout], [1, ""]);
  assertStringIncludes(stderr, "No such file");
  assertEquals(runFileCommand(command("rm", [NOBODYS, NOBODYS])).status, 0);
});

Deno.test("only commands for files are done without a program", () => {
  assert(isFileCommand({ program: "cat", args: [] }));
  assert(isFileCommand({ program: "install", args: [] }));
  assert(isFileCommand({ program: "rm", args: [] }));
  assert(!isFileCommand({ program: "busctl", args: [] }));
  assert(!isFileCommand({ program: "firewall-cmd", args: [] }));
});

const MODULE = fromFileUrl(new URL("../../platform/configuration_files.ts", import.meta.url));

/** Runs the commands one after the other, and prints the results and what the directory holds then. */
const SCRIPT = `
import { runFileCommand } from ${JSON.stringify(`file://${MODULE}`)};
const results = JSON.parse(Deno.args[0]).map(runFileCommand);
const files = [];
try {
  for (const { name } of Deno.readDirSync("${ZONES}")) {
    files.push([name, (Deno.lstatSync("${ZONES}/" + name).mode & 0o777).toString(8)]);
  }
} catch { /* there is none */ }
console.log(JSON.stringify({ results, files: files.sort() }));
`;

interface Outcome {
  readonly results: readonly CommandResult[];
  readonly files: readonly (readonly [name: string, mode: string])[];
}

/** In a mount namespace of its own, where /etc/firewalld is empty but for what the shell makes there. */
async function runApart(
  commands: readonly FileCommand[],
  ...preparations: readonly string[]
): Promise<Outcome> {
  const script = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(script, SCRIPT);
    const mounts = ["mount -t tmpfs none /etc/firewalld", ...preparations];
    const deno = [Deno.execPath(), "run", "--quiet", "--no-config", "--no-check", "--allow-all"];
    const argv = withMounts(mounts, [...deno, script, JSON.stringify(commands)]);
    const outcome: Outcome = JSON.parse(await mustRun(argv));
    return outcome;
  } finally {
    await Deno.remove(script);
  }
}

const TOOLS = ["unshare", "mount", "firewalld"];
const OURS = `${ZONES}/bw-test.xml`;

hostTest({
  name: "a file that was written reads back, in the place of the old one, for all to read",
  tools: TOOLS,
  body: async () => {
    const text = `<zone>${"é".repeat(30_000)}</zone>\n`;
    const { results, files } = await runApart([
      command("install", [OURS]),
      { ...command("install", [OURS]), stdin: text },
      command("cat", [OURS]),
    ]);
    assertEquals(results.map(({ status }) => status), [0, 0, 0]);
    assertEquals(results.at(-1)?.stdout === text, true);
    assertEquals(files, [["bw-test.xml", "644"]]);
  },
});

hostTest({
  name: "what a killed command left half written is no obstacle",
  tools: TOOLS,
  body: async () => {
    const { results, files } = await runApart(
      [command("install", [OURS]), command("cat", [OURS])],
      `mkdir -p ${ZONES}`,
      `echo half > ${OURS}.new`,
    );
    assertEquals(results.at(-1), { status: 0, stdout: "text\n", stderr: "" });
    assertEquals(files, [["bw-test.xml", "644"]]);
  },
});

hostTest({
  name: "a link is replaced, and what it leads to stays as it is",
  tools: TOOLS,
  body: async () => {
    const { results, files } = await runApart(
      [command("install", [OURS]), command("cat", [`${ZONES}/other.xml`])],
      `mkdir -p ${ZONES}`,
      `echo other > ${ZONES}/other.xml`,
      `ln -s other.xml ${OURS}`,
      `ln -s other.xml ${OURS}.new`,
    );
    assertEquals(results.at(-1)?.stdout, "other\n");
    assertEquals(files, [["bw-test.xml", "644"], ["other.xml", "644"]]);
  },
});

hostTest({
  name: "files go, those that are missing already without an error",
  tools: TOOLS,
  body: async () => {
    const { results, files } = await runApart([
      command("install", [OURS]),
      command("rm", [NOBODYS, OURS]),
      command("cat", [OURS]),
    ]);
    assertEquals(results.map(({ status }) => status), [0, 0, 1]);
    assertEquals(files, []);
  },
});

hostTest({
  name: "a directory that cannot be written to is told of",
  tools: TOOLS,
  body: async () => {
    const { results } = await runApart(
      [command("install", [OURS])],
      "mount -o remount,ro /etc/firewalld",
    );
    assertEquals(results[0]?.status, 1);
    assertStringIncludes(results[0]?.stderr ?? "", "Read-only file system");
  },
});

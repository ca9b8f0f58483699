import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { UsageError } from "../../core/commands/context.ts";
import { NetworkDefinitionError } from "../../core/network/network_error.ts";
import { definitionFiles } from "../../platform/definition_files.ts";
import { NETWORK, openProgram } from "../commands/program.ts";
import { mustRun, run } from "../hosts/run_program.ts";

/** Registers a test with an empty directory of definitions. */
function test(name: string, body: (directory: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const directory = await Deno.makeTempDir({ prefix: "bridgewall-networks-" });
    try {
      await body(directory);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

function write(directory: string, texts: Readonly<Record<string, string | Uint8Array>>): void {
  const encoder = new TextEncoder();
  for (const [name, text] of Object.entries(texts)) {
    const bytes = typeof text === "string" ? encoder.encode(text) : text;
    Deno.writeFileSync(`${directory}/${name}`, bytes);
  }
}

test("a name is that of a file in the configuration directory", async (directory) => {
  write(directory, { "lan.xml": "<lan/>", "my net.xml": "<mine/>" });
  const files = definitionFiles(directory);
  assertEquals(await files.read("lan"), { text: "<lan/>", file: `${directory}/lan.xml` });
  assertEquals((await files.read("my net")).text, "<mine/>");
});

test("a path is a path, from anywhere", async (directory) => {
  write(directory, { "other": "<other/>" });
  const files = definitionFiles("/nonexistent");
  const path = `${directory}/other`;
  assertEquals(await files.read(path), { text: "<other/>", file: path });
});

test("all definitions come in the order of their files", async (directory) => {
  write(directory, {
    "b.xml": "b",
    "a.xml": "a",
    ".hidden.xml": "x",
    "c.xml~": "x",
    "note.txt": "x",
  });
  assertEquals((await definitionFiles(directory).readAll()).map(({ text }) => text), ["a", "b"]);
  assertEquals(await definitionFiles(`${directory}/none`).readAll(), []);
});

test("what libvirt keeps comes in the same order, and from root's files alone", async (directory) => {
  write(directory, { "b.xml": "b", "a.xml": "a" });
  const libvirt = { definitions: directory, status: `${directory}/none` };
  const files = definitionFiles("/nonexistent", Deno.uid(), libvirt);
  assertEquals((await files.readLibvirt("definitions")).map(({ text }) => text), ["a", "b"]);
  assertEquals(await files.readLibvirt("status"), []);
  Deno.chmodSync(`${directory}/a.xml`, 0o666);
  const asRoot = definitionFiles("/nonexistent", 0, libvirt);
  await assertRejects(() => asRoot.readLibvirt("definitions"), UsageError, "Cannot trust");
});

test("an unknown name is refused with those that are known", async (directory) => {
  write(directory, { "lan.xml": "", "lab.xml": "" });
  const error = await assertRejects(() => definitionFiles(directory).read("lam"), UsageError);
  assertEquals(
    error.message,
    `Cannot find a definition of network "lam": there is no "${directory}/lam.xml"`,
  );
  assertEquals(error.hint, 'Known are "lab", "lan"');
  const none = `${directory}/none`;
  const empty = await assertRejects(() => definitionFiles(none).read("lan"), UsageError);
  assertStringIncludes(empty.hint ?? "", `Put definitions into "${none}"`);
});

test("a file that is not there, or is none, is refused by its name", async (directory) => {
  const files = definitionFiles(directory);
  const path = `${directory}/missing.xml`;
  await assertRejects(() => files.read(path), UsageError, `Cannot read "${path}": no such file`);
  await assertRejects(
    () => files.read(`${directory}/.`),
    UsageError,
    `Cannot read "${directory}/.": it is a directory`,
  );
  await assertRejects(() => files.read("/dev/null/x"), UsageError, 'Cannot read "/dev/null/x"');
  await assertRejects(() => files.read("x".repeat(300)), UsageError, "Cannot read");
});

test("one definition that cannot be read stops --all, by its name", async (directory) => {
  write(directory, { "lan.xml": "<lan/>" });
  Deno.symlinkSync("/nonexistent", `${directory}/dangling.xml`);
  await assertRejects(
    () => definitionFiles(directory).readAll(),
    UsageError,
    `Cannot read "${directory}/dangling.xml"`,
  );
  const file = `${directory}/lan.xml`;
  await assertRejects(() => definitionFiles(file).readAll(), UsageError, `Cannot read "${file}"`);
});

test("text that is not UTF-8 is refused with how to save it", async (directory) => {
  write(directory, {
    "latin.xml": new Uint8Array([0x3c, 0xe9, 0x3e]),
    "cut.xml": new Uint8Array([0x3c, 0xc3]),
    "utf16.xml": new Uint8Array([0xff, 0xfe, 0x3c, 0]),
  });
  for (const name of ["latin", "cut", "utf16"]) {
    const error = await assertRejects(
      () => definitionFiles(directory).read(name),
      NetworkDefinitionError,
      `${directory}/${name}.xml:1:1: This is not UTF-8 text`,
    );
    assertEquals(error.hint, "Save the definition as UTF-8");
  }
});

test("characters survive wherever a read ends", async (directory) => {
  const text = `${"x".repeat(65_535)}é網😀`;
  write(directory, { "lan.xml": text, "bom.xml": "\ufeff<lan/>" });
  assertEquals((await definitionFiles(directory).read("lan")).text === text, true);
  assertEquals((await definitionFiles(directory).read("bom")).text, "<lan/>");
});

Deno.test("something endless is refused, not read for ever", async () => {
  await assertRejects(
    () => definitionFiles("/nonexistent").read("/dev/zero"),
    NetworkDefinitionError,
    "/dev/zero:1:1: This is too long to be a definition",
  );
});

test("a FIFO is refused at once, wherever it is met", async (directory) => {
  const path = `${directory}/lan.xml`;
  await mustRun(["mkfifo", path]);
  Deno.symlinkSync(path, `${directory}/link.xml`);
  const files = definitionFiles(directory);
  const hint = "Give its content to standard input, and write `-` instead";
  for (const argument of ["lan", path, "link", `/proc/..${path}`]) {
    const error = await assertRejects(() => files.read(argument), UsageError, "it is a FIFO");
    assertEquals(error.hint, hint);
  }
  await assertRejects(() => files.readAll(), UsageError, `Cannot read "${path}": it is a FIFO`);
});

Deno.test("a pipe of the shell is read: <(…) and /dev/stdin", async () => {
  await using program = await openProgram();
  const command = 'one=$1; shift; "$@" plan --quiet <(printf %s "$one") && ' +
    'printf %s "$one" | "$@" plan --quiet /dev/stdin';
  const { code, stdout, stderr } = await run(
    ["bash", "-c", command, "bash", NETWORK, ...program.argv([])],
  );
  assertEquals(code, 0, stderr);
  assertEquals(stdout.match(/^add table /gm)?.length, 2);
});

const READER = fromFileUrl(new URL("../../platform/definition_files.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** Reads `-` in a process of its own, whose standard input this is. */
async function readInput(stdin: string | undefined): Promise<unknown> {
  const script = `import { definitionFiles } from ${JSON.stringify(READER)};
const files = definitionFiles("/nonexistent");
console.log(JSON.stringify(await files.read("-").catch((error) => ({ refused: error.message }))));`;
  const argv = ["run", "--quiet", "--no-lock", "--config", CONFIG, "--no-check", "--allow-all"];
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, script);
    const { code, stdout, stderr } = await run([Deno.execPath(), ...argv, file], { stdin });
    assert(code === 0, stderr);
    return JSON.parse(stdout);
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("a lone - is standard input, however large or empty it is", async () => {
  const text = `<network>${"é".repeat(200_000)}</network>`;
  assertEquals(await readInput(text), { text, file: "-" });
  assertEquals(await readInput(undefined), { text: "", file: "-" });
  assertEquals(await readInput("x".repeat(4 * 1024 * 1024 + 1)), {
    refused: "-:1:1: This is too long to be a definition",
  });
});

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ConfigurationError } from "../../core/configuration.ts";
import { UsageError } from "../../core/commands/context.ts";
import { definitionFiles } from "../../platform/definition_files.ts";
import { openConfiguration } from "../../platform/mod.ts";
import { distrustOf } from "../../platform/trusted.ts";

const ROOT = Deno.uid() === 0;

/** A directory with a configuration and a definition, as an administrator leaves them. */
async function inConfiguration(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    Deno.chmodSync(directory, 0o755);
    Deno.mkdirSync(`${directory}/networks`, { mode: 0o755 });
    Deno.writeTextFileSync(`${directory}/bridgewall.conf`, "wait = 7\n", { mode: 0o644 });
    Deno.writeTextFileSync(`${directory}/networks/lan.xml`, "<network/>", { mode: 0o644 });
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test({
  name: "root follows no configuration that others may write, and says which file it is",
  ignore: !ROOT,
  fn: async () => {
    await inConfiguration(async (directory) => {
      const file = `${directory}/bridgewall.conf`;
      assertEquals((await openConfiguration(file)).wait, 7);
      for (const path of [file, directory]) {
        const { mode } = Deno.statSync(path);
        for (const open of [0o020, 0o002]) {
          Deno.chmodSync(path, (mode ?? 0) & 0o777 | open);
          const error = await assertRejects(() => openConfiguration(file), ConfigurationError);
          assertStringIncludes(error.message, `Cannot trust "${path}": others may write it`);
          assertStringIncludes(error.hint ?? "", `chmod go-w ${path}`);
        }
        Deno.chmodSync(path, (mode ?? 0) & 0o777);
      }
      Deno.chownSync(file, 65534, 0);
      const error = await assertRejects(() => openConfiguration(file), ConfigurationError);
      assertStringIncludes(error.message, "it belongs to user 65534");
    });
  },
});

Deno.test({
  name: "root brings up by name only what nobody else may write, and by path what it is told to",
  ignore: !ROOT,
  fn: async () => {
    await inConfiguration(async (directory) => {
      const networks = `${directory}/networks`;
      const { read, readAll } = definitionFiles(networks);
      assertEquals((await read("lan")).text, "<network/>");
      assertEquals((await readAll()).length, 1);
      Deno.chmodSync(`${networks}/lan.xml`, 0o666);
      const error = await assertRejects(() => read("lan"), UsageError);
      assertStringIncludes(error.message, `Cannot trust "${networks}/lan.xml"`);
      await assertRejects(() => readAll(), UsageError, "others may write it");
      assertEquals((await read(`${networks}/lan.xml`)).text, "<network/>");
      const others = definitionFiles(networks, 1000);
      assertEquals((await others.read("lan")).text, "<network/>");
    });
  },
});

Deno.test("who is not root follows what he likes, and what is not there is nobody's", async () => {
  await inConfiguration((directory) => {
    Deno.chmodSync(directory, 0o777);
    assertEquals(distrustOf(`${directory}/bridgewall.conf`, 1000), undefined);
    assertEquals(distrustOf(`${directory}/none/none.conf`, 0), undefined);
    return Promise.resolve();
  });
});

Deno.test("in a directory like /tmp the file itself decides", async () => {
  await inConfiguration((directory) => {
    const file = `${directory}/bridgewall.conf`;
    Deno.chmodSync(directory, 0o1777);
    assertEquals(
      distrustOf(file, 0)?.problem,
      ROOT ? undefined : `it belongs to user ${Deno.uid()}`,
    );
    assertEquals(distrustOf(`${file}/x/y`, 0), undefined);
    return Promise.resolve();
  });
});

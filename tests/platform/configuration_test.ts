import { assertEquals, assertRejects } from "@std/assert";
import { ConfigurationError } from "../../core/configuration.ts";
import { openConfiguration } from "../../platform/mod.ts";
import { mustRun } from "../hosts/run_program.ts";

/** Registers a test with an empty directory. */
function test(name: string, body: (directory: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const directory = await Deno.makeTempDir({ prefix: "bridgewall-configuration-" });
    try {
      await body(directory);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

test("definitions stand beside the configuration that was named", async (directory) => {
  Deno.writeTextFileSync(`${directory}/my.conf`, "wait = 7\n");
  const { wait, networks } = await openConfiguration(`${directory}/my.conf`);
  assertEquals([wait, networks], [7, `${directory}/networks`]);
});

test("a configuration that was named must be there, and be a file", async (directory) => {
  for (const path of [`${directory}/missing`, directory]) {
    await assertRejects(
      () => openConfiguration(path),
      ConfigurationError,
      `Cannot read the configuration "${path}": `,
    );
  }
});

test("the path is shown without what a terminal would act on", async (directory) => {
  const { message } = await assertRejects(
    () => openConfiguration(`${directory}/\x1b[2J`),
    ConfigurationError,
    `Cannot read the configuration "${directory}/\\u{1b}[2J": `,
  );
  assertEquals(message.includes("\x1b"), false, message);
});

test("a FIFO is no configuration, and is not waited for", async (directory) => {
  const path = `${directory}/fifo`;
  await mustRun(["mkfifo", path]);
  const error = await assertRejects(
    () => openConfiguration(path),
    ConfigurationError,
    `Cannot read the configuration "${path}": it is a FIFO`,
  );
  assertEquals(error.hint, "Name a file");
});

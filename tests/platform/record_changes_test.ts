import { assertEquals } from "@std/assert";
import { recordDirectory } from "../../platform/record_directory.ts";

/** How often something was told so far, and a way to wait until nothing more comes. */
function listen(
  directory: string,
): { readonly told: () => number; settled(): Promise<void>; end(): Promise<void> } {
  const ending = new AbortController();
  let count = 0;
  const listening = (async () => {
    for await (const _ of recordDirectory(directory).changes(ending.signal)) count++;
  })();
  return {
    told: () => count,
    settled: () => new Promise((resolve) => setTimeout(resolve, 300)),
    end: async () => {
      ending.abort();
      await listening;
    },
  };
}

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("records that come, change and go are told, and nothing else", async () => {
  await inDirectory(async (directory) => {
    const listener = listen(directory);
    await listener.settled();
    for (const name of ["lock", "lan.xml.new", ".script-1"]) {
      Deno.writeTextFileSync(`${directory}/${name}`, "x");
    }
    await listener.settled();
    assertEquals(listener.told(), 0);
    Deno.renameSync(`${directory}/lan.xml.new`, `${directory}/lan.xml`);
    await listener.settled();
    const renamed = listener.told();
    assertEquals(renamed > 0, true);
    Deno.removeSync(`${directory}/lan.xml`);
    await listener.settled();
    assertEquals(listener.told() > renamed, true);
    await listener.end();
  });
});

Deno.test("a directory that is made, removed and made again is followed", async () => {
  await inDirectory(async (parent) => {
    const directory = `${parent}/run/bridgewall`;
    const listener = listen(directory);
    await listener.settled();
    let before = listener.told();
    for (let round = 0; round < 2; round++) {
      Deno.mkdirSync(directory, { recursive: true });
      await listener.settled();
      assertEquals(listener.told() > before, true, "made");
      before = listener.told();
      Deno.writeTextFileSync(`${directory}/lan.xml`, "x");
      await listener.settled();
      assertEquals(listener.told() > before, true, "written");
      Deno.removeSync(`${parent}/run`, { recursive: true });
      await listener.settled();
      before = listener.told();
    }
    await listener.end();
  });
});

Deno.test("a directory that is replaced at once is followed as well", async () => {
  await inDirectory(async (parent) => {
    const directory = `${parent}/bridgewall`;
    Deno.mkdirSync(directory);
    const listener = listen(directory);
    await listener.settled();
    Deno.removeSync(directory);
    Deno.mkdirSync(directory);
    await listener.settled();
    const before = listener.told();
    Deno.writeTextFileSync(`${directory}/lan.xml`, "x");
    await listener.settled();
    assertEquals(listener.told() > before, true);
    await listener.end();
  });
});

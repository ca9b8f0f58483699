import { assert, assertEquals } from "@std/assert";
import { recordDirectory } from "../../platform/record_directory.ts";

/** How often something was told so far. */
interface Listener {
  told(): number;
  /** Waits until nothing more comes. */
  settled(): Promise<void>;
  /** Waits until more was told than that, and then nothing more comes. */
  beyond(count: number): Promise<void>;
  end(): Promise<void>;
}

function listen(directory: string): Listener {
  const ending = new AbortController();
  let count = 0;
  const listening = (async () => {
    for await (const _ of recordDirectory(directory).changes(ending.signal)) count++;
  })();
  const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300));
  return {
    told: () => count,
    settled,
    beyond: async (before) => {
      for (let patience = 60; count <= before && patience > 0; patience--) await settled();
      assert(count > before, "nothing was told");
      await settled();
    },
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
    await listener.beyond(0);
    const renamed = listener.told();
    Deno.removeSync(`${directory}/lan.xml`);
    await listener.beyond(renamed);
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
      await listener.beyond(before);
      before = listener.told();
      Deno.writeTextFileSync(`${directory}/lan.xml`, "x");
      await listener.beyond(before);
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
    await listener.beyond(before);
    await listener.end();
  });
});

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { type Record, RecordError } from "../../core/record/record.ts";
import { formatRecord } from "../../core/record/record_xml.ts";
import { fileName, recordDirectory } from "../../platform/record_directory.ts";
import { XML_TEXTS } from "../support/arbitrary.ts";
import { network } from "../support/definitions.ts";

function record(name: string): Record {
  return { name, state: "active", network: network("").source, removal: [] };
}

function mode(path: string): number {
  return (Deno.lstatSync(path).mode ?? 0) & 0o7777;
}

/** Registers a test with a directory of its own; `records` in it does not exist yet. */
function test(name: string, body: (base: string) => Promise<void>, ignore = false): void {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      const base = await Deno.makeTempDir({ prefix: "bridgewall-records-" });
      try {
        await body(base);
      } finally {
        await Deno.remove(base, { recursive: true });
      }
    },
  });
}

/** The path of a directory with the records of these networks. */
async function filled(base: string, ...names: readonly string[]): Promise<string> {
  const directory = `${base}/records`;
  const store = recordDirectory(directory);
  using _lock = await store.lock(0, () => {});
  for (const name of names) await store.write(record(name));
  return directory;
}

async function refusal(directory: string, message: string): Promise<RecordError> {
  return await assertRejects(() => recordDirectory(directory).readAll(), RecordError, message);
}

async function names(directory: string): Promise<readonly string[]> {
  return (await recordDirectory(directory).readAll()).map(({ name }) => name);
}

test("without a directory there are no records, and none is made by looking", async (base) => {
  assertEquals(await recordDirectory(`${base}/records`).readAll(), []);
  assertEquals([...Deno.readDirSync(base)], []);
});

test("a record that goes while records are read without the lock is no error", async (base) => {
  const directory = await filled(base, "lan", "lab");
  Deno.renameSync(`${directory}/lab.xml`, `${base}/kept`);
  const coming = `while [ -e '${base}/kept' ]; do
    ln '${base}/kept' '${directory}/lab.xml'; rm '${directory}/lab.xml'
  done`;
  const child = new Deno.Command("sh", { args: ["-c", coming], stderr: "null" }).spawn();
  const seen = new Set<string>();
  try {
    for (const end = performance.now() + 800; performance.now() < end;) {
      seen.add((await names(directory)).join());
    }
  } finally {
    Deno.removeSync(`${base}/kept`);
    await child.status;
  }
  assert(seen.has("lan") && seen.size <= 2, [...seen].join(" or "));
});

test("the directory and the records are root's alone", async (base) => {
  const directory = `${base}/below/records`;
  const store = recordDirectory(directory);
  using _lock = await store.lock(0, () => {});
  await store.write(record("lan"));
  assertEquals(mode(directory), 0o700);
  assertEquals(mode(`${directory}/lan.xml`), 0o600);
  assertEquals(store.directory, directory);
});

test("records come back sorted by name, and are gone once removed", async (base) => {
  const directory = await filled(base, "lan", "a b", "Lab", "é");
  assertEquals(await names(directory), ["Lab", "a b", "lan", "é"]);
  const store = recordDirectory(directory);
  await store.remove("a b");
  await store.remove("a b");
  await store.write({ ...record("lan"), state: "removing" });
  assertEquals((await store.readAll()).map(({ name, state }) => [name, state]), [
    ["Lab", "active"],
    ["lan", "removing"],
    ["é", "active"],
  ]);
});

test("names that mean something to a file system are only names", async (base) => {
  const odd = ["..", ".", ".hidden", "lock", "lan.xml", "%41", "A", "-", "~", "a\\b", "con\u202e"];
  const directory = await filled(base, ...odd, "x".repeat(1000), "網".repeat(300));
  assertEquals((await names(directory)).length, odd.length + 2);
  assertEquals([...Deno.readDirSync(base)].map(({ name }) => name), ["records"]);
});

Deno.test("two networks never share a file, however long or odd their names", () => {
  const long = fc.tuple(fc.constant("n".repeat(200)), XML_TEXTS).map((parts) => parts.join(""));
  const any = fc.oneof(XML_TEXTS, long);
  fc.assert(fc.property(any, any, (one, other) => {
    const file = fileName(one);
    assert(/^[A-Za-z0-9_%~-]*\.xml$/.test(file) && file.length <= 255, file);
    assertEquals(file === fileName(other), one === other);
  }));
  assertEquals(fileName("a/b"), "a%2fb.xml");
  assert(fileName("a/b") !== fileName("a%2fb"));
  assertEquals(fileName("default"), "default.xml");
});

test("what an interrupted write left is passed over, and in nobody's way", async (base) => {
  const directory = await filled(base, "lan");
  Deno.writeTextFileSync(`${directory}/lan.xml.new`, "<networkst");
  assertEquals(await names(directory), ["lan"]);
  await recordDirectory(directory).write({ ...record("lan"), state: "removing" });
  assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).toSorted(), [
    "lan.xml",
    "lock",
  ]);
});

test("a link in the place of a half-written record is not followed", async (base) => {
  const directory = await filled(base);
  Deno.writeTextFileSync(`${base}/precious`, "untouched");
  Deno.symlinkSync(`${base}/precious`, `${directory}/lan.xml.new`);
  await recordDirectory(directory).write(record("lan"));
  assertEquals(Deno.readTextFileSync(`${base}/precious`), "untouched");
  assertEquals(await names(directory), ["lan"]);
});

test("a directory that others may write is refused, with what to type", async (base) => {
  const directory = await filled(base, "lan");
  for (const loose of [0o720, 0o702, 0o777]) {
    Deno.chmodSync(directory, loose);
    const error = await refusal(directory, `Cannot trust "${directory}": others may write it`);
    assertStringIncludes(error.hint ?? "", `\`chmod go-w ${directory}\``);
    await assertRejects(() => recordDirectory(directory).lock(0, () => {}), RecordError, "trust");
  }
  Deno.chmodSync(directory, 0o755);
  assertEquals(await names(directory), ["lan"]);
});

test("a record that others may write is refused by its path", async (base) => {
  const directory = await filled(base, "lan");
  Deno.chmodSync(`${directory}/lan.xml`, 0o606);
  await refusal(directory, `Cannot trust "${directory}/lan.xml": others may write it`);
});

test("a record of another user is refused", async (base) => {
  const directory = await filled(base, "lan");
  Deno.chownSync(`${directory}/lan.xml`, 65534, 65534);
  await refusal(directory, `Cannot trust "${directory}/lan.xml": it belongs to user 65534`);
}, Deno.uid() !== 0);

test("a directory of another user is refused", async (base) => {
  const directory = await filled(base, "lan");
  Deno.chownSync(directory, 65534, 65534);
  const error = await refusal(directory, `Cannot trust "${directory}": it belongs to user 65534`);
  assertStringIncludes(error.hint ?? "", "`--state-dir`");
}, Deno.uid() !== 0);

test("a user who is not root is told to be, whatever is root's", async (base) => {
  const directory = await filled(base, "lan");
  const store = recordDirectory(directory, 1000);
  for (const attempt of [() => store.readAll(), () => store.lock(0, () => {})]) {
    const error = await assertRejects(
      async () => void await attempt(),
      RecordError,
      `Cannot use "${directory}": it belongs to root`,
    );
    assertEquals(error.hint, "Run it as root");
  }
  Deno.chownSync(directory, 1000, 1000);
  await assertRejects(
    () => store.readAll(),
    RecordError,
    `Cannot use "${directory}/lan.xml": it belongs to root`,
  );
}, Deno.uid() !== 0);

test("what interrupted writes left is gone once the lock is had, and nothing else", async (base) => {
  const directory = await filled(base, "lan");
  const others = ["note.new", "lab.xml", "kept.xml.newer"];
  for (const name of ["lan.xml.new", "gone.xml.new", ".script-1", ...others]) {
    Deno.writeTextFileSync(`${directory}/${name}`, "x");
  }
  Deno.mkdirSync(`${directory}/directory.xml.new`);
  using _lock = await recordDirectory(directory).lock(0, () => {});
  assertEquals(
    [...Deno.readDirSync(directory)].map(({ name }) => name).toSorted(),
    ["directory.xml.new", "kept.xml.newer", "lab.xml", "lan.xml", "lock", "note.new"],
  );
});

test("links are refused, as record and as directory", async (base) => {
  const directory = await filled(base, "lan");
  Deno.renameSync(`${directory}/lan.xml`, `${base}/elsewhere.xml`);
  Deno.symlinkSync(`${base}/elsewhere.xml`, `${directory}/lan.xml`);
  await refusal(directory, `"${directory}/lan.xml": it is not a file`);
  Deno.symlinkSync(directory, `${base}/link`);
  await refusal(`${base}/link`, `"${base}/link"`);
  await assertRejects(
    () => recordDirectory(`${base}/link`).lock(0, () => {}),
    RecordError,
    `Cannot use "${base}/link": it is not a directory`,
  );
});

test("what is no file, or no directory, is refused in words", async (base) => {
  const directory = await filled(base);
  Deno.mkdirSync(`${directory}/lan.xml`, { mode: 0o700 });
  await refusal(directory, `"${directory}/lan.xml": it is not a file`);
  Deno.writeTextFileSync(`${base}/file`, "", { mode: 0o600 });
  await refusal(`${base}/file`, `Cannot read records in "${base}/file"`);
  await assertRejects(
    () => recordDirectory(`${base}/file`).lock(0, () => {}),
    RecordError,
    "it is not a directory",
  );
});

test("a record under the name of another network is refused", async (base) => {
  const directory = await filled(base, "lan");
  Deno.renameSync(`${directory}/lan.xml`, `${directory}/lab.xml`);
  await refusal(directory, `"${directory}/lab.xml": it is of the network "lan"`);
});

test("a damaged record is refused by its path", async (base) => {
  const directory = await filled(base, "lan");
  Deno.writeTextFileSync(`${directory}/lan.xml`, formatRecord(record("lan")).slice(0, 60));
  await refusal(directory, `Cannot read the record "${directory}/lan.xml"`);
});

test("other files and hidden ones are nobody's records", async (base) => {
  const directory = await filled(base, "lan");
  for (const name of ["note.txt", ".lan.xml.swp", ".x.xml"]) {
    Deno.writeTextFileSync(`${directory}/${name}`, "x");
  }
  assertEquals(await names(directory), ["lan"]);
});

test("a record that cannot be written leaves the one before", async (base) => {
  const directory = await filled(base, "lan");
  Deno.mkdirSync(`${directory}/lan.xml.new`);
  Deno.writeTextFileSync(`${directory}/lan.xml.new/x`, "");
  const store = recordDirectory(directory);
  await assertRejects(
    () => store.write({ ...record("lan"), state: "removing" }),
    RecordError,
    `Cannot write a record in "${directory}"`,
  );
  assertEquals((await store.readAll()).map(({ state }) => state), ["active"]);
});

test("paths are shown without what a terminal would act on", async (base) => {
  const directory = `${base}/\x1b[2J`;
  Deno.writeTextFileSync(directory, "", { mode: 0o600 });
  const store = recordDirectory(directory);
  for (const attempt of [() => store.readAll(), () => store.lock(0, () => {})]) {
    const { message } = await assertRejects(async () => void await attempt(), RecordError);
    assertStringIncludes(message, `"${base}/\\u{1b}[2J"`);
    assertEquals(message.includes("\x1b"), false, message);
  }
});

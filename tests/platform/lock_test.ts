import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { fromFileUrl } from "@std/path";
import { LockError } from "../../core/host.ts";
import { RecordError } from "../../core/record/record.ts";
import { lockFile } from "../../platform/lock.ts";
import { readLines } from "../hosts/child_process.ts";
import { mustRun } from "../hosts/run_program.ts";

const LOCK = fromFileUrl(new URL("../../platform/lock.ts", import.meta.url));

/** Takes the lock, says so, and holds it until it is killed. */
const HOLDER = `
import { lockFile } from ${JSON.stringify(LOCK)};
globalThis.held = await lockFile(Deno.args[0], 0, () => {});
console.log("locked");
await new Promise((resolve) => setTimeout(resolve, 60_000));
`;

interface Holder extends AsyncDisposable {
  /** Kills the process that has the lock. */
  kill(): Promise<void>;
}

async function holdLock(path: string): Promise<Holder> {
  const script = `${path}.ts`;
  await Deno.writeTextFile(script, HOLDER);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-config", "--no-check", "--allow-all", script, path],
    stdout: "piped",
  }).spawn();
  const { done, value } = await readLines(child.stdout).next();
  assert(done !== true && value === "locked", String(value));
  let ended = false;
  const kill = async (): Promise<void> => {
    if (ended) return;
    ended = true;
    child.kill("SIGKILL");
    await child.status;
  };
  return { kill, [Symbol.asyncDispose]: kill };
}

async function withFile(work: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "bridgewall-lock-" });
  try {
    await work(`${directory}/lock`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const NOBODY = (): never => {
  throw new Error("nobody has the lock");
};

Deno.test("a free lock is had at once, and again after it was let go", () =>
  withFile(async (path) => {
    for (let round = 0; round < 3; round++) {
      using _lock = await lockFile(path, 0, NOBODY);
    }
    assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
  }));

Deno.test("a second command gives up after the time it was given, and says so", () =>
  withFile(async (path) => {
    await using _holder = await holdLock(path);
    let waits = 0;
    const start = performance.now();
    const error = await assertRejects(() => lockFile(path, 0.2, () => void waits++), LockError);
    assert(performance.now() - start >= 200);
    assertEquals(waits, 1);
    assertEquals(
      error.message,
      `Cannot get the lock "${path}" within 0.2 seconds: another bridgewall command runs`,
    );
    assertStringIncludes(error.hint ?? "", "`--wait SECONDS`");
  }));

Deno.test("with no time to wait there is one try, and no word of waiting", () =>
  withFile(async (path) => {
    await using _holder = await holdLock(path);
    await assertRejects(() => lockFile(path, 0, NOBODY), LockError, "within 0 seconds");
  }));

Deno.test("a second command has the lock once the first one ends, even by a kill", () =>
  withFile(async (path) => {
    await using holder = await holdLock(path);
    const waiting = Promise.withResolvers<void>();
    const second = lockFile(path, 30, waiting.resolve);
    await waiting.promise;
    await holder.kill();
    using _lock = await second;
  }));

Deno.test("two holders in one process exclude one another", () =>
  withFile(async (path) => {
    const first = await lockFile(path, 0, NOBODY);
    await assertRejects(() => lockFile(path, 0, () => {}), LockError);
    first[Symbol.dispose]();
    using _second = await lockFile(path, 0, NOBODY);
  }));

Deno.test("a lock that is a link is refused, and what it names is not made", () =>
  withFile(async (path) => {
    Deno.symlinkSync(`${path}.target`, path);
    await refused(path);
    assertThrows(() => Deno.lstatSync(`${path}.target`), Deno.errors.NotFound);
    Deno.writeTextFileSync(`${path}.target`, "");
    await refused(path);
  }));

Deno.test("a lock that is a FIFO or a directory is refused at once", () =>
  withFile(async (path) => {
    await mustRun(["mkfifo", path]);
    await refused(path);
    Deno.removeSync(path);
    Deno.mkdirSync(path);
    await refused(path);
  }));

async function refused(path: string): Promise<void> {
  const error = await assertRejects(
    async () => void await lockFile(path, 0, NOBODY),
    RecordError,
    `Cannot use the lock "${path}": it is not a file`,
  );
  assertEquals(error.hint, "Remove it");
}

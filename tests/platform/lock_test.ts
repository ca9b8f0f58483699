import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import type { Program } from "../../core/command.ts";
import { LockError } from "../../core/host.ts";
import { RecordError } from "../../core/record/record.ts";
import { lockFile } from "../../platform/lock.ts";
import { runCommand } from "../../platform/run_command.ts";
import { RUN } from "../../platform/run_mark.ts";
import { PROJECT } from "../hosts/bundle.ts";
import { readLines } from "../hosts/child_process.ts";
import { mustRun } from "../hosts/run_program.ts";

const PLATFORM = `${PROJECT}platform/`;

/** Takes the lock, says so, and holds it until it is killed; before that it may start a program. */
const HOLDER = `
import { lockFile } from ${JSON.stringify(`${PLATFORM}lock.ts`)};
import { runCommand } from ${JSON.stringify(`${PLATFORM}run_command.ts`)};
const [path, script] = Deno.args;
globalThis.held = await lockFile(path, 0, () => {});
if (script !== undefined) runCommand({ program: "sh", args: ["-c", script] }, "/nonexistent");
console.log("locked");
await new Promise((resolve) => setTimeout(resolve, 60_000));
`;

interface Holder extends AsyncDisposable {
  /** Kills the process that has the lock. */
  kill(): Promise<void>;
}

/** @param program What it has started, as a script of sh; absent: nothing. */
async function holdLock(path: string, program?: string): Promise<Holder> {
  const script = `${path}.ts`;
  await Deno.writeTextFile(script, HOLDER);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--config", `${PROJECT}deno.json`, "--no-check", "--allow-all"],
      ...[script, path],
      ...(program === undefined ? [] : [program]),
    ],
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

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function isThere(path: string): boolean {
  try {
    return Deno.lstatSync(path).isFile;
  } catch {
    return false;
  }
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

Deno.test({
  name: "what a killed holder had started is waited for, and named to who will not",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withFile(async (path) => {
      await using holder = await holdLock(path, `: > '${path}.started'; exec sleep 2.5`);
      while (!isThere(`${path}.started`)) await delay(5);
      await holder.kill();
      let waits = 0;
      const error = await assertRejects(() => lockFile(path, 0.1, () => void waits++), LockError);
      assertMatch(
        error.message,
        /: sleep \(process \d+\) still runs, which a command that was killed/,
      );
      assertMatch(error.hint ?? "", /`kill \d+`/);
      {
        using _lock = await lockFile(path, 30, () => void waits++);
      }
      assertEquals(waits, 2);
      using _again = await lockFile(path, 0, NOBODY);
    }),
});

Deno.test("what a holder had started that has let go is nobody's business", () =>
  withFile(async (path) => {
    const first = await lockFile(path, 0, NOBODY);
    const program = runCommand({ program: "sleep" as Program, args: ["0.5"] }, "/nonexistent");
    first[Symbol.dispose]();
    assertEquals(Deno.readTextFileSync(path), "");
    using _second = await lockFile(path, 0, NOBODY);
    await program;
  }));

Deno.test("whatever stands in the file, it is a lock", () =>
  withFile(async (path) => {
    for (const text of ["", "\0", "4711\n", RUN.slice(1), crypto.randomUUID(), "x".repeat(9999)]) {
      Deno.writeTextFileSync(path, text);
      using _lock = await lockFile(path, 0, NOBODY);
      assertEquals(Deno.readTextFileSync(path), RUN);
    }
  }));

Deno.test("a lock that somebody removes is waited for by nobody, the new one by all", () =>
  withFile(async (path) => {
    const first = await lockFile(path, 0, NOBODY);
    const waiting = Promise.withResolvers<void>();
    let has = false;
    const second = lockFile(path, 30, waiting.resolve).then((lock) => {
      has = true;
      return lock;
    });
    await waiting.promise;
    Deno.removeSync(path);
    const third = await lockFile(path, 0, NOBODY);
    first[Symbol.dispose]();
    await delay(200);
    assert(!has);
    third[Symbol.dispose]();
    using _lock = await second;
  }));

Deno.test("a directory that somebody removes is made again by who waited in it", () =>
  withFile(async (base) => {
    const path = `${base}-directory/lock`;
    const make = (): void => Deno.mkdirSync(`${base}-directory`, { recursive: true });
    const first = await lockFile(path, 0, NOBODY, make);
    const waiting = Promise.withResolvers<void>();
    const second = lockFile(path, 30, waiting.resolve, make);
    await waiting.promise;
    Deno.removeSync(`${base}-directory`, { recursive: true });
    first[Symbol.dispose]();
    using _lock = await second;
    assertEquals(Deno.readTextFileSync(path), RUN);
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

/** One writer at a time. */
import { LockError } from "../core/host.ts";
import { quotedPath } from "../core/quoted.ts";
import { RecordError } from "../core/record/record.ts";
import { RUN } from "./run_mark.ts";
import { startedPrograms } from "./started_programs.ts";

/** Often enough that nobody waits long for nothing, rare enough to cost nothing. */
const POLL_MILLISECONDS = 20;

/** Longer than a mark: what else stands in the file is nobody's. */
const MARK_BYTES = 64;

/** Lets a moment go by, and throws when there were enough. */
type Pause = (reason: string, hint: string) => Promise<void>;

/**
 * Takes flock(2) on a file, which the kernel lets go when the process ends, however it ends. The
 * file itself stays: removing it would let two processes lock two files of one name. Where somebody
 * else removes it all the same, what was waited for is no lock any more, and the new file is taken.
 *
 * Who has the lock has its mark in the file. When that is there still, whoever had it was killed, and
 * a program that it had started may yet do its work: that is waited for, too.
 *
 * @param seconds How long to wait at most; 0 tries once.
 * @param onWait Called once, when somebody else has the lock.
 * @param makeDirectory Called before the file is made, since its directory may go meanwhile.
 * @throws {LockError} When the time is over.
 * @throws {RecordError} When what has that name is no file.
 */
export async function lockFile(
  path: string,
  seconds: number,
  onWait: () => void,
  makeDirectory: () => void = () => {},
): Promise<Disposable> {
  const end = performance.now() + seconds * 1000;
  let told = false;
  const pause: Pause = async (reason, hint) => {
    if (performance.now() >= end) {
      throw new LockError(
        `Cannot get the lock ${quotedPath(path)} within ${seconds} seconds: ${reason}`,
        hint,
      );
    }
    if (!told) onWait();
    told = true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  };
  for (;;) {
    makeDirectory();
    const file = openLock(path);
    try {
      await holdAlone(file, pause);
      if (hasName(file, path)) {
        writeMark(file, RUN);
        return { [Symbol.dispose]: () => letGo(file) };
      }
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
  }
}

async function holdAlone(file: Deno.FsFile, pause: Pause): Promise<void> {
  while (!file.tryLockSync(true)) {
    await pause(
      "another bridgewall command runs",
      "Wait for it to finish, or give it longer with `--wait SECONDS`",
    );
  }
  const run = readMark(file);
  for (;;) {
    const [first] = await startedPrograms(run);
    if (first === undefined) return;
    await pause(
      `${first.name} (process ${first.process}) still runs, which a command that was killed had started`,
      `Wait for it to finish, or end it with \`kill ${first.process}\``,
    );
  }
}

/** Opening a FIFO would wait for a reader, and opening a link would make the file that it names. */
function openLock(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { createNew: true, read: true, write: true, mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  if (!Deno.lstatSync(path).isFile) {
    throw new RecordError(`Cannot use the lock ${quotedPath(path)}: it is not a file`, "Remove it");
  }
  return Deno.openSync(path, { read: true, write: true });
}

/** Whether the file is still the one of that name. */
function hasName(file: Deno.FsFile, path: string): boolean {
  try {
    const [opened, named] = [file.statSync(), Deno.lstatSync(path)];
    return opened.dev === named.dev && opened.ino === named.ino;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function readMark(file: Deno.FsFile): string {
  const bytes = new Uint8Array(MARK_BYTES);
  const length = file.readSync(bytes) ?? 0;
  return new TextDecoder().decode(bytes.subarray(0, length));
}

function writeMark(file: Deno.FsFile, mark: string): void {
  try {
    file.truncateSync(0);
    file.seekSync(0, Deno.SeekMode.Start);
    file.writeSync(new TextEncoder().encode(mark));
  } catch {
    // The disk is full: who only looks needs none of it, and who changes something hears of it.
  }
}

function letGo(file: Deno.FsFile): void {
  writeMark(file, "");
  file.close();
}

/** One writer at a time. */
import { LockError } from "../core/host.ts";
import { quotedPath } from "../core/quoted.ts";
import { RecordError } from "../core/record/record.ts";

/** Often enough that nobody waits long for nothing, rare enough to cost nothing. */
const POLL_MILLISECONDS = 20;

/**
 * Takes flock(2) on a file, which the kernel lets go when the process ends, however it ends. The
 * file itself stays: removing it would let two processes lock two files of one name.
 *
 * @param seconds How long to wait at most; 0 tries once.
 * @param onWait Called once, when somebody else has the lock.
 * @throws {LockError} When the time is over.
 * @throws {RecordError} When what has that name is no file.
 */
export async function lockFile(
  path: string,
  seconds: number,
  onWait: () => void,
): Promise<Disposable> {
  const file = openLock(path);
  const end = performance.now() + seconds * 1000;
  let told = false;
  while (!file.tryLockSync(true)) {
    if (performance.now() >= end) {
      file.close();
      throw new LockError(
        `Cannot get the lock ${
          quotedPath(path)
        } within ${seconds} seconds: another bridgewall command runs`,
        "Wait for it to finish, or give it longer with `--wait SECONDS`",
      );
    }
    if (!told) onWait();
    told = true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
  return { [Symbol.dispose]: () => file.close() };
}

/** Opening a FIFO would wait for a reader, and opening a link would make the file that it names. */
function openLock(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { createNew: true, write: true, mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  if (!Deno.lstatSync(path).isFile) {
    throw new RecordError(`Cannot use the lock ${quotedPath(path)}: it is not a file`, "Remove it");
  }
  return Deno.openSync(path, { write: true });
}

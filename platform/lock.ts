/** One writer at a time. */
import { LockError } from "../core/host.ts";

/** Often enough that nobody waits long for nothing, rare enough to cost nothing. */
const POLL_MILLISECONDS = 20;

/**
 * Takes flock(2) on a file, which the kernel lets go when the process ends, however it ends. The
 * file itself stays: removing it would let two processes lock two files of one name.
 *
 * @param seconds How long to wait at most; 0 tries once.
 * @param onWait Called once, when somebody else has the lock.
 * @throws {LockError} When the time is over.
 */
export async function lockFile(
  path: string,
  seconds: number,
  onWait: () => void,
): Promise<Disposable> {
  const file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
  const end = performance.now() + seconds * 1000;
  let told = false;
  while (!file.tryLockSync(true)) {
    if (performance.now() >= end) {
      file.close();
      throw new LockError(
        `Cannot get the lock "${path}" within ${seconds} seconds: another bridgewall command runs`,
        "Wait for it to finish, or give it longer with `--wait SECONDS`",
      );
    }
    if (!told) onWait();
    told = true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
  return { [Symbol.dispose]: () => file.close() };
}

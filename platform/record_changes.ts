/** Tells when records come, change and go. */
import { dirname } from "@std/path";

/** Those after which there is something else to be read. */
const KINDS: readonly string[] = ["create", "modify", "rename", "remove", "other"];

/**
 * Gives something whenever a record may have changed; ends when the signal is given. A directory that is not
 * there yet is waited for where it will be. Needs `--allow-read` for both.
 */
export async function* recordChanges(directory: string, end: AbortSignal): AsyncIterable<true> {
  while (!end.aborted) {
    if (isDirectory(directory)) {
      yield* changesIn(directory, end, (paths) =>
        // Neither the lock nor a record that is still being written tells anything new.
        paths.some((path) => path.endsWith(".xml")) || !isDirectory(directory));
    } else {
      const parent = existing(dirname(directory));
      const changes = changesIn(parent, end, () => isDirectory(directory) || !isDirectory(parent));
      // It may have come before anybody watched for it.
      if (!isDirectory(directory)) { for await (const _ of changes) break; }
      yield true;
    }
  }
}

/** Gives something for each change that matters, until the directory itself goes. */
async function* changesIn(
  directory: string,
  end: AbortSignal,
  matters: (paths: readonly string[]) => boolean,
): AsyncGenerator<true> {
  const watcher = Deno.watchFs(directory, { recursive: false });
  const stop = (): void => watcher.close();
  end.addEventListener("abort", stop, { once: true });
  try {
    const watched = inodeOf(directory);
    for await (const { kind, paths } of watcher) {
      if (KINDS.includes(kind) && matters(paths)) yield true;
      // Nobody tells of what is in one that has the name of another now.
      const isGone = kind === "remove" && paths.includes(directory);
      if (isGone || inodeOf(directory) !== watched) return;
    }
  } finally {
    end.removeEventListener("abort", stop);
    if (!end.aborted) watcher.close();
  }
}

function isDirectory(path: string): boolean {
  return inodeOf(path) !== undefined;
}

/** What tells the directory from one that has its name later; undefined: there is none. */
function inodeOf(path: string): string | undefined {
  try {
    const { isDirectory, dev, ino, birthtime } = Deno.lstatSync(path);
    // A number that is free again is given away at once.
    return isDirectory ? `${dev} ${ino} ${birthtime?.getTime()}` : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function existing(path: string): string {
  return isDirectory(path) || path === dirname(path) ? path : existing(dirname(path));
}

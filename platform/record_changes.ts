/** Tells when records come, change and go. */
import { dirname } from "@std/path";

/** Neither the lock nor a record that is still being written tells anything new. */
function isRecord(path: string): boolean {
  return path.endsWith(".xml");
}

/** Those after which there is something else to be read. */
const KINDS: readonly string[] = ["create", "modify", "rename", "remove", "other"];

/**
 * Gives something whenever a record may have changed; ends when the signal is given. A directory that is not
 * there yet is waited for where it will be.
 */
export async function* recordChanges(directory: string, end: AbortSignal): AsyncIterable<true> {
  while (!end.aborted) {
    const isThere = isDirectory(directory);
    const place = isThere ? directory : existing(dirname(directory));
    using watcher = Deno.watchFs(place, { recursive: false });
    const stop = (): void => watcher.close();
    end.addEventListener("abort", stop, { once: true });
    // It may have come since it was looked for.
    if (!isThere && isDirectory(directory)) continue;
    for await (const { kind, paths } of watcher) {
      if (isThere && !isDirectory(directory)) break;
      if (!isThere) {
        if (isDirectory(directory)) break;
        continue;
      }
      if (KINDS.includes(kind) && paths.some(isRecord)) yield true;
    }
    end.removeEventListener("abort", stop);
    if (!end.aborted) yield true;
  }
}

function isDirectory(path: string): boolean {
  try {
    return Deno.lstatSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function existing(path: string): string {
  return isDirectory(path) || path === dirname(path) ? path : existing(dirname(path));
}

/** What somebody wants of a program that goes on: signals. */
import type { Wishes } from "../core/commands/watch.ts";

/**
 * SIGTERM and SIGINT end it, SIGHUP makes it read its configuration again, as daemons do (signal(7),
 * daemon(7)).
 */
export function openWishes(): Wishes {
  const ending = new AbortController();
  const stop = (): void => ending.abort();
  Deno.addSignalListener("SIGTERM", stop);
  Deno.addSignalListener("SIGINT", stop);
  return {
    end: ending.signal,
    onReload: (work) => Deno.addSignalListener("SIGHUP", work),
  };
}

/** `bridgewall watch` on a host, for the time of a test. */
import { assert, assertEquals } from "@std/assert";
import { startInNamespace } from "./background.ts";
import type { Bridgewall } from "./bridgewall.ts";
import type { TestHost } from "./topology.ts";

/** What a line of `--json` tells. */
export type WatchEvent = Readonly<Record<string, unknown>> & { readonly event: string };

/** The running command. */
export interface Watching {
  readonly pid: number;
  /**
   * The next event of that kind; those before it are passed over.
   *
   * @throws {Error} When it does not come in time, or the command ends.
   */
  next(kind: string): Promise<WatchEvent>;
  /** Asks it to end, and tells what it said last. It must end by itself. */
  stop(signal?: Deno.Signal): Promise<string>;
}

/** Long enough for a machine that is busy; within a second is for the bench to show. */
const PATIENCE = 30_000;

/** Starts it, and waits until it watches. It is asked to end before the host goes. */
export async function startWatch(host: TestHost, bridgewall: Bridgewall): Promise<Watching> {
  const argv = bridgewall.argv(["watch", "--json"]);
  const background = startInNamespace(host.host, argv);
  let isRunning = true;
  host.atEnd.use(background);
  let pending: Promise<WatchEvent | undefined> | undefined;
  const readLine = async (): Promise<WatchEvent | undefined> => {
    const line = await background.read();
    if (line === undefined) isRunning = false;
    return line === undefined ? undefined : JSON.parse(line);
  };
  // One that was not waited for any longer is the next one's.
  const read = async (): Promise<WatchEvent | undefined> => {
    pending ??= readLine();
    const event = await pending;
    pending = undefined;
    return event;
  };
  const next: Watching["next"] = async (kind) => {
    const late = Promise.withResolvers<never>();
    const seen: string[] = [];
    const timer = setTimeout(
      () => late.reject(new Error(`no event "${kind}", only: ${seen.join("\n")}`)),
      PATIENCE,
    );
    try {
      while (true) {
        const event = await Promise.race([read(), late.promise]);
        if (event === undefined) throw new Error(`it ended before "${kind}": ${seen.join("\n")}`);
        if (event.event === kind) return event;
        seen.push(JSON.stringify(event));
      }
    } finally {
      clearTimeout(timer);
    }
  };
  const stop: Watching["stop"] = async (signal = "SIGTERM") => {
    if (isRunning) Deno.kill(background.pid, signal);
    let last = "";
    for (let event = await read(); event !== undefined; event = await read()) last = event.event;
    return last;
  };
  // Programs that it follows end with it, if it is not killed.
  host.atEnd.defer(async () => void await stop());
  const { event } = await next("watching");
  assertEquals(event, "watching");
  assert(background.pid > 0);
  return { pid: background.pid, next, stop };
}

/** Datagrams that go on from one port to another: for the kernel, one connection that never ends. */
import { type Background, startInNamespace } from "./background.ts";
import type { Place } from "./namespace.ts";

/** Datagrams, one each 100 ms. */
export interface Datagrams extends AsyncDisposable {
  /** Who answered the next one that is sent: `lan-a:7007`, or `nobody`. */
  next(): Promise<string>;
  /** What {@linkcode next} would have given, for all that were sent so far: each once. */
  seen(): ReadonlySet<string>;
}

/** What {@linkcode Datagrams.next} gives when no answer came. */
export const NOBODY = "nobody";

const INTERVAL = 100;

/** How long an answer may take, in milliseconds, on a machine that is busy. */
const PATIENCE = 700;

/** Starts them; the sender does not care for errors, and sends the next. */
export function startDatagrams(
  { namespace }: Place,
  to: string,
  port: number,
  fromPort: number,
): Datagrams {
  const address = to.includes(":") ? `UDP6-SENDTO:[${to}]` : `UDP4-SENDTO:${to}`;
  const argv = ["socat", "-", `${address}:${port},sourceport=${fromPort}`];
  const seen = new Set<string>();
  const expected = new Map<string, (by: string) => void>();
  const open = (): OpenSocket => openSocket(namespace, argv, expected);
  let socket = open();
  let waiting: ((by: string) => void)[] = [];
  let isEnding = false;
  const ask = async (question: string): Promise<string> => {
    const answer = Promise.withResolvers<string>();
    expected.set(question, answer.resolve);
    const silence = setTimeout(() => answer.resolve(NOBODY), PATIENCE);
    if (socket.hasEnded()) {
      await close(socket);
      socket = open();
    }
    // It may end now, when the kernel does not send the datagram.
    await socket.process.write(question).catch(() => undefined);
    const by = await answer.promise;
    clearTimeout(silence);
    return by;
  };
  const going = (async () => {
    for (let number = 0; !isEnding; number++) {
      const asking = waiting;
      waiting = [];
      const by = await ask(String(number));
      seen.add(by);
      for (const tell of asking) tell(by);
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
  })();
  return {
    next: () => new Promise((resolve) => waiting.push(resolve)),
    seen: () => seen,
    [Symbol.asyncDispose]: async () => {
      isEnding = true;
      await going;
      await close(socket);
    },
  };
}

interface OpenSocket {
  readonly process: Background;
  readonly reading: Promise<void>;
  hasEnded(): boolean;
}

/** One process with the socket; it tells who answered to those who expect it. */
function openSocket(
  namespace: string,
  argv: readonly string[],
  expected: ReadonlyMap<string, (by: string) => void>,
): OpenSocket {
  const process = startInNamespace(namespace, argv);
  let isOpen = true;
  const reading = (async () => {
    for (let line = await process.read(); line !== undefined; line = await process.read()) {
      const [, , by = "", question = ""] = line.split(" ");
      expected.get(question)?.(by);
    }
    isOpen = false;
  })();
  return { process, reading, hasEnded: () => !isOpen };
}

async function close({ process, reading }: OpenSocket): Promise<void> {
  await process[Symbol.asyncDispose]();
  await reading;
}

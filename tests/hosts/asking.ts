/** Many probes by one process, which is quick, and asks by SCTP, too (`asking.py`). */
import { fromFileUrl } from "@std/path";
import { type Background, startInNamespace } from "./background.ts";
import { ANSWERING_PORT, labelOf, type Place } from "./namespace.ts";
import type { TestHost } from "./topology.ts";
import { LONG_PATIENCE, outcomeOf, passedBy, type Probed, type ProbeOptions } from "./traffic.ts";

/** The programs that these probes run. */
export const ASKING_TOOLS: readonly string[] = ["python3"];

/** What `asking.py` asks by. */
export type AskingProtocol = "tcp" | "udp" | "sctp";

/** The process that asks for a namespace, and the questions that it has not answered yet. */
interface Asker {
  readonly process: Background;
  readonly waiting: Map<number, (words: string) => void>;
}

const askers = new Map<string, Asker>();

let asked = 0;

/**
 * Lets these places ask, and answer by SCTP, until the test ends.
 *
 * @param ports Where they answer.
 */
export async function startAsking(
  { atEnd, host }: TestHost,
  places: readonly Place[],
  ports: readonly number[] = [ANSWERING_PORT],
): Promise<void> {
  const script = fromFileUrl(new URL("asking.py", import.meta.url));
  const names = places.map(({ namespace }) => `${namespace}=${labelOf(namespace)}`).join(",");
  // Isolated, and without the packages of the machine: it starts in half the time.
  const argv = ["python3", "-I", "-S", script, names, ...ports.map(String)];
  const process = atEnd.use(startInNamespace(host, argv));
  if (await process.read() !== "ready") throw new Error(`nothing asks in ${names}`);
  const asker: Asker = { process, waiting: new Map() };
  for (const { namespace } of places) askers.set(namespace, asker);
  void tellAnswers(asker);
}

async function tellAnswers({ process, waiting }: Asker): Promise<void> {
  for (let line = await process.read(); line !== undefined; line = await process.read()) {
    const [number = "", ...words] = line.split(" ");
    waiting.get(Number(number))?.(words.join(" "));
    waiting.delete(Number(number));
  }
}

/** Whether the place was started. */
export function canAsk({ namespace }: Place): boolean {
  return askers.has(namespace);
}

/**
 * One question and its answer.
 *
 * @throws {Error} When the place was not started, or a checksum of SCTP was wrong on its way back.
 */
export async function ask(
  protocol: AskingProtocol,
  { namespace }: Place,
  to: string,
  { from = "", port = ANSWERING_PORT, patience = LONG_PATIENCE }: ProbeOptions = {},
): Promise<Probed> {
  const asker = askers.get(namespace);
  if (asker === undefined) throw new Error(`nothing asks in ${namespace}`);
  const number = asked++;
  const { promise, resolve } = Promise.withResolvers<string>();
  asker.waiting.set(number, resolve);
  const line = [number, namespace, protocol, to, port, patience, from].join(" ").trim();
  await asker.process.write(line);
  const words = await promise;
  if (words === "damaged") throw new Error(`SCTP from ${to} has a wrong checksum`);
  const answer = words.match(/^passed (.*)$/)?.[1];
  return answer === undefined ? { outcome: outcomeOf(words) } : passedBy(answer);
}

/** SCTP probes: the kernel translates it for others, and need not speak it itself (`sctp_chunks.py`). */
import { fromFileUrl } from "@std/path";
import { type Background, startInNamespace } from "./background.ts";
import { ANSWERING_PORT, labelOf, type Place } from "./namespace.ts";
import { run } from "./run_program.ts";
import type { TestHost } from "./topology.ts";
import { LONG_PATIENCE, outcomeOf, passedBy, type Probed, type ProbeOptions } from "./traffic.ts";

/** The programs that these probes run. */
export const SCTP_TOOLS: readonly string[] = ["python3"];

/** The process of one namespace that asks, and the questions that it has not answered yet. */
interface Speaker {
  readonly process: Background;
  readonly waiting: Map<number, (words: string) => void>;
}

const speakers = new Map<string, Speaker>();

let asked = 0;

/** Lets these places ask and answer by SCTP until the test ends. */
export async function startSctp(
  { atEnd }: TestHost,
  places: readonly Place[],
  ports: readonly number[] = [ANSWERING_PORT],
): Promise<void> {
  const script = fromFileUrl(new URL("sctp_chunks.py", import.meta.url));
  // Isolated, and without the packages of the machine: it starts in half the time.
  const python = ["python3", "-I", "-S", script];
  await Promise.all(places.map(async ({ namespace }) => {
    const argv = [...python, labelOf(namespace), ...ports.map(String)];
    const process = atEnd.use(startInNamespace(namespace, argv));
    if (await process.read() !== "ready") throw new Error(`nothing speaks SCTP in ${namespace}`);
    const waiting: Speaker["waiting"] = new Map();
    speakers.set(namespace, { process, waiting });
    void tellAnswers(process, waiting);
  }));
}

async function tellAnswers(process: Background, waiting: Speaker["waiting"]): Promise<void> {
  for (let line = await process.read(); line !== undefined; line = await process.read()) {
    const [number = "", ...words] = line.split(" ");
    waiting.get(Number(number))?.(words.join(" "));
    waiting.delete(Number(number));
  }
}

/**
 * The first chunk of an association and its answer.
 *
 * @throws {Error} When nobody has started SCTP at the sender, or a checksum was wrong on its way back.
 */
export async function sctp(
  { namespace }: Place,
  to: string,
  { from, port = ANSWERING_PORT, patience = LONG_PATIENCE }: ProbeOptions = {},
): Promise<Probed> {
  const speaker = speakers.get(namespace);
  if (speaker === undefined) throw new Error(`nothing speaks SCTP in ${namespace}`);
  const number = asked++;
  const { promise, resolve } = Promise.withResolvers<string>();
  speaker.waiting.set(number, resolve);
  await speaker.process.write([number, to, port, patience, from ?? ""].join(" ").trim());
  const words = await promise;
  if (words === "damaged") throw new Error(`SCTP from ${to} has a wrong checksum`);
  const answer = words.match(/^passed (.*)$/)?.[1];
  return answer === undefined ? { outcome: outcomeOf(words) } : passedBy(answer);
}

/** Whether the kernel can translate it at all (`CONFIG_NF_CT_PROTO_SCTP`); conntrack must be in use. */
export async function kernelTranslatesSctp({ host }: TestHost): Promise<boolean> {
  const name = "net.netfilter.nf_conntrack_sctp_timeout_established";
  return (await run(["sysctl", "-n", name], { namespace: host })).code === 0;
}

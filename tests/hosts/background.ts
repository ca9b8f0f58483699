/** Programs that run beside a test and end with it. */
import { fromFileUrl } from "@std/path";
import { readLines, stop } from "./child_process.ts";
import { ANSWERING_PORT, labelOf } from "./namespace.ts";
import { inNamespace } from "./run_program.ts";

/** A program that runs until the test is done with it. */
export interface Background extends AsyncDisposable {
  readonly pid: number;
  /** Writes one line to its standard input. */
  write(line: string): Promise<void>;
  /** The next line of its standard output; `undefined` when it closed it. */
  read(): Promise<string | undefined>;
}

/** Starts a program in the namespace; disposing of it kills exactly that process. */
export function startInNamespace(namespace: string, argv: readonly string[]): Background {
  const [program = "", ...args] = inNamespace(namespace, argv);
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  const lines = readLines(child.stdout);
  return {
    pid: child.pid,
    write: (line) => writer.write(new TextEncoder().encode(`${line}\n`)),
    read: async () => (await lines.next()).value ?? undefined,
    [Symbol.asyncDispose]: async () => {
      stop(child);
      await child.status;
      await lines.return(undefined);
      // The pipe may be broken already: the process is gone.
      await writer.close().catch(() => undefined);
    },
  };
}

/** Starts the process that answers all probes at a place, and waits until it does. */
export async function startResponder(
  namespace: string,
  ports: readonly number[] = [ANSWERING_PORT],
): Promise<Background> {
  return await startScript(namespace, "responder.ts", [labelOf(namespace), ...ports.map(String)]);
}

/** Starts a script of this directory that speaks with the network, and waits until it is ready. */
export async function startScript(
  namespace: string,
  name: string,
  args: readonly string[],
): Promise<Background> {
  const script = fromFileUrl(new URL(name, import.meta.url));
  const flags = ["--quiet", "--no-prompt", "--no-config", "--no-lock", "--unstable-net"];
  const argv = [Deno.execPath(), "run", ...flags, "--allow-net", script, ...args];
  const started = startInNamespace(namespace, argv);
  if (await started.read() === "ready") return started;
  await started[Symbol.asyncDispose]();
  throw new Error(`${name} does not start in ${namespace}`);
}

/** argv → exit code and output: the way every test here runs a program, in a namespace or not. */

/** What a program that ended leaves behind. */
export interface Finished {
  /** The exit code; 128 + the signal's number when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a program is run. */
export interface RunOptions {
  /** The network namespace to run in; absent: that of the test. */
  readonly namespace?: string | undefined;
  /** What it reads from standard input; absent: nothing. */
  readonly stdin?: string | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds after which it is killed; absent: 60 seconds, so that no test hangs for ever. */
  readonly timeout?: number | undefined;
}

/** The argv that runs `argv` inside the namespace. */
export function inNamespace(namespace: string, argv: readonly string[]): readonly string[] {
  return ["ip", "netns", "exec", namespace, ...argv];
}

/** Runs a program to its end; its failure is a value, not an exception. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const [program = "", ...args] = options.namespace === undefined
    ? argv
    : inNamespace(options.namespace, argv);
  const child = new Deno.Command(program, {
    args,
    env: { LC_ALL: "C", NO_COLOR: "1", ...options.environment },
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(options.timeout ?? 60_000),
  }).spawn();
  // Reading starts before writing: a program that fills its output pipe would else block on both.
  const ended = child.output();
  if (options.stdin !== undefined) await feed(child, options.stdin);
  const { code, stdout, stderr } = await ended;
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/**
 * Runs a program that must succeed.
 *
 * @throws {Error} With the program's own words when it does not.
 */
export async function mustRun(
  argv: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const finished = await run(argv, options);
  if (finished.code !== 0) {
    throw new Error(`"${argv.join(" ")}" exited with ${finished.code}: ${finished.stderr.trim()}`);
  }
  return finished.stdout;
}

async function feed(child: Deno.ChildProcess, text: string): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It ended without reading everything; its exit code tells why.
  }
}

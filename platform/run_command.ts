/** The one place that runs programs. */
import { join } from "@std/path";
import type { Command, CommandResult, Program } from "../core/command.ts";
import { allPrinted } from "./printed_text.ts";
import { RUN, RUN_VARIABLE } from "./run_mark.ts";

/**
 * Where programs live, first match wins. Absolute, so that nobody's PATH decides what root runs; the
 * last is for NixOS.
 */
const DIRECTORIES = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/run/current-system/sw/bin"];

/**
 * The environment of every program. Nothing of the caller's gets through. Messages are in English:
 * errors are recognised by their text, and nft and tc translate theirs by the locale.
 */
export const ENVIRONMENT = { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };

/** Found once for the life of the process. */
const paths = new Map<Program, string>();

/** All paths that {@linkcode runCommand} may run, for the permissions of the compiled binary. */
export function candidatePaths(program: Program): readonly string[] {
  return DIRECTORIES.map((directory) => `${directory}/${program}`);
}

/** Where the program is, if it was run already; else where it may be. */
export function programPaths(program: Program): readonly string[] {
  const known = paths.get(program);
  return known === undefined ? candidatePaths(program) : [known];
}

/** What a pipe takes at once (pipe(7)). */
const PIPE_BYTES = 65_536;

/** How scripts that wait in a file are named. */
export const SCRIPT_PREFIX = ".script-";

/**
 * Runs a program to its end. Needs `--allow-run` for its paths.
 *
 * A script that a pipe does not take at once waits in a file instead, in the place of the argument
 * `-`: if we were killed while we write it to a pipe, the program would take the half that it got
 * for the whole.
 *
 * @param directory Where such a file may be, out of the reach of others.
 * @param stays True of a program that goes on: it takes a little longer, and keeps no memory for it.
 * @returns Status 127 when no directory has the program, 126 when it may not be run.
 */
export async function runCommand(
  command: Command,
  directory: string,
  stays = false,
): Promise<CommandResult> {
  const { args, stdin } = command;
  const script = stdin === undefined ? undefined : new TextEncoder().encode(stdin);
  if (script === undefined || script.length <= PIPE_BYTES || !args.includes("-")) {
    return await runWhereverItIs(command, stays);
  }
  const path = join(directory, `${SCRIPT_PREFIX}${crypto.randomUUID()}`);
  try {
    Deno.writeFileSync(path, script, { createNew: true, mode: 0o600 });
  } catch (error) {
    return { status: 1, stdout: "", stderr: `Cannot keep the script in "${path}": ${error}` };
  }
  try {
    const { program } = command;
    const named = args.map((one) => one === "-" ? path : one);
    return await runWhereverItIs({ program, args: named }, stays);
  } finally {
    Deno.removeSync(path);
  }
}

/** The same for a program that is given little, or nothing: no file is made for it. */
export async function runWhereverItIs(
  command: Command,
  stays = false,
): Promise<CommandResult> {
  for (const path of programPaths(command.program)) {
    try {
      const result = await runPath(path, command, stays);
      paths.set(command.program, path);
      return result;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      // It may not be run, or the machine has nothing left to run it with.
      return {
        status: 126,
        stdout: "",
        stderr: error instanceof Error ? error.message : `${error}`,
      };
    }
  }
  return { status: 127, stdout: "", stderr: `${command.program}: not found` };
}

async function runPath(
  path: string,
  { args, stdin }: Command,
  stays: boolean,
): Promise<CommandResult> {
  const process = new Deno.Command(path, {
    args: [...args],
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    clearEnv: true,
    // If we are killed, the next command has to know that this one is not done yet.
    env: { ...ENVIRONMENT, [RUN_VARIABLE]: RUN },
  });
  // Streams take longer than some of the programs: there are none where there is no need for them.
  if (stdin === undefined && !stays) {
    const { code, stdout, stderr } = await process.output();
    const decoder = new TextDecoder();
    return { status: code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }
  const child = process.spawn();
  // Output is read while input is written: a child that answers before it has read everything would
  // otherwise wait for us, and we for it.
  const [{ code }, stdout, stderr] = await Promise.all([
    child.status,
    allPrinted(child.stdout),
    allPrinted(child.stderr),
    ...(stdin === undefined ? [] : [writeInput(child.stdin, stdin)]),
  ]);
  return { status: code, stdout, stderr };
}

async function writeInput(pipe: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = pipe.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch (error) {
    // The child has ended without reading it all: its exit status says why.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

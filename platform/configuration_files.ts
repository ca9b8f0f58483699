/**
 * Files from which another program reads its configuration, read and written by ourselves: a process for
 * each of them would take longer than the rest of a command, and may do more than is needed here.
 */
import type { Command, CommandResult, FileProgram } from "../core/command.ts";

/** The only directories, for the permissions of the compiled binary. */
export const CONFIGURATION_DIRECTORIES: readonly string[] = [
  "/etc/firewalld/zones",
  "/etc/firewalld/policies",
];

/** Nothing of it is a path, and none begins with a dot. */
const FILE_NAME = /^\w[\w-]*\.xml$/;

/** A command for files. */
export type FileCommand = Command & { readonly program: FileProgram };

/** Whether the command is one for {@linkcode runFileCommand}. */
export function isFileCommand(command: Command): command is FileCommand {
  return ["cat", "install", "rm"].includes(command.program);
}

/**
 * Does what `cat FILE`, `install -m 0644 /dev/stdin FILE` and `rm -f FILE…` would do, but a file that is
 * written takes the place of the old one at once.
 *
 * @returns Status 126 for a path that is none of a configuration file, 1 for what the system refuses.
 */
export function runFileCommand(command: FileCommand): CommandResult {
  const { program, args, stdin = "" } = command;
  const paths = args.filter((arg) => arg.startsWith("/") && arg !== "/dev/stdin");
  const foreign = paths.find((path) => !isConfigurationFile(path));
  if (foreign !== undefined) {
    return { status: 126, stdout: "", stderr: `${program}: ${foreign}: no configuration file` };
  }
  try {
    return {
      status: 0,
      stdout: paths.map((path) => run(program, path, stdin)).join(""),
      stderr: "",
    };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { status: 1, stdout: "", stderr: `${program}: ${error.message}` };
  }
}

function isConfigurationFile(path: string): boolean {
  const end = path.lastIndexOf("/");
  return CONFIGURATION_DIRECTORIES.includes(path.slice(0, end)) &&
    FILE_NAME.test(path.slice(end + 1));
}

function run(program: FileProgram, path: string, text: string): string {
  switch (program) {
    case "cat":
      return Deno.readTextFileSync(path);
    case "install":
      writeWhole(path, text);
      return "";
    case "rm":
      removeIfThere(path);
      return "";
  }
}

/** firewalld reads no file that does not end in `.xml`, so it never meets half of one. */
function writeWhole(path: string, text: string): void {
  const temporary = `${path}.new`;
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o750 });
  removeIfThere(temporary);
  const file = Deno.openSync(temporary, { write: true, createNew: true, mode: 0o644 });
  try {
    let rest = new TextEncoder().encode(text);
    while (rest.length > 0) rest = rest.subarray(file.writeSync(rest));
    file.syncDataSync();
  } finally {
    file.close();
  }
  Deno.renameSync(temporary, path);
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

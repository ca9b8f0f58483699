/** What the program may do, as Deno grants it: the least with which all commands work. */
import { PROGRAMS } from "../core/command.ts";
import { CONFIGURATION_DIRECTORIES } from "./configuration_files.ts";
import { STATE_DIRECTORIES } from "./mod.ts";
import { candidatePaths } from "./run_command.ts";

/** Systems that the program is made for. */
export type System = keyof typeof PROGRAMS;

/**
 * The flags of `deno run` and `deno compile`, see deno(1).
 *
 * Files are read wherever definitions are, and written where records are, and for firewalld. Programs are
 * named by absolute paths: a bare name would be looked for in the caller's PATH. Nothing of the network,
 * no foreign functions, of the environment one variable.
 *
 * @param more Directories to be written, too: where `--state-dir` and tests keep records.
 */
export function permissionFlags(system: System, more: readonly string[] = []): readonly string[] {
  const written = [
    STATE_DIRECTORIES[system],
    ...(system === "linux" ? CONFIGURATION_DIRECTORIES : []),
    ...more,
  ];
  return [
    "--no-prompt",
    "--allow-read",
    `--allow-write=${written.join(",")}`,
    `--allow-run=${PROGRAMS[system].flatMap(candidatePaths).join(",")}`,
    "--allow-env=NO_COLOR",
    "--allow-sys=uid,osRelease",
  ];
}

/** How Deno runs the program, from its source, as a bundle and compiled: always with the same flags. */
import { PROGRAMS } from "../core/command.ts";
import { CONFIGURATION_DIRECTORIES } from "../platform/configuration_files.ts";
import { STATE_DIRECTORIES } from "../platform/mod.ts";
import { candidatePaths } from "../platform/run_command.ts";

/** Systems that the program is made for. */
export type System = keyof typeof PROGRAMS;

/** The system that this runs on; anything but FreeBSD is taken for Linux. */
export const THIS_SYSTEM: System = Deno.build.os === "freebsd" ? "freebsd" : "linux";

/**
 * What the program may do: the least with which all commands work, see deno(1).
 *
 * Files are read wherever definitions are, and written where records are, and for firewalld. Programs are
 * named by absolute paths: a bare name would be looked for in the caller's PATH. Nothing of the network,
 * no foreign functions, of the environment one variable. Who is not granted something is never asked for it.
 *
 * @param more Directories to be written, too: where tests keep records.
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
    // Else modules may come from hosts that Deno trusts.
    "--deny-import",
  ];
}

/**
 * What V8 is told. New objects get less room, so that `watch` has its bound of memory kept: with 1000
 * networks 9 MB less while it waits and 70 MB less while it looks; no command takes longer.
 */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=2";

/**
 * Flags of `deno compile` beside permissions. A code cache would stand in the directory for temporary files,
 * where anybody may have put it before.
 */
export const COMPILE_FLAGS: readonly string[] = ["--no-code-cache", V8_FLAGS];

/** Nothing is read but the one file. */
const ALONE: readonly string[] = [
  "--quiet",
  "--no-config",
  "--no-lock",
  "--no-npm",
  "--no-remote",
];

/** Flags of `deno run` beside permissions: nothing is read but the one file. */
export const RUN_FLAGS: readonly string[] = [...ALONE, ...COMPILE_FLAGS];

/** All flags with which `deno compile` makes a binary of the bundle. */
export function binaryFlags(system: System): readonly string[] {
  return [...ALONE, "--no-check", ...COMPILE_FLAGS, ...permissionFlags(system)];
}

/** Programs that see other files than the rest of the machine, which stays as it is. */

/**
 * The argv that runs a command in a mount namespace of its own.
 *
 * @param mounts Shell commands, such as `mount --bind …`, that make the difference; what ends one with
 * an error keeps the command from being run.
 */
export function withMounts(
  mounts: readonly string[],
  argv: readonly string[],
): readonly string[] {
  const script = [...mounts, 'exec "$@"'].join(" && ");
  return ["unshare", "--mount", "sh", "-c", script, "sh", ...argv];
}
